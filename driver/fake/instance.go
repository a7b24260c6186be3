package fake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway"
)

type instance struct {
	id         slipway.InstanceID
	deployment slipway.DeploymentID

	// turn is held over the steps of Apply and Delete; it is taken before mu.
	turn sync.Mutex

	mu      sync.Mutex
	attempt int
	keeps   bool // it opens no state
	run     *run // nil when nothing runs
	exit    *slipway.Exit
	written []byte // by attempts that have ended
}

func (in *instance) current() *run {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run
}

func (in *instance) begin(r *run, w slipway.Workload) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.run, in.attempt, in.keeps, in.exit = r, w.Attempt, w.Keeps, nil
}

// hasState says whether it may have the state of its deployment open.
func (in *instance) hasState() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run != nil && !in.keeps && !in.run.standsBy() && !isClosed(in.run.yielded)
}

func (in *instance) finish(r *run, e slipway.Exit) {
	in.mu.Lock()
	defer in.mu.Unlock()
	e.At = time.Now()
	in.run, in.exit = nil, &e
	in.written = append(in.written, r.output()...)
}

func (in *instance) output() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	text := append([]byte(nil), in.written...)
	if in.run != nil {
		text = append(text, in.run.output()...)
	}
	return text
}

func (in *instance) observed() slipway.Observed {
	in.mu.Lock()
	defer in.mu.Unlock()
	o := slipway.Observed{Instance: in.id, Deployment: in.deployment, Attempt: in.attempt, Phase: slipway.PhaseAbsent}
	switch {
	case in.run != nil:
		o.Phase, o.Address = slipway.PhaseRunning, in.run.address
		o.StandsBy, o.Yielded = in.run.standsBy(), isClosed(in.run.yielded)
	case in.exit != nil:
		e := *in.exit
		o.Phase, o.Exit = slipway.PhaseExited, &e
	}
	return o
}

// run is one attempt.
type run struct {
	Behaviour
	address string
	server  *http.Server
	closed  chan struct{} // once the server has let go of its port
	cancel  context.CancelCauseFunc
	asked   context.Context // its cause is the exit that was asked for
	ended   chan struct{}   // closed once the end is recorded
	yielded chan struct{}   // closed once its state is closed for good
	killed  chan struct{}   // closed when it is not to linger any more
	kill    func()          // ends it, whatever it was asked before

	// released is closed once it may open its state; open does that, once.
	released chan struct{}
	release  func()
}

// exitCause is an exit on its way through a context.
type exitCause slipway.Exit

func (e exitCause) Error() string { return "asked to end" }

var (
	drained = slipway.Exit{Code: 0}
	killed  = slipway.Exit{Code: 137, Signal: "SIGKILL"}
)

func newRun(b Behaviour, w slipway.Workload, open func()) (*run, error) {
	own := fmt.Sprintf("127.0.0.1:%d", w.Port)
	r := &run{
		Behaviour: b, address: cmp.Or(b.Address, own), ended: make(chan struct{}), closed: make(chan struct{}),
		released: make(chan struct{}), yielded: make(chan struct{}), killed: make(chan struct{}),
	}
	r.asked, r.cancel = context.WithCancelCause(context.Background())
	r.kill = sync.OnceFunc(func() {
		r.end(killed)
		close(r.killed)
	})
	r.release = sync.OnceFunc(func() {
		open()
		close(r.released)
	})
	if b.Handler == nil {
		return r, nil
	}
	l, err := net.Listen("tcp", own)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "start", Code: "port_in_use",
			Message: fmt.Sprintf("Port %d is in use.", w.Port),
		}
	}
	if err != nil {
		return nil, err
	}
	r.server = &http.Server{Handler: b.Handler, BaseContext: func(net.Listener) context.Context { return r.asked }}
	go r.serve(l)
	return r, nil
}

// serve holds the port from the start on, but answers only once it is released
// and ready.
func (r *run) serve(l net.Listener) {
	defer close(r.closed)
	for _, awaited := range []<-chan struct{}{r.released, r.Ready} {
		if awaited == nil {
			continue
		}
		select {
		case <-awaited:
		case <-r.asked.Done():
		}
	}
	_ = r.server.Serve(l)
}

func (r *run) listens() bool {
	if r.Handler == nil && r.Address == "" || r.standsBy() || isClosed(r.yielded) {
		return false
	}
	return r.Ready == nil || isClosed(r.Ready)
}

// standsBy says whether it waits to be released.
func (r *run) standsBy() bool { return !isClosed(r.released) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (r *run) output() []byte {
	if r.Output == nil {
		return nil
	}
	return r.Output()
}

// end asks for the end; the first reason counts.
func (r *run) end(e slipway.Exit) { r.cancel(exitCause(e)) }

// drain lets requests in progress finish; their context is done. A deaf attempt
// goes on. It returns when what is awaited has come, or with ctx, and says which.
func (r *run) drain(ctx context.Context, awaited <-chan struct{}) bool {
	if !r.Deaf {
		r.end(drained)
	}
	select {
	case <-awaited:
		return true
	case <-ctx.Done():
		return false
	}
}

// wait returns how the attempt ended, once nothing of it is left.
func (r *run) wait() slipway.Exit {
	e := r.shut()
	close(r.yielded)
	if e != drained || r.Lingers == 0 {
		return e
	}
	rest := time.NewTimer(r.Lingers)
	defer rest.Stop()
	select {
	case <-rest.C:
		return e
	case <-r.killed:
		return killed
	}
}

// shut returns how the attempt ends, once it has let go of its port and its state.
func (r *run) shut() slipway.Exit {
	var e slipway.Exit
	select {
	case e = <-r.Exit:
	case <-r.asked.Done():
		e = slipway.Exit(context.Cause(r.asked).(exitCause))
	}
	if r.server == nil {
		return e
	}
	r.end(e)
	if e == drained {
		_ = r.server.Shutdown(context.Background())
	}
	_ = r.server.Close()
	<-r.closed // a server that was closed before it served closes its port then
	return e
}
