package service_test

import (
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// scaled is a deployment that serves, of which samples are taken.
type scaled struct {
	*plane
	id    slipway.DeploymentID
	lease slipway.Lease
}

// serving deploys an app of a type and gives its lease back.
func (p *plane) serving(name, deploymentType string) *scaled {
	p.t.Helper()
	d, err := p.Create(p.t.Context(), p.who, slipway.NewDeployment{
		Name: name, Source: slipway.SourceInternalSource, Config: slipway.SourceConfig{DeploymentType: deploymentType},
	})
	must(p.t, err)
	s := &scaled{plane: p, id: d.ID}
	r := p.push(d.ID)
	s.lease = p.acquire(d.ID)
	p.deploy(s.lease, r.ID)
	s.rest()
	return s
}

// rest gives the lease back with all worked off.
func (s *scaled) rest() {
	s.t.Helper()
	must(s.t, s.Release(s.t.Context(), s.lease, s.row().Generation, time.Time{}))
}

func (s *scaled) row() (d slipway.Deployment) {
	s.t.Helper()
	must(s.t, s.store.View(s.t.Context(), func(tx slipway.Tx) (err error) {
		d, err = tx.Deployment(s.id)
		return err
	}))
	return d
}

// measure takes a sample after a while.
func (s *scaled) measure(after time.Duration, m slipway.Sample) slipway.Running {
	s.t.Helper()
	s.pass(after)
	m.Deployment, m.At = s.id, s.clock()
	must(s.t, s.Measured(s.t.Context(), "test", []slipway.Sample{m}))
	return s.row().Running
}

// due says whether a data plane would find work here.
func (s *scaled) due() bool {
	s.t.Helper()
	next := time.Time{}
	must(s.t, s.store.View(s.t.Context(), func(tx slipway.Tx) (err error) {
		next, err = tx.NextDue()
		return err
	}))
	return !next.IsZero() && !next.After(s.clock())
}

func TestReplicasFollowTheLoad(t *testing.T) {
	p := newPlane(t)
	s := p.serving("app", "prod")
	busy := func(replicas, pending int) slipway.Sample {
		return slipway.Sample{Replicas: replicas, RunsKnown: true, Pending: pending}
	}
	before := s.row().Generation
	if r := s.measure(0, busy(1, 35)); r.Replicas != 0 || s.due() {
		t.Errorf("a peak that has just begun: %+v", r)
	}
	if r := s.measure(30*time.Second, busy(1, 25)); r.Replicas != 3 || !s.due() || s.row().Generation == before {
		t.Errorf("a need that lasts: %+v, due %t", r, s.due())
	}
	s.lease = p.acquire(s.id)
	s.rest()
	if r := s.measure(time.Minute, busy(1, 95)); r.Replicas != 3 {
		t.Errorf("while replicas start: %+v", r)
	}
	s.measure(time.Minute, busy(3, 25))
	s.measure(time.Second, busy(3, 5))
	if r := s.measure(29*time.Minute, busy(3, 15)); r.Replicas != 3 {
		t.Errorf("before the delay: %+v", r)
	}
	if r := s.measure(time.Minute, busy(3, 0)); r.Replicas != 2 {
		t.Errorf("after the delay: %+v", r)
	}
	if s.row().Running.Asleep || s.measure(time.Hour, busy(2, 0)).Asleep {
		t.Error("it sleeps, which its type does not let it")
	}
}

// What runs once is not scaled, and what is busy with something else neither.
func TestWhatIsNotScaled(t *testing.T) {
	p := newPlane(t)
	load := slipway.Sample{Replicas: 1, CPU: 100}
	for name, prepare := range map[string]func(*scaled){
		"runs-once": func(s *scaled) {
			s.lease = p.acquire(s.id)
			r := p.push(s.id)
			p.report(s.lease, slipway.BuildStarted{Revision: r.ID}, slipway.BuildDone{Revision: r.ID, Artefact: slipway.Artefact{Kind: "k", Digest: "b"}},
				slipway.DeployStarted{Revision: r.ID}, slipway.GatePassed{Revision: r.ID, Alone: true})
		},
		"is-replaced": func(s *scaled) { p.push(s.id) },
		"crashes": func(s *scaled) {
			p.report(p.acquire(s.id), slipway.HealthChanged{Health: slipway.Health{State: slipway.Restarts}})
		},
		"is-deleted": func(s *scaled) { must(t, p.Delete(t.Context(), p.who, s.id, slipway.DeleteOptions{})) },
	} {
		s := p.serving(name, "prod")
		prepare(s)
		s.measure(0, load)
		if r := s.measure(time.Hour, load); r.Replicas != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	must(t, p.Measured(t.Context(), "test", []slipway.Sample{{Deployment: slipway.NewID[slipway.DeploymentID](p.clock()), CPU: 100}}))
}

func quiet(s *scaled) slipway.Sample {
	return slipway.Sample{Replicas: 1, RunsKnown: true, LastUse: s.clock()}
}

func TestSleepAndWaking(t *testing.T) {
	p := newPlane(t)
	s := p.serving("app", "dev_zero")
	idle := quiet(s)
	s.measure(0, idle)
	used := idle
	used.LastUse = p.clock().Add(10 * time.Minute)
	if r := s.measure(16*time.Minute, used); r.Asleep || s.due() {
		t.Fatalf("used six minutes ago: %+v", r)
	}
	running := used
	running.Running = 1
	if r := s.measure(time.Hour, running); r.Asleep {
		t.Fatal("it sleeps over a run")
	}
	generation := s.row().Generation
	if r := s.measure(time.Minute, used); !r.Asleep || !s.due() {
		t.Fatalf("idle: %+v, due %t", r, s.due())
	}
	if d := s.row(); d.Generation == generation || d.Health.State != slipway.Asleep || d.Health.Reason == "" {
		t.Errorf("asleep: %+v", d)
	}
	s.lease = p.acquire(s.id)
	s.rest()
	s.measure(time.Hour, slipway.Sample{})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := p.Rouse(t.Context(), s.id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d := s.row(); d.Running.Asleep || d.Running.Woken != 1 || d.Health.State != slipway.Healthy || !s.due() {
		t.Errorf("woken by several at once: %+v %+v, due %t", d.Running, d.Health, s.due())
	}
	if r := s.measure(time.Minute, idle); r.Asleep {
		t.Error("it sleeps again at once")
	}
	if r := s.measure(15*time.Minute, idle); !r.Asleep {
		t.Error("it does not sleep again")
	}
}

// A new revision serves before it sleeps.
func TestANewRevisionIsAwake(t *testing.T) {
	p := newPlane(t)
	s := p.serving("app", "serverless")
	idle := quiet(s)
	s.measure(0, idle)
	if !s.measure(time.Hour, idle).Asleep {
		t.Fatal("it does not sleep")
	}
	r := p.push(s.id)
	s.lease = p.acquire(s.id)
	if !s.row().Running.Asleep {
		t.Error("it is woken by what is not there yet")
	}
	p.deploy(s.lease, r.ID)
	if s.row().Running.Asleep {
		t.Error("the new revision sleeps")
	}
	if s.measure(time.Second, idle).Asleep || !s.measure(15*time.Minute, idle).Asleep {
		t.Error("it does not sleep when its time has come")
	}
}

func TestRouseOfWhatIsNot(t *testing.T) {
	p := newPlane(t)
	s := p.serving("app", "dev_zero")
	before := s.row()
	must(t, p.Rouse(t.Context(), s.id))
	if after := s.row(); after.Version != before.Version {
		t.Errorf("what is awake is written: %+v", after)
	}
	if err := p.Rouse(t.Context(), slipway.NewID[slipway.DeploymentID](p.clock())); err == nil {
		t.Error("what is not there is woken")
	}
}
