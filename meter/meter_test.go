package meter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/beat"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/meter"
)

// plane is both sides of a meter: a driver and a gateway that tell what a test
// says, and a control plane that gathers samples.
type plane struct {
	mu      sync.Mutex
	usage   map[slipway.InstanceID]slipway.Usage
	runs    map[slipway.InstanceID]slipway.Runs
	hangs   slipway.DeploymentID // whose driver does not answer before it must
	traffic map[slipway.DeploymentID]slipway.Traffic
	calls   int
	refuses error
	got     map[slipway.DeploymentID][]slipway.Sample
}

func newPlane() *plane {
	return &plane{
		usage: map[slipway.InstanceID]slipway.Usage{}, runs: map[slipway.InstanceID]slipway.Runs{},
		traffic: map[slipway.DeploymentID]slipway.Traffic{}, got: map[slipway.DeploymentID][]slipway.Sample{},
	}
}

func (p *plane) Usage(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) (slipway.Usage, error) {
	p.mu.Lock()
	u, known := p.usage[i]
	hangs := p.hangs == d
	p.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return u, ctx.Err()
	}
	if !known {
		return u, slipway.ErrUntold
	}
	return u, nil
}

func (p *plane) Runs(_ context.Context, _ slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, known := p.runs[i]
	if !known {
		return r, slipway.ErrUntold
	}
	return r, nil
}

func (p *plane) Traffic(d slipway.DeploymentID) slipway.Traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.traffic[d]
}

func (p *plane) Measured(_ context.Context, owner string, samples []slipway.Sample) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if owner != "here" {
		return fmt.Errorf("samples of %q", owner)
	}
	p.calls++
	for _, s := range samples {
		p.got[s.Deployment] = append(p.got[s.Deployment], s)
	}
	return p.refuses
}

// set changes the world under the lock.
func (p *plane) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

// samples returns what has come of a deployment since it was asked last.
func (p *plane) samples(d slipway.DeploymentID) []slipway.Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer delete(p.got, d)
	return p.got[d]
}

func (p *plane) open() *meter.Meter {
	return meter.New(p, p, p, meter.Config{Owner: "here", Logger: slog.New(slog.DiscardHandler)})
}

const app = slipway.DeploymentID("app")

func row(id slipway.DeploymentID) slipway.Deployment {
	return slipway.Deployment{ID: id, Name: string(id)}
}

func running(d slipway.DeploymentID, i slipway.InstanceID, attempt int) slipway.Observed {
	return slipway.Observed{Deployment: d, Instance: i, Attempt: attempt, Phase: slipway.PhaseRunning}
}

// test runs on a fake clock that starts with an interval.
func test(t *testing.T, fn func(t *testing.T, p *plane)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Now().Truncate(15 * time.Second).Add(15 * time.Second)))
		fn(t, newPlane())
	})
}

// interval lets one pass: what was set before is measured and handed over.
func interval() {
	time.Sleep(time.Until(time.Now().Truncate(15 * time.Second).Add(15*time.Second + time.Millisecond)))
	synctest.Wait()
}

func one(t *testing.T, samples []slipway.Sample) slipway.Sample {
	t.Helper()
	if len(samples) == 0 {
		t.Fatal("nothing was measured")
	}
	return samples[len(samples)-1]
}

func TestSamplesTellOfDifferences(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		p.set(func() {
			p.traffic[app] = slipway.Traffic{Requests: 1000, Errors: 50} // before it is watched
			p.usage["i"] = slipway.Usage{CPU: time.Hour, Memory: 1 << 28}
			p.runs["i"] = slipway.Runs{Pending: 3, Running: 2}
		})
		m.Watch(row(app), []slipway.Observed{running(app, "i", 4)}, []slipway.InstanceID{"i"})
		interval()
		s := one(t, p.samples(app))
		if s.Requests != 0 || s.Errors != 0 || s.CPU != 0 || s.Restarts != 0 {
			t.Errorf("what was before is measured: %+v", s)
		}
		if s.Memory != 1<<28 || !s.UsageKnown || s.Replicas != 1 || !s.RunsKnown || s.Pending != 3 || s.Running != 2 {
			t.Errorf("measured: %+v", s)
		}
		if !s.LastUse.Equal(s.At) {
			t.Errorf("used last at %s, while a run goes on", s.LastUse)
		}
		came := time.Now()
		p.set(func() {
			p.traffic[app] = slipway.Traffic{Requests: 1007, Errors: 51, Waiting: 2, InFlight: 4, Last: came, Latency: [13]uint64{3: 7}}
			p.usage["i"] = slipway.Usage{CPU: time.Hour + 7500*time.Millisecond, Memory: 1 << 29}
			p.runs["i"] = slipway.Runs{}
		})
		interval()
		s = one(t, p.samples(app))
		if s.Over != 15*time.Second || s.CPU != 0.5 || s.Requests != 7 || s.Errors != 1 || s.Latency[3] != 7 || s.Waiting != 2 || s.InFlight != 4 {
			t.Errorf("measured: %+v", s)
		}
		interval()
		if s = one(t, p.samples(app)); s.CPU != 0 || s.Requests != 0 || s.Latency[3] != 0 || s.Restarts != 0 || s.LastUse.Before(came) {
			t.Errorf("measured once more: %+v", s)
		}
	})
}

