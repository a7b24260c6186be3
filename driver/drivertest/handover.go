package drivertest

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// handovers are the cases of what hands state from one instance to the next.
var handovers = []testCase{
	{name: "an instance stands by", standsBy: true, run: standsBy},
	{name: "what stands by is adopted", standsBy: true, run: standsByIsAdopted},
	{name: "what stands by can be stopped", standsBy: true, run: standsByStops},
	{name: "Release of what does not stand by", run: releaseOfOthers},
	{name: "Yield", standsBy: true, run: yields},
	{name: "Yield of what ends with its state", run: yieldsAndEnds},
	{name: "Yield of the deaf", run: yieldKills},
	{name: "Runs of what does not run", run: runsOfNothing},
	{name: "Runs are told", standsBy: true, processes: true, run: runsAreTold},
	{name: "state stays closed until the release", standsBy: true, processes: true, state: true, run: stateStaysClosed},
	{name: "Snapshot and Restore", state: true, run: snapshotAndRestore},
	{name: "Snapshot of what was never written", state: true, run: snapshotOfNothing},
	{name: "Snapshot of what had no state", state: true, run: snapshotBeforeState},
	{name: "Snapshot only of closed state", standsBy: true, state: true, run: snapshotOfClosedState},
	{name: "Snapshot of what was yielded", standsBy: true, state: true, run: snapshotOfYielded},
	{name: "Discard and Purge of snapshots", state: true, run: snapshotsGo},
}

func (p *place) standsBy(w slipway.Workload) slipway.Observed {
	p.Helper()
	p.apply(w)
	var o slipway.Observed
	testsignal.Until(p, "that it stands by", func() bool {
		o = p.inspect(w)
		return o.StandsBy
	})
	return o
}

func (p *place) release(w slipway.Workload) {
	p.Helper()
	if err := p.driver.Release(p.Context(), w.Deployment, w.Instance); err != nil {
		p.Fatalf("Release: %v", err)
	}
}

// answers waits for the first answer of what was applied.
func (p *place) answers(o slipway.Observed) {
	p.Helper()
	testsignal.Until(p, "the first answer", func() bool {
		status, _ := p.request(http.MethodGet, o, "/ok")
		return status == http.StatusOK
	})
}

func standsBy(p *place) {
	w := p.workload()
	w.StandBy = true
	o := p.standsBy(w)
	if o.Phase != slipway.PhaseRunning || p.listens(w) {
		p.Errorf("before the release: %+v, listens %t", o, p.listens(w))
	}
	p.release(w)
	p.answers(o)
	if o := p.inspect(w); o.StandsBy || !p.listens(w) {
		p.Errorf("after the release: %+v", o)
	}
	p.release(w)
	p.get(o, "/ok")
}

func standsByIsAdopted(p *place) {
	w := p.workload()
	w.StandBy = true
	p.standsBy(w)
	p.reopen()
	o := p.inspect(w)
	if !o.StandsBy || p.listens(w) {
		p.Fatalf("adopted: %+v", o)
	}
	p.release(w)
	p.reopen()
	p.answers(o)
	if o := p.inspect(w); o.StandsBy {
		p.Errorf("released and adopted: %+v", o)
	}
}

func standsByStops(p *place) {
	w := p.workload()
	w.StandBy = true
	p.standsBy(w)
	p.stop(w, time.Minute)
	if o := p.exited(w); o.StandsBy || o.Exit.Code != 0 || o.Exit.Signal != "" {
		p.Errorf("it ended with %+v", o.Exit)
	}
}

func releaseOfOthers(p *place) {
	w := p.workload()
	p.release(w) // there is none
	o := p.serve(w)
	p.release(w)
	if o := p.inspect(w); o.StandsBy {
		p.Errorf("it serves, and is seen as %+v", o)
	}
	p.get(o, "/ok")
	p.stop(w, time.Minute)
	p.release(w)
}

func (p *place) yield(w slipway.Workload, grace time.Duration) {
	p.Helper()
	if err := p.driver.Yield(p.Context(), w.Deployment, w.Instance, grace); err != nil {
		p.Fatalf("Yield: %v", err)
	}
}

func yields(p *place) {
	w := p.workload("-linger")
	if o := p.serve(w); o.Yielded {
		p.Errorf("it serves, and is seen as %+v", o)
	}
	for range 2 {
		p.yield(w, time.Minute)
		if o := p.inspect(w); o.Phase != slipway.PhaseRunning || !o.Yielded || o.StandsBy || p.listens(w) {
			p.Errorf("it yielded, and is seen as %+v, listens %t", o, p.listens(w))
		}
		p.reopen() // what comes next knows it as well
	}
	if o := p.inspect(w); !o.Yielded {
		p.Errorf("it yielded and was adopted: %+v", o)
	}
	p.stop(w, 0)
	if o := p.exited(w); o.Yielded || o.Exit.Signal != "SIGKILL" {
		p.Errorf("it ended with %+v", o)
	}
	p.yield(w, time.Minute)
	w.Attempt++
	if o := p.serve(w); o.Yielded {
		p.Errorf("another attempt is seen as %+v", o)
	}
}

