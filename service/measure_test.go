package service_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/service"
)

// measure says that a deployment had so many requests in the last 15 seconds.
func (p *plane) measure(d slipway.DeploymentID, requests uint64) {
	p.t.Helper()
	must(p.t, p.Measured(p.t.Context(), "here", []slipway.Sample{{
		Deployment: d, At: p.clock(), Over: 15 * time.Second, Replicas: 1, UsageKnown: true, Memory: 1 << 30, Requests: requests,
	}}))
}

func (p *plane) metrics(q slipway.MetricsQuery) slipway.Metrics {
	p.t.Helper()
	m, err := p.Metrics(p.t.Context(), p.who, q)
	must(p.t, err)
	return m
}

// stored is how many slots have been written of a deployment.
func (p *plane) stored(d slipway.DeploymentID) int {
	p.t.Helper()
	var slots []slipway.Measurement
	must(p.t, p.store.View(p.t.Context(), func(tx slipway.Tx) (err error) {
		slots, err = tx.ListMeasurements(d, 15*time.Second, p.clock().Add(-time.Hour), p.clock().Add(time.Hour))
		return err
	}))
	return len(slots)
}

func requestsOf(m slipway.Metrics) (all uint64) {
	for _, slot := range m.Slots {
		all += slot.Requests
	}
	return all
}

func TestMeasurementsAreSeenAtOnceAndWrittenByTheMinute(t *testing.T) {
	p := newPlane(t)
	d := p.create("app").ID
	if m := p.metrics(slipway.MetricsQuery{Deployment: d}); len(m.Slots) != 0 || m.Step != 15*time.Second || m.End.Sub(m.Start) < time.Hour {
		t.Errorf("of a new deployment there is %+v", m)
	}
	for n := range 8 {
		p.pass(15 * time.Second)
		p.measure(d, uint64(n+1))
		for _, step := range []time.Duration{0, time.Minute, 20 * time.Minute} {
			m := p.metrics(slipway.MetricsQuery{Deployment: d, Step: step, End: p.clock().Add(time.Second)})
			if got, want := requestsOf(m), uint64((n+1)*(n+2)/2); got != want {
				t.Errorf("after %d samples there are %d requests in steps of %s, want %d", n+1, got, m.Step, want)
			}
		}
		if got := p.stored(d) > 0; got != (n >= 4) {
			t.Errorf("after %d samples something is stored: %t", n+1, got)
		}
	}
}

func TestAnIdleDeploymentIsRarelyWritten(t *testing.T) {
	p := newPlane(t)
	d := p.create("app").ID
	writes, stored := 0, 0
	for range 4 * 60 {
		p.pass(15 * time.Second)
		p.measure(d, 0)
		if now := p.stored(d); now != stored {
			writes, stored = writes+1, now
		}
	}
	if writes < 5 || writes > 8 {
		t.Errorf("it was written %d times in an hour", writes)
	}
	if m := p.metrics(slipway.MetricsQuery{Deployment: d}); len(m.Slots) != 240 {
		t.Errorf("of 240 slots there are %d", len(m.Slots))
	}
	p.pass(15 * time.Second)
	p.measure(d, 1)
	if p.stored(d) <= stored {
		t.Error("what changes after a long rest is not written")
	}
}

// fullStore is one that takes nothing for a while.
type fullStore struct {
	slipway.Store
	full bool
}

func (s *fullStore) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	if s.full {
		return errors.New("disk full")
	}
	return s.Store.Update(ctx, fn)
}

// reopen puts another service in place, as a restart does.
func (p *plane) reopen(store slipway.Store) {
	p.Service = service.New(store, nil, p.images, nil, service.Config{Now: p.clock})
}

func TestMeasurementsOutlastAFullDisk(t *testing.T) {
	p := newPlane(t)
	d := p.create("app").ID
	full := &fullStore{Store: p.store}
	p.reopen(full)
	full.full = true
	failed := 0
	for range 12 {
		p.pass(15 * time.Second)
		if p.Measured(t.Context(), "here", []slipway.Sample{{Deployment: d, At: p.clock(), Over: 15 * time.Second, Requests: 1}}) != nil {
			failed++
		}
	}
	if got := requestsOf(p.metrics(slipway.MetricsQuery{Deployment: d, End: p.clock().Add(time.Second)})); failed == 0 || got != 12 {
		t.Errorf("%d writes fail, and of 12 requests there are %d", failed, got)
	}
	full.full = false
	ended, end := context.WithCancel(t.Context())
	end()
	p.Coordinate(ended)
	p.reopen(p.store)
	if got := requestsOf(p.metrics(slipway.MetricsQuery{Deployment: d, End: p.clock().Add(time.Second)})); got != 12 {
		t.Errorf("after a restart there are %d of 12 requests", got)
	}
}

func TestMetricsAreTheWorkspaces(t *testing.T) {
	p := newPlane(t)
	d := p.create("app").ID
	p.measure(d, 1)
	_, other, _ := p.principals()
	for _, id := range []slipway.DeploymentID{d, "00000000-0000-4000-8000-000000000000"} {
		if _, err := p.Metrics(t.Context(), other, slipway.MetricsQuery{Deployment: id}); slipway.CodeOf(err) != slipway.CodeNotFound {
			t.Errorf("another workspace reads them: %v", err)
		}
	}
	if _, err := p.Metrics(t.Context(), p.who, slipway.MetricsQuery{Deployment: d, Start: p.clock().Add(time.Hour)}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("a span that ends before it begins: %v", err)
	}
	p.pass(time.Minute)
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error { return tx.DeleteDeployment(d) }))
	p.measure(d, 1) // it is dropped, and nothing fails
}
