package drivertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func crash(p *place) {
	exits := p.driver.Exits(p.Context())
	w := p.workload()
	o := p.serve(w)
	p.post(o, "/print?line=last+words")
	p.post(o, "/exit?code=3")
	if id := testsignal.Receive(p, "the signal of the exit", exits); id != w.Deployment {
		p.Errorf("exit of %s, want %s", id, w.Deployment)
	}
	o = p.exited(w)
	if o.Exit.Code != 3 || o.Exit.Signal != "" || o.Exit.Reason != "last words" || time.Since(o.Exit.At) > time.Minute {
		p.Errorf("exit = %+v", o.Exit)
	}
	if p.listens(w) {
		p.Error("it listens still")
	}
}

func crashAtOnce(p *place) {
	w := p.workload("-exit=7", "-print=no graph")
	p.apply(w)
	o := p.exited(w)
	if o.Exit.Code != 7 || o.Exit.Reason != "no graph" {
		p.Errorf("exit = %+v", o.Exit)
	}
}

func anotherAttempt(p *place) {
	w := p.workload()
	p.post(p.serve(w), "/exit?code=3")
	p.exited(w)
	if o := p.apply(w); o.Phase != slipway.PhaseExited || o.Attempt != 1 {
		p.Errorf("the attempt was started again: %+v", o)
	}
	w.Attempt = 2
	if o := p.serve(w); o.Phase != slipway.PhaseRunning || o.Attempt != 2 || o.Exit != nil {
		p.Errorf("the next attempt: %+v", o)
	}
	w.Attempt = 1
	if o := p.apply(w); o.Phase != slipway.PhaseRunning || o.Attempt != 2 {
		p.Errorf("an older attempt: %+v", o)
	}
	w.Attempt = 3
	if o := p.serve(w); o.Attempt != 3 {
		p.Errorf("an attempt while the one before runs: %+v", o)
	}
}

func slowListener(p *place) {
	exits := p.driver.Exits(p.Context())
	missing := map[slipway.DeploymentID]bool{}
	for range 5 {
		w := p.workload("-exit=1")
		missing[w.Deployment] = true
		p.apply(w)
		p.exited(w)
		w.Attempt = 2
		p.apply(w)
		p.exited(w)
	}
	for len(missing) > 0 {
		delete(missing, testsignal.Receive(p, "the exits so far", exits))
	}
}

func exitsEnd(p *place) {
	ctx, cancel := context.WithCancel(p.Context())
	exits := p.driver.Exits(ctx)
	cancel()
	testsignal.Receive(p, "the end of the channel", exits)
}

func adoption(p *place) {
	w := p.workload()
	before := p.serve(w)
	birth := p.birth(before)
	p.reopen()
	if o := p.inspect(w); o != before {
		p.Fatalf("after a restart %+v, before %+v", o, before)
	}
	if o := p.apply(w); o != before || p.birth(o) != birth {
		p.Errorf("applied after a restart: %+v", o)
	}
	if !p.listens(w) {
		p.Error("it does not listen any more")
	}
	exits := p.driver.Exits(p.Context())
	p.post(before, "/print?line=after+all")
	p.post(before, "/exit?code=3")
	testsignal.Receive(p, "the exit of an adopted agent", exits)
	if e := p.exited(w).Exit; e.Code != 3 && e.Code != -1 || !strings.Contains(e.Reason, "after all") {
		p.Errorf("exit = %+v", e)
	}
}

func unseenExit(p *place) {
	w := p.workload()
	o := p.serve(w)
	p.close()
	p.post(o, "/print?line=nobody+hears")
	p.post(o, "/exit?code=3")
	testsignal.Until(p, "its end", func() bool {
		status, _ := p.request(http.MethodGet, o, "/ok")
		return status == 0
	})
	p.open()
	e := p.exited(w).Exit
	if !strings.Contains(e.Reason, "nobody hears") {
		p.Errorf("reason %q lacks the last lines", e.Reason)
	}
	if e.Code != 3 && (e.Code != -1 || !strings.Contains(e.Reason, "unknown")) {
		p.Errorf("code %d, reason %q: neither known nor said to be unknown", e.Code, e.Reason)
	}
}

func stopDrains(p *place) {
	w := p.workload()
	o := p.serve(w)
	answered := make(chan string, 1)
	begun := make(chan bool, 1)
	go func() { answered <- p.wait(o, begun) }()
	testsignal.Receive(p, "a request in progress", begun)
	p.stop(w, time.Minute)
	if body := testsignal.Receive(p, "its answer", answered); body != "finished" {
		p.Errorf("the request in progress got %q", body)
	}
	if e := p.exited(w).Exit; e.Code != 0 || e.Signal != "" {
		p.Errorf("exit = %+v", e)
	}
}

