package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slipwayhq/slipway"
)

// labels of a deployment's series. Names are unique in a workspace; the id stays
// when the name is taken by another.
var labels = []string{"workspace_id", "deployment_id", "deployment"}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("slipway_"+name, help, labels, nil)
}

var (
	counted = describe("deployments", "Deployments by their status.", "workspace_id", "status")
	leased  = describe("deployments_leased", "Deployments that a data plane works on right now.", "workspace_id")
	omitted = describe("deployments_omitted", "Deployments that run here and have no series, because there are too many.")

	requests = describe("gateway_requests_total", "Requests to a deployment that were answered.", labels...)
	failures = describe("gateway_errors_total", "Of those, with a status from 500 on, or none.", labels...)
	latency  = describe("gateway_response_latency_seconds", "Time from a request to the first byte of its answer, held requests included.", labels...)
	inFlight = describe("gateway_requests_in_flight", "Requests that are at an instance now, streams too.", labels...)
	held     = describe("gateway_requests_held", "Requests that wait for an instance.", labels...)
	holds    = describe("gateway_hold_duration_seconds", "For how long requests have waited for an instance, of those that had to.", labels...)
	longest  = describe("gateway_hold_longest_seconds", "The longest that a request has waited for an instance, since this server started.", labels...)

	cpu      = describe("agent_cpu_seconds_total", "CPU time that the instances of a deployment used, since this server started.", labels...)
	memory   = describe("agent_memory_bytes", "Resident memory of the instances of a deployment.", labels...)
	replicas = describe("agent_replicas", "Instances of a deployment that serve.", labels...)
	restarts = describe("agent_restarts_total", "Restarts of instances of a deployment, since this server started.", labels...)
	pending  = describe("agent_runs_pending", "Runs that wait, where the Agent Server tells.", labels...)
	running  = describe("agent_runs_running", "Runs that are worked on, where the Agent Server tells.", labels...)
	tables   = describe("agent_database_bytes", "Size of the database that was made for a deployment.", labels...)
	sessions = describe("agent_database_connections", "Connections to the database that was made for a deployment.", labels...)
	redisCPU = describe("agent_redis_cpu_seconds_total", "CPU time that the Redis of a deployment's own used, since this server started.", labels...)
	redisMem = describe("agent_redis_memory_bytes", "Resident memory of the Redis of a deployment's own.", labels...)
	measured = describe("agent_last_measured_timestamp_seconds", "When a deployment was measured last.", labels...)
)

// deploymentCollector tells of the deployments of some workspaces.
type deploymentCollector struct {
	config Config
	sees   func(slipway.WorkspaceID) bool
}

// Describe says nothing: which series there are is known at a scrape.
func (c *deploymentCollector) Describe(chan<- *prometheus.Desc) {}

func (c *deploymentCollector) Collect(out chan<- prometheus.Metric) {
	c.collectCensus(out)
	if c.config.Readings == nil {
		return
	}
	shown, more := 0, 0
	for _, r := range c.config.Readings() {
		switch {
		case !c.sees(r.Deployment.Workspace):
		case shown == DeploymentsShown:
			more++
		default:
			shown++
			collectReading(out, r)
		}
	}
	out <- prometheus.MustNewConstMetric(omitted, prometheus.GaugeValue, float64(more))
}

func (c *deploymentCollector) collectCensus(out chan<- prometheus.Metric) {
	if c.config.Census == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	census, err := c.config.Census(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(counted, err)
		return
	}
	busy := map[slipway.WorkspaceID]int{}
	for _, n := range census {
		if !c.sees(n.Workspace) {
			continue
		}
		busy[n.Workspace] += n.Leased
		out <- prometheus.MustNewConstMetric(counted, prometheus.GaugeValue, float64(n.Deployments), string(n.Workspace), string(n.Status))
	}
	for workspace, n := range busy {
		out <- prometheus.MustNewConstMetric(leased, prometheus.GaugeValue, float64(n), string(workspace))
	}
}

func collectReading(out chan<- prometheus.Metric, r slipway.Reading) {
	own := []string{string(r.Deployment.Workspace), string(r.Deployment.ID), r.Deployment.Name}
	tell := func(what *prometheus.Desc, kind prometheus.ValueType, value float64) {
		out <- prometheus.MustNewConstMetric(what, kind, value, own...)
	}
	tell(requests, prometheus.CounterValue, float64(r.Traffic.Requests))
	tell(failures, prometheus.CounterValue, float64(r.Traffic.Errors))
	tell(inFlight, prometheus.GaugeValue, float64(r.Traffic.InFlight))
	tell(held, prometheus.GaugeValue, float64(r.Traffic.Waiting))
	count, buckets := histogram(r.Traffic.Latency)
	out <- prometheus.MustNewConstHistogram(latency, count, r.Traffic.Took.Seconds(), buckets, own...)
	count, buckets = histogram(r.Traffic.Holds)
	out <- prometheus.MustNewConstHistogram(holds, count, r.Traffic.Held.Seconds(), buckets, own...)
	tell(longest, prometheus.GaugeValue, r.Traffic.Longest.Seconds())
	tell(cpu, prometheus.CounterValue, r.CPU.Seconds())
	tell(restarts, prometheus.CounterValue, float64(r.Restarts))
	s := r.Sample
	if s.At.IsZero() {
		return
	}
	tell(measured, prometheus.GaugeValue, float64(s.At.UnixMilli())/1000)
	tell(replicas, prometheus.GaugeValue, float64(s.Replicas))
	if s.UsageKnown {
		tell(memory, prometheus.GaugeValue, float64(s.Memory))
	}
	if s.RunsKnown {
		tell(pending, prometheus.GaugeValue, float64(s.Pending))
		tell(running, prometheus.GaugeValue, float64(s.Running))
	}
	if u := s.Database; u != nil {
		tell(tables, prometheus.GaugeValue, float64(u.Bytes))
		tell(sessions, prometheus.GaugeValue, float64(u.Connections))
	}
	if u := s.Redis; u != nil {
		tell(redisCPU, prometheus.CounterValue, r.RedisCPU.Seconds())
		tell(redisMem, prometheus.GaugeValue, float64(u.Memory))
	}
}

// histogram counts up to each bound, as Prometheus wants it.
func histogram(times [len(slipway.LatencyBounds) + 1]uint64) (count uint64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(slipway.LatencyBounds))
	for i, bound := range slipway.LatencyBounds {
		count += times[i]
		buckets[bound.Seconds()] = count
	}
	return count + times[len(slipway.LatencyBounds)], buckets
}