func yieldsAndEnds(p *place) {
	w := p.workload()
	p.yield(w, time.Minute) // there is none
	p.serve(w)
	p.yield(w, time.Minute)
	if o := p.inspect(w); o.Phase != slipway.PhaseExited && !o.Yielded {
		p.Errorf("it yielded, and is seen as %+v", o)
	}
	p.stop(w, time.Minute)
	if o := p.exited(w); o.Exit.Code != 0 || o.Exit.Signal != "" {
		p.Errorf("it ended with %+v", o.Exit)
	}
}

func yieldKills(p *place) {
	w := p.workload("-deaf")
	p.serve(w)
	p.yield(w, 0)
	if o := p.exited(w); o.Exit.Signal != "SIGKILL" {
		p.Errorf("it ended with %+v", o.Exit)
	}
}

func runsOfNothing(p *place) {
	w := p.workload()
	if runs, err := p.driver.Runs(p.Context(), w.Deployment, w.Instance); !errors.Is(err, slipway.ErrUntold) {
		p.Errorf("Runs of an unknown one = %+v, %v", runs, err)
	}
	p.serve(w)
	p.stop(w, time.Minute)
	if runs, err := p.driver.Runs(p.Context(), w.Deployment, w.Instance); !errors.Is(err, slipway.ErrUntold) {
		p.Errorf("Runs of one that has ended = %+v, %v", runs, err)
	}
}

func runsAreTold(p *place) {
	w := p.workload()
	o := p.serve(w)
	runs := func() slipway.Runs {
		r, err := p.driver.Runs(p.Context(), w.Deployment, w.Instance)
		if err != nil {
			p.Fatalf("Runs: %v", err)
		}
		return r
	}
	if r := runs(); r.Running != 0 || r.Workers == 0 {
		p.Errorf("at rest: %+v", r)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.request(http.MethodGet, o, "/wait")
	}()
	testsignal.Until(p, "its run", func() bool { return runs().Running == 1 })
	p.stop(w, time.Minute)
	<-ended
}

func stateStaysClosed(p *place) {
	first := p.workload()
	first.Stateful = true
	p.serve(first)
	second := p.workload()
	second.Deployment, second.Stateful, second.StandBy = first.Deployment, true, true
	o := p.standsBy(second)
	opened := filepath.Join(p.world.State(first.Deployment), "opened")
	if n := strings.Count(p.read(opened), "\n"); n != 1 {
		p.Errorf("%d have opened the state", n)
	}
	p.stop(first, time.Minute)
	p.release(second)
	p.answers(o)
	if n := strings.Count(p.read(opened), "\n"); n != 2 {
		p.Errorf("%d have opened the state", n)
	}
}

func (p *place) read(path string) string {
	p.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		p.Fatal(err)
	}
	return string(text)
}

// stateOf makes a deployment with state, of which nothing runs, and says where a
// file of it lies: that may change with each Restore.
func (p *place) stateOf(files map[string]string) (slipway.DeploymentID, func(name string) string) {
	p.Helper()
	w := p.workload()
	w.Stateful = true
	p.serve(w)
	p.stop(w, time.Minute)
	p.try(p.delete(w))
	at := func(name string) string { return filepath.Join(p.world.State(w.Deployment), name) }
	for name, text := range files {
		p.try(os.MkdirAll(filepath.Dir(at(name)), 0o700))
		p.try(os.WriteFile(at(name), []byte(text), 0o640))
	}
	return w.Deployment, at
}

func (p *place) snapshot(d slipway.DeploymentID, name string) {
	p.Helper()
	if err := p.driver.Snapshot(p.Context(), d, name); err != nil {
		p.Fatalf("Snapshot: %v", err)
	}
}

func (p *place) restore(d slipway.DeploymentID, name string) {
	p.Helper()
	if err := p.driver.Restore(p.Context(), d, name); err != nil {
		p.Fatalf("Restore: %v", err)
	}
}