// wait makes a request that is answered when the agent is told to stop.
func (p *place) wait(o slipway.Observed, begun chan<- bool) string {
	r, err := address.NewRequest(p.Context(), http.MethodGet, o.Address, "/wait", nil)
	if err != nil {
		return err.Error()
	}
	answer, err := client.Do(r)
	begun <- true
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body := make([]byte, 100)
	n, _ := answer.Body.Read(body)
	return strings.TrimSpace(string(body[:n]))
}

func stopKills(p *place) {
	w := p.workload("-deaf")
	p.serve(w)
	p.stop(w, 50*time.Millisecond)
	if e := p.exited(w).Exit; e.Code != 137 || e.Signal != "SIGKILL" {
		p.Errorf("exit = %+v", e)
	}
}

func stopTakesChildren(p *place) {
	w := p.workload()
	o := p.serve(w)
	children := []string{p.fork(w, o, "/fork"), p.fork(w, o, "/fork?own=true")}
	p.stop(w, time.Minute)
	for _, pid := range children {
		p.gone(pid)
	}
	if e := p.exited(w).Exit; e.Code != 0 {
		p.Errorf("exit = %+v", e)
	}
}

func crashTakesChildren(p *place) {
	w := p.workload()
	o := p.serve(w)
	children := []string{p.fork(w, o, "/fork"), p.fork(w, o, "/fork?own=true")}
	p.post(o, "/exit?code=3")
	p.exited(w)
	for _, pid := range children {
		p.gone(pid)
	}
}

// fork has an agent start a child, and returns its pid here.
func (p *place) fork(w slipway.Workload, o slipway.Observed, path string) string {
	pid := p.post(o, path)
	if p.world.PID != nil {
		pid = p.world.PID(p, w, pid)
	}
	if _, err := os.Stat("/proc/" + pid + "/stat"); pid == "" || err != nil {
		p.Fatalf("no child: %v", err)
	}
	return pid
}

// gone checks that a process does not run: at most a zombie is left of it.
func (p *place) gone(pid string) {
	p.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if pid == "" || err == nil && !strings.Contains(string(stat), ") Z ") {
		p.Errorf("process %q runs: %s", pid, stat)
	}
}

func stopIsIdempotent(p *place) {
	w := p.workload()
	p.stop(w, time.Minute) // of nothing
	p.serve(w)
	p.stop(w, time.Minute)
	ended := p.exited(w)
	p.stop(w, time.Minute)
	if again := p.exited(w); *again.Exit != *ended.Exit {
		p.Errorf("stopped again: %+v, was %+v", again.Exit, ended.Exit)
	}
	if o := p.apply(w); o.Phase != slipway.PhaseExited {
		p.Errorf("a stopped attempt was started again: %+v", o)
	}
}

func stopEndsWithContext(p *place) {
	w := p.workload("-deaf")
	p.serve(w)
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Millisecond)
	defer cancel()
	err := p.driver.Stop(ctx, w.Deployment, w.Instance, time.Hour)
	if !errors.Is(err, context.DeadlineExceeded) {
		p.Errorf("Stop = %v", err)
	}
	if o := p.inspect(w); o.Phase != slipway.PhaseRunning {
		p.Errorf("it was killed: %+v", o)
	}
}

func termOnce(p *place) {
	w := p.workload("-deaf")
	p.serve(w)
	for _, reopen := range []bool{false, true, true} {
		if reopen {
			p.reopen()
		}
		ctx, cancel := context.WithTimeout(p.Context(), 20*time.Millisecond)
		_ = p.driver.Stop(ctx, w.Deployment, w.Instance, time.Hour)
		cancel()
	}
	p.stop(w, 100*time.Millisecond)
	p.exited(w)
	if n := strings.Count(p.output(w, 0, 1<<16), "SIGTERM"); n != 1 {
		p.Errorf("it got SIGTERM %d times", n)
	}
}

// unsentStop has an hour pass between two servers: the agent has its time to drain
// all the same.
func unsentStop(p *place) {
	w := p.workload()
	p.serve(w)
	p.close()
	p.world.Unsent(p, w)
	p.open()
	p.stop(w, time.Minute)
	if o := p.exited(w); o.Exit.Code != 0 || o.Exit.Signal != "" {
		p.Errorf("it was ended unasked: %+v", o.Exit)
	}
}

// leftAlone has a neighbour in the same deployment, one in another, and a
// process that is none of ours.
func leftAlone(p *place) {
	w, neighbour, other := p.workload(), p.workload(), p.workload()
	neighbour.Deployment = w.Deployment
	stranger := startStranger(p)
	p.serve(w)
	survivors := []slipway.Observed{p.serve(neighbour), p.serve(other)}
	p.stop(w, 0)
	if err := p.driver.Delete(p.Context(), w.Deployment, w.Instance); err != nil {
		p.Error(err)
	}
	p.reopen()
	for _, o := range survivors {
		p.get(o, "/ok")
	}
	if stranger != nil {
		stranger()
	}
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}
