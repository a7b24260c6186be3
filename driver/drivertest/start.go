package drivertest

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func startsAndServes(p *place) {
	w := p.workload()
	if o := p.inspect(w); o.Phase != slipway.PhaseAbsent {
		p.Errorf("before Apply: %+v", o)
	}
	o := p.serve(w)
	want := slipway.Observed{
		Instance: w.Instance, Deployment: w.Deployment, Attempt: 1, Phase: slipway.PhaseRunning, Address: o.Address,
	}
	if o != want || p.inspect(w) != want {
		p.Errorf("Apply = %+v, Inspect = %+v, want %+v", o, p.inspect(w), want)
	}
	if !p.listens(w) {
		p.Error("it serves, but does not listen")
	}
}

func applyIsIdempotent(p *place) {
	w := p.workload()
	first := p.serve(w)
	birth := p.birth(first)
	for range 3 {
		if again := p.apply(w); again != first {
			p.Errorf("applied again: %+v, want %+v", again, first)
		}
	}
	if p.birth(first) != birth {
		p.Error("applied again, it was started again")
	}
}

// birth tells a process from every other.
func (p *place) birth(o slipway.Observed) string {
	if !p.world.Processes {
		return ""
	}
	return p.get(o, "/birth")
}

func applyAtOnce(p *place) {
	w := p.workload()
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if o, err := p.driver.Apply(p.Context(), w); err != nil || o.Phase != slipway.PhaseRunning {
				p.Errorf("Apply = %+v, %v", o, err)
			}
		})
	}
	calls.Wait()
	p.serve(w)
	p.stop(w, 0)
	if list, err := p.driver.List(p.Context()); len(list) != 1 || err != nil {
		p.Errorf("List = %+v, %v", list, err)
	}
}

func twoInstances(p *place) {
	one, two := p.workload(), p.workload()
	two.Deployment = one.Deployment
	a, b := p.serve(one), p.serve(two)
	p.stop(one, 0)
	if !p.listens(two) || p.inspect(two).Phase != slipway.PhaseRunning {
		p.Error("the second ended with the first")
	}
	if a.Address == b.Address {
		p.Errorf("both at %s", a.Address)
	}
}

func muteAgent(p *place) {
	w := p.workload("-mute", "-print=mute")
	p.apply(w)
	testsignal.Until(p, "its output", func() bool { return p.output(w, 0, 100) != "" })
	if p.listens(w) {
		p.Error("it is said to listen")
	}
}

func startFails(p *place) {
	w := p.workload()
	good := w
	if w.Args, w.Image = []string{"/nonexistent/agent"}, p.world.BrokenImage; w.Image != "" {
		w.Args = nil
	}
	_, err := p.driver.Apply(p.Context(), w)
	f := p.failure(err, "cannot_start")
	if !strings.Contains(f.Message, "/nonexistent/agent") {
		p.Errorf("the message does not name the program: %s", f.Message)
	}
	if o := p.inspect(w); o.Phase == slipway.PhaseRunning {
		p.Errorf("it runs: %+v", o)
	}
	p.serve(good)
}

// failure checks that an error is final and for the caller.
func (p *place) failure(err error, code string) *slipway.Failure {
	p.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != code || f.Phase != slipway.PhaseDeploy || f.Step != "start" || f.Message == "" {
		p.Fatalf("got %#v (%v), want a Failure with code %s", err, err, code)
	}
	return f
}

func portInUse(p *place) {
	w := p.workload()
	stranger, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", w.Port))
	if err != nil {
		p.Fatal(err)
	}
	defer stranger.Close()
	_, err = p.driver.Apply(p.Context(), w)
	f := p.failure(err, "port_in_use")
	if !strings.Contains(f.Message, fmt.Sprint(w.Port)) {
		p.Errorf("the message does not name the port: %s", f.Message)
	}
	if p.listens(w) {
		p.Error("the stranger's socket is taken for the instance's")
	}
	stranger.Close()
	p.serve(w)
}

func badIDs(p *place) {
	for _, bad := range []string{"", "..", "../../etc", "a/b", strings.ToUpper(string(newID[slipway.InstanceID]()))} {
		w := p.workload()
		w.Instance = slipway.InstanceID(bad)
		p.refuses(w)
		w = p.workload()
		w.Deployment = slipway.DeploymentID(bad)
		p.refuses(w)
		if p.driver.Purge(p.Context(), w.Deployment) == nil {
			p.Errorf("Purge takes %q", bad)
		}
	}
}

func (p *place) refuses(w slipway.Workload) {
	p.Helper()
	_, err1 := p.driver.Apply(p.Context(), w)
	_, err2 := p.driver.Inspect(p.Context(), w.Deployment, w.Instance)
	_, err3 := p.driver.Output(p.Context(), w.Deployment, w.Instance, 0, 1)
	err4 := p.driver.Stop(p.Context(), w.Deployment, w.Instance, 0)
	err5 := p.driver.Delete(p.Context(), w.Deployment, w.Instance)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err == nil {
			p.Errorf("%q of %q is taken", w.Instance, w.Deployment)
		}
	}
}