func snapshotAndRestore(p *place) {
	d, at := p.stateOf(map[string]string{"threads": "one", "deep/er/runs": "two"})
	p.try(os.Symlink("threads", at("link")))
	p.snapshot(d, "first")
	change := func(text string) {
		f, err := os.OpenFile(at("threads"), os.O_WRONLY|os.O_TRUNC, 0) // in place
		p.try(err)
		_, err = f.WriteString(text)
		p.try(errors.Join(err, f.Close(), os.WriteFile(at("added"), nil, 0o600), os.RemoveAll(at("deep"))))
	}
	change("changed")
	p.snapshot(d, "first") // it is there
	for range 2 {          // the snapshot stays
		p.restore(d, "first")
		if text := p.read(at("threads")) + p.read(at("link")) + p.read(at("deep/er/runs")); text != "oneonetwo" {
			p.Errorf("restored: %q", text)
		}
		if _, err := os.Lstat(at("added")); err == nil {
			p.Error("what was added is left")
		}
		if info, err := os.Stat(at("threads")); err != nil || info.Mode().Perm() != 0o640 {
			p.Errorf("permissions of the file: %v, %v", info, err)
		}
		change("changed again")
	}
	p.reopen()
	p.restore(d, "first")
	if p.driver.Restore(p.Context(), d, "second") == nil {
		p.Error("a snapshot was restored that was never taken")
	}
	if text := p.read(at("threads")); text != "one" {
		p.Errorf("after that: %q", text)
	}
	for _, name := range []string{"", ".", "../state", "a/b"} {
		if p.driver.Snapshot(p.Context(), d, name) == nil {
			p.Errorf("a snapshot named %q", name)
		}
	}
}

func snapshotOfNothing(p *place) {
	p.snapshot(newID[slipway.DeploymentID](), "first") // of what has no state at all
	d, at := p.stateOf(nil)
	p.try(os.Remove(at("opened"))) // the stand-in's
	p.snapshot(d, "first")
	p.try(os.WriteFile(at("added"), nil, 0o600))
	p.restore(d, "first")
	if left, err := os.ReadDir(at("")); err != nil || len(left) > 0 {
		p.Errorf("restored: %v, %v", left, err)
	}
	p.try(p.driver.Purge(p.Context(), d))
}

// snapshotBeforeState is of a deployment whose first instance with state comes
// after it: that may fail, and leave nothing to the next.
func snapshotBeforeState(p *place) {
	w := p.workload()
	w.Stateful = true
	p.snapshot(w.Deployment, "first")
	p.reopen()
	p.snapshot(w.Deployment, "first")
	p.serve(w)
	p.stop(w, time.Minute)
	at := func(name string) string { return filepath.Join(p.world.State(w.Deployment), name) }
	p.try(os.WriteFile(at("threads"), []byte("of who failed"), 0o600))
	for range 2 {
		p.restore(w.Deployment, "first")
		if left, err := os.ReadDir(at("")); err != nil || len(left) > 0 {
			p.Errorf("restored: %v, %v", left, err)
		}
	}
	for range 2 {
		p.try(p.driver.Discard(p.Context(), w.Deployment, "first"))
	}
	w.Attempt++
	p.serve(w) // the new state is as good as the old one
	if n := strings.Count(p.read(at("opened")), "\n"); n != 1 {
		p.Errorf("%d have opened the state", n)
	}
}

func snapshotOfClosedState(p *place) {
	first := p.workload()
	first.Stateful = true
	p.serve(first)
	second := p.workload()
	second.Deployment, second.Stateful, second.StandBy = first.Deployment, true, true
	p.standsBy(second)
	if p.driver.Snapshot(p.Context(), first.Deployment, "early") == nil {
		p.Error("a snapshot of what is being written")
	}
	p.stop(first, time.Minute)
	p.snapshot(first.Deployment, "late")
}

func snapshotOfYielded(p *place) {
	first := p.workload("-linger")
	first.Stateful = true
	p.serve(first)
	p.yield(first, time.Minute)
	p.reopen()
	p.snapshot(first.Deployment, "beside")
	second := p.workload()
	second.Deployment, second.Stateful, second.StandBy = first.Deployment, true, true
	o := p.standsBy(second)
	p.release(second)
	p.answers(o)
	if o := p.inspect(first); o.Phase != slipway.PhaseRunning {
		p.Errorf("the first one: %+v", o)
	}
	if p.driver.Snapshot(p.Context(), first.Deployment, "late") == nil {
		p.Error("a snapshot of what is being written")
	}
	p.stop(first, 0)
}

func snapshotsGo(p *place) {
	d, at := p.stateOf(map[string]string{"threads": "one"})
	p.snapshot(d, "first")
	p.snapshot(d, "second")
	for range 2 {
		p.try(p.driver.Discard(p.Context(), d, "first"))
	}
	if p.driver.Restore(p.Context(), d, "first") == nil {
		p.Error("a discarded snapshot was restored")
	}
	p.restore(d, "second")
	for range 2 {
		p.try(p.driver.Purge(p.Context(), d))
	}
	if _, err := os.Lstat(at("")); err == nil {
		p.Error("Purge left the state")
	}
	_ = p.driver.Restore(p.Context(), d, "second") // nothing, or an error
	if _, err := os.Lstat(at("threads")); err == nil {
		p.Error("Purge left a snapshot")
	}
	p.try(p.driver.Purge(p.Context(), d))
}