// What waits for any of them is told by each, and counted once.
func TestSharedQueue(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		p.set(func() {
			p.runs["i"] = slipway.Runs{Pending: 7, Running: 1, Shared: true}
			p.runs["j"] = slipway.Runs{Pending: 6, Running: 2, Shared: true} // asked a moment later
			p.runs["k"] = slipway.Runs{Pending: 1}
		})
		m.Watch(row(app), []slipway.Observed{running(app, "i", 1), running(app, "j", 1), running(app, "k", 1)}, []slipway.InstanceID{"i", "j", "k"})
		interval()
		if s := one(t, p.samples(app)); !s.RunsKnown || s.Pending != 8 || s.Running != 3 {
			t.Errorf("measured: %+v", s)
		}
		p.set(func() {
			p.runs["i"] = slipway.Runs{Pending: 7, Running: 3, Whole: true}
			p.runs["j"] = slipway.Runs{Pending: 8, Running: 2, Whole: true}
		})
		interval()
		if s := one(t, p.samples(app)); s.Pending != 9 || s.Running != 3 {
			t.Errorf("measured of what counts in one database: %+v", s)
		}
	})
}

func TestRestarts(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		p.set(func() { p.usage["i"] = slipway.Usage{CPU: time.Minute} })
		m.Watch(row(app), nil, nil)
		m.Watch(row(app), []slipway.Observed{{Deployment: app, Instance: "i", Phase: slipway.PhaseAbsent}}, nil)
		m.Watch(row(app), []slipway.Observed{running(app, "i", 1)}, nil)
		interval()
		m.Watch(row(app), []slipway.Observed{running(app, "i", 1)}, []slipway.InstanceID{"i"})
		interval()
		if s := p.samples(app); len(s) == 0 || one(t, s).Restarts != 0 {
			t.Errorf("a first start is a restart: %+v", s)
		}
		p.set(func() { p.usage["i"] = slipway.Usage{CPU: 3 * time.Second} }) // a new attempt's clock begins anew
		m.Watch(row(app), []slipway.Observed{{Deployment: app, Instance: "i", Attempt: 1, Phase: slipway.PhaseExited}}, nil)
		m.Watch(row(app), []slipway.Observed{running(app, "i", 2)}, nil)
		m.Watch(row(app), []slipway.Observed{running(app, "i", 3)}, nil)
		interval()
		if s := one(t, p.samples(app)); s.Restarts != 2 || s.CPU != 0.2 || s.Replicas != 0 {
			t.Errorf("after two restarts: %+v", s)
		}
		m.Watch(row(app), nil, nil) // another revision's instance takes its place
		m.Watch(row(app), []slipway.Observed{running(app, "j", 1)}, nil)
		interval()
		if s := one(t, p.samples(app)); s.Restarts != 0 {
			t.Errorf("a new instance is a restart: %+v", s)
		}
		if r := m.Readings(); len(r) != 1 || r[0].Restarts != 2 || r[0].Deployment.Name != "app" {
			t.Errorf("readings: %+v", r)
		}
	})
}

// A gateway that begins anew counts less than before.
func TestCountersThatFall(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		m.Watch(row(app), nil, nil)
		p.set(func() { p.traffic[app] = slipway.Traffic{Requests: 1000, Latency: [13]uint64{1000}} })
		interval()
		p.set(func() { p.traffic[app] = slipway.Traffic{Requests: 3, Latency: [13]uint64{3}} })
		p.samples(app)
		interval()
		if s := one(t, p.samples(app)); s.Requests != 3 || s.Latency[0] > 3 {
			t.Errorf("measured: %+v", s)
		}
	})
}

func TestWhatHangsDelaysOnlyItself(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		p.set(func() { p.hangs = "d7" })
		for n := range 20 {
			id := slipway.DeploymentID(fmt.Sprint("d", n))
			i := slipway.InstanceID(fmt.Sprint("i", n))
			p.set(func() { p.usage[i] = slipway.Usage{Memory: 1} })
			m.Watch(row(id), []slipway.Observed{running(id, i, 1)}, []slipway.InstanceID{i})
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		for n := range 20 {
			samples := p.got[slipway.DeploymentID(fmt.Sprint("d", n))]
			if len(samples) < 18 {
				t.Errorf("of 20 samples of deployment %d there are %d", n, len(samples))
			}
			for _, s := range samples {
				if s.UsageKnown != (n != 7) {
					t.Fatalf("deployment %d: %+v", n, s)
				}
			}
		}
		if p.calls < 19 || p.calls > 21 {
			t.Errorf("samples were handed over in %d calls", p.calls)
		}
	})
}

