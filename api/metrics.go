package api

import (
	"context"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// scrape is no operation of the document: what it answers is Prometheus' to
// describe.
func (s *server) scrape(w http.ResponseWriter, r *http.Request) {
	p, err := s.admit(r, slipway.ScopeRead, true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.Scrape(p).ServeHTTP(w, r)
}

func (s *server) GetMetrics(ctx context.Context, r wire.GetMetricsRequestObject) (wire.GetMetricsResponseObject, error) {
	q := slipway.MetricsQuery{Deployment: slipway.DeploymentID(r.DeploymentID), Step: time.Duration(value(r.Params.Step)) * time.Second}
	var err error
	if q.Start, err = logTime("start", r.Params.Start); err != nil {
		return nil, err
	}
	if q.End, err = logTime("end", r.Params.End); err != nil {
		return nil, err
	}
	m, err := s.Control.Metrics(ctx, principal(ctx), q)
	if err != nil {
		return nil, err
	}
	return wire.GetMetrics200JSONResponse(presentMetrics(m)), nil
}

// presentMetrics has an element for each step of the span, also where nothing
// is known.
func presentMetrics(m slipway.Metrics) wire.DeploymentMetrics {
	n := int(m.End.Sub(m.Start) / m.Step)
	out := wire.DeploymentMetrics{
		Start: wire.NewTime(m.Start), End: wire.NewTime(m.End), Step: int(m.Step / time.Second), Timestamps: make([]int, n),
		CPU: unknownLevel(n), Memory: unknownLevel(n), Replicas: unknownLevel(n), InFlight: unknownLevel(n), Held: unknownLevel(n),
		PendingRuns: unknownLevel(n), RunningRuns: unknownLevel(n),
		DatabaseSize: unknownLevel(n), DatabaseConnections: unknownLevel(n),
		RedisCPU: unknownLevel(n), RedisMemory: unknownLevel(n),
		Restarts: make([]*int, n), Requests: make([]*int, n), Errors: make([]*int, n),
		Latency: wire.MetricLatency{P50: make([]*float64, n), P95: make([]*float64, n), P99: make([]*float64, n)},
	}
	for i := range n {
		out.Timestamps[i] = int(m.Start.Add(time.Duration(i) * m.Step).Unix())
	}
	for _, slot := range m.Slots {
		presentSlot(&out, int(slot.At.Sub(m.Start)/m.Step), slot)
	}
	return out
}

func unknownLevel(n int) wire.MetricLevel {
	return wire.MetricLevel{Min: make([]*float64, n), Mean: make([]*float64, n), Max: make([]*float64, n)}
}

func presentSlot(out *wire.DeploymentMetrics, i int, m slipway.Measurement) {
	for _, l := range []struct {
		to   wire.MetricLevel
		from slipway.Level
		over time.Duration
		unit float64
	}{
		{out.CPU, m.CPU, m.InUse, 1e-3},
		{out.Memory, m.Memory, m.InUse, 1 << 20},
		{out.Replicas, m.Replicas, m.Covered, 1},
		{out.InFlight, m.InFlight, m.Covered, 1},
		{out.Held, m.Waiting, m.Covered, 1},
		{out.PendingRuns, m.Pending, m.Told, 1},
		{out.RunningRuns, m.Running, m.Told, 1},
		{out.DatabaseSize, m.Size, m.Sized, 1 << 20},
		{out.DatabaseConnections, m.Connections, m.Sized, 1},
		{out.RedisCPU, m.RedisCPU, m.Beside, 1e-3},
		{out.RedisMemory, m.RedisMemory, m.Beside, 1 << 20},
	} {
		if l.over > 0 {
			l.to.Min[i], l.to.Mean[i], l.to.Max[i] = new(float64(l.from.Min)*l.unit), new(l.from.Mean(l.over)*l.unit), new(float64(l.from.Max)*l.unit)
		}
	}
	out.Restarts[i], out.Requests[i], out.Errors[i] = new(int(m.Restarts)), new(int(m.Requests)), new(int(m.Errors))
	if m.Requests > 0 {
		l := out.Latency
		l.P50[i], l.P95[i], l.P99[i] = latency(m, 0.5), latency(m, 0.95), latency(m, 0.99)
	}
}

func latency(m slipway.Measurement, q float64) *float64 {
	return new(slipway.Quantile(m.Latency, q).Seconds())
}
