// Package metrics tells Prometheus how a server and its deployments do.
//
// What is the server's own is counted here as it happens. What is a deployment's
// is asked for at each scrape, so that nothing is left of one that is gone.
// Series of deployments are bounded: beyond DeploymentsShown the newest are left
// out, and how many is a metric of its own.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/slipwayhq/slipway"
)

const (
	// DeploymentsShown bounds the deployments that have series of their own.
	DeploymentsShown = 2000
	// scrapeWithin bounds how long a scrape waits for the store.
	scrapeWithin = 5 * time.Second
	// scrapesAtOnce bounds the scrapes that are answered together.
	scrapesAtOnce = 4
)

// Config is what is told of. Nil functions tell nothing.
type Config struct {
	Version string
	Data    string // the folder whose disk is looked at
	// Readings are of the deployments that run here, in the order of ids.
	Readings func() []slipway.Reading
	Census   func(context.Context) ([]slipway.Census, error)
	// Writes counts commits of the store and the updates that shared them.
	Writes func() (commits, updates uint64)
}

// Metrics are those of one server.
type Metrics struct {
	config  Config
	own     *prometheus.Registry
	api     *prometheus.HistogramVec
	updates *prometheus.HistogramVec
	phases  *prometheus.HistogramVec
	ended   *prometheus.CounterVec
	left    prometheus.Gauge
}

// New returns metrics that nothing has been counted in.
func New(config Config) *Metrics {
	m := &Metrics{config: config, own: prometheus.NewRegistry()}
	m.api = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "slipway_api_request_duration_seconds", Help: "Time to answer requests to the API; a stream of events lasts until it ends.",
		Buckets: []float64{.005, .025, .1, .5, 2.5, 10, 60},
	}, []string{"route", "method", "code"})
	m.updates = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "slipway_store_update_duration_seconds", Help: "Time of a writing transaction, from its request to its commit.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
	}, []string{"outcome"})
	m.phases = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "slipway_revision_phase_duration_seconds", Help: "Time that revisions spent building and deploying, by how the phase ended.",
		Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 840},
	}, []string{"phase", "outcome"})
	m.ended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipway_revisions_ended_total", Help: "Revisions that came to an end, by their last status.",
	}, []string{"status"})
	m.left = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "slipway_leftovers", Help: "Things of this installation that were found here last and that the store knows nothing of.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "slipway_build_info", Help: "1, with the version of this server.", ConstLabels: prometheus.Labels{"version": config.Version},
	})
	build.Set(1)
	m.own.MustRegister(m.api, m.updates, m.phases, m.ended, m.left, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if config.Data != "" {
		m.own.MustRegister(&disk{config.Data})
	}
	if config.Writes != nil {
		m.own.MustRegister(writes(config.Writes))
	}
	return m
}

// Moved counts a change of a revision's status.
func (m *Metrics) Moved(r slipway.Revision, from slipway.RevisionStatus, took time.Duration) {
	if r.Status.Ended() {
		m.ended.WithLabelValues(string(r.Status)).Inc()
	}
	outcome := "succeeded"
	if r.Status.Ended() && r.Status != slipway.Deployed {
		outcome = "failed"
	}
	switch from {
	case slipway.Building:
		m.phases.WithLabelValues("build", outcome).Observe(took.Seconds())
	case slipway.Deploying:
		m.phases.WithLabelValues("deploy", outcome).Observe(took.Seconds())
	}
}

// Leftovers says how many things nobody knows.
func (m *Metrics) Leftovers(n int) { m.left.Set(float64(n)) }

// Handler answers scrapes with everything.
func (m *Metrics) Handler() http.Handler {
	return m.handler(func(slipway.WorkspaceID) bool { return true }, m.own)
}

// HandlerFor answers with the deployments of workspaces, and nothing of the
// server's own.
func (m *Metrics) HandlerFor(sees func(slipway.WorkspaceID) bool) http.Handler {
	return m.handler(sees)
}

func (m *Metrics) handler(sees func(slipway.WorkspaceID) bool, more ...prometheus.Gatherer) http.Handler {
	deployments := prometheus.NewRegistry()
	deployments.MustRegister(&deploymentCollector{m.config, sees})
	return promhttp.HandlerFor(append(prometheus.Gatherers{deployments}, more...), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesAtOnce, EnableOpenMetrics: true,
	})
}