// Each slot of the finest resolution gets one sample.
func TestEachSlotGetsOneSample(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		for n := range 200 {
			m.Watch(row(slipway.DeploymentID(fmt.Sprint("d", n))), nil, nil)
		}
		time.Sleep(10 * time.Minute)
		m.Stop()
		moments := map[time.Duration]bool{}
		for d, samples := range p.got {
			moments[samples[0].At.Sub(samples[0].At.Truncate(15*time.Second))] = true
			for n, s := range samples[1:] {
				if step := s.Measurement().At.Sub(samples[n].Measurement().At); step != 15*time.Second {
					t.Fatalf("%s: from one slot to the next it is %s", d, step)
				}
			}
		}
		if len(moments) < 40 {
			t.Errorf("200 deployments are measured at %d moments only", len(moments))
		}
		for moment := range moments {
			if moment%beat.Every != 0 {
				t.Errorf("a deployment is measured off the beat, at %v", moment)
			}
		}
	})
}

func TestStopHandsOverAndUnwatchForgets(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		m.Watch(row(app), nil, nil)
		m.Watch(row("gone"), nil, nil)
		m.Unwatch("gone")
		m.Unwatch("never")
		time.Sleep(14 * time.Second)
		if got := p.samples(app); len(got) != 0 {
			t.Fatalf("handed over before the interval ends: %+v", got)
		}
		m.Stop()
		m.Stop()
		if len(p.samples(app)) != 1 || len(p.samples("gone")) != 0 {
			t.Error("the last sample is missing, or one of what was forgotten is not")
		}
		m.Watch(row(app), nil, nil)
		time.Sleep(time.Minute)
		if len(p.samples(app)) != 0 {
			t.Error("it measures after its end")
		}
	})
}

func TestRefusedSamplesAreSaidOnce(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		var log strings.Builder
		m := meter.New(p, p, p, meter.Config{Owner: "here", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		p.set(func() { p.refuses = errors.New("disk full") })
		m.Watch(row(app), nil, nil)
		time.Sleep(2 * time.Minute)
		p.set(func() { p.refuses = nil })
		time.Sleep(2 * time.Minute)
		m.Stop()
		if n := strings.Count(log.String(), "level="); n != 2 {
			t.Errorf("%d lines are logged:\n%s", n, log.String())
		}
	})
}

func TestStartAndStop(t *testing.T) {
	startstoptest.Run(t, func(context.Context) (func() error, error) {
		m := newPlane().open()
		m.Watch(row(app), nil, nil)
		return func() error { m.Stop(); return nil }, nil
	})
}

// A Redis of a deployment's own is measured by itself: what it uses is none of the
// instances', nor is its restart.
func TestRedisIsApart(t *testing.T) {
	test(t, func(t *testing.T, p *plane) {
		m := p.open()
		defer m.Stop()
		watch := func(redis slipway.Observed) {
			m.Watch(row(app), []slipway.Observed{running(app, "i", 1), redis}, []slipway.InstanceID{"i"})
		}
		use := func(cpu time.Duration, memory int64) {
			p.set(func() { p.usage[app.Redis()] = slipway.Usage{CPU: cpu, Memory: memory} })
		}
		measured := func(when string, want *slipway.RedisUsage) {
			t.Helper()
			interval()
			s := one(t, p.samples(app))
			if got := s.Redis; (got == nil) != (want == nil) || got != nil && *got != *want {
				t.Errorf("%s it uses %+v, want %+v", when, got, want)
			}
			if !s.UsageKnown || s.CPU != 0 || s.Memory != 1<<28 || s.Restarts != 0 || s.Replicas != 1 {
				t.Errorf("%s its agent uses %+v", when, s)
			}
		}
		p.set(func() { p.usage["i"] = slipway.Usage{Memory: 1 << 28} })
		use(time.Hour, 9<<20)
		watch(running(app, app.Redis(), 1))
		measured("at first", &slipway.RedisUsage{Memory: 9 << 20})
		use(time.Hour+3*time.Second, 10<<20)
		measured("later", &slipway.RedisUsage{CPU: 0.2, Memory: 10 << 20})
		use(1500*time.Millisecond, 8<<20)
		watch(running(app, app.Redis(), 2))
		measured("started again", &slipway.RedisUsage{CPU: 0.1, Memory: 8 << 20})
		if r := m.Readings()[0]; r.RedisCPU != 4500*time.Millisecond || r.CPU != 0 || r.Restarts != 0 {
			t.Errorf("counted: %+v", r)
		}
		p.set(func() { delete(p.usage, app.Redis()) })
		measured("when the driver does not tell", nil)
		watch(slipway.Observed{Deployment: app, Instance: app.Redis(), Phase: slipway.PhaseExited})
		measured("when it does not run", &slipway.RedisUsage{})
		m.Watch(row(app), []slipway.Observed{running(app, "i", 1)}, []slipway.InstanceID{"i"})
		measured("without one", nil)
	})
}
