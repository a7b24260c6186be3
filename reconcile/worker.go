package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/backoff"
)

// holdFor is how long a worker keeps its lease while it waits: taking it anew
// costs more.
const holdFor = time.Second

var retryBackoff = backoff.Exponential{First: 100 * time.Millisecond, Most: 15 * time.Second}

// worker works on one deployment under one lease.
type worker struct {
	*Reconciler
	lease   slipway.Lease
	claimed int64 // generation at the claim
	a       slipway.Assignment
	log     *slog.Logger

	wake  chan struct{} // holds one nudge
	again bool          // somebody nudged too late

	stepMu  sync.Mutex
	endStep func() // cancels the step that is being taken
	stale   bool   // something else is wanted than the assignment says

	started  map[slipway.InstanceID]time.Time
	build    *buildTask
	ending   <-chan struct{} // closed when the build ends that the last look saw run, else nil
	failures int             // of steps in a row
	refused  int             // ports in a row that strangers held
	said     saying
}

// saying is what was last logged of the steps.
type saying struct {
	do       verb
	instance slipway.InstanceID
	why      string
}

func newWorker(r *Reconciler, c slipway.Claim) *worker {
	return &worker{
		Reconciler: r, lease: c.Lease, claimed: c.Assignment.Deployment.Generation, a: c.Assignment,
		log:     r.config.Logger.With(slog.String("deployment", string(c.Lease.Deployment))),
		wake:    make(chan struct{}, 1),
		started: map[slipway.InstanceID]time.Time{},
	}
}

// nudge has the worker look again soon.
func (w *worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run takes step after step until there is nothing to do.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { w.keep(ctx, cancel) })
	defer keeper.Wait()
	defer cancel()
	defer w.endBuild()
	for {
		next, err := w.pass(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, slipway.ErrLeaseLost):
			return // what was begun is found by the next pass, whoever makes it
		case err != nil:
			next = w.retry(err)
		default:
			w.failures = 0
		}
		if w.rests(next) {
			w.release(ctx, next)
			return
		}
		w.wait(ctx, next)
	}
}

// keep holds the lease as long as the worker lives. When something else is
// wanted it interrupts the step that is being taken, and when the lease is lost
// it ends the worker.
func (w *worker) keep(ctx context.Context, lose func()) {
	seen := w.claimed
	for ctx.Err() == nil {
		generation, err := w.sync.Keep(ctx, w.lease, seen)
		switch {
		case err == nil:
			seen = generation
			w.interrupt()
		case errors.Is(err, slipway.ErrLeaseLost):
			lose()
		case ctx.Err() == nil:
			w.log.Warn("lease not kept", slog.Any("error", err))
			pause(ctx, time.Second)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// interrupt has the assignment read anew, and ends the step that is being
// taken: it is idempotent and, if it is still wanted, goes on.
func (w *worker) interrupt() {
	w.stepMu.Lock()
	defer w.stepMu.Unlock()
	w.stale = true
	if w.endStep != nil {
		w.endStep()
	}
	w.nudge()
}

// begin returns the context of a step. It has ended already if something else
// has been wanted since the assignment was read.
func (w *worker) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.stepMu.Lock()
	defer w.stepMu.Unlock()
	w.endStep = cancel
	if w.stale {
		cancel()
	}
	return ctx, cancel
}

// when says when a worker looks again. The zero value is: when something
// changes.
type when struct {
	at  time.Time
	now bool
}

// pass looks once and takes one step, which is cancelled when something else is
// wanted.
func (w *worker) pass(ctx context.Context) (when, error) {
	if err := w.catchUp(ctx); err != nil {
		return when{}, err
	}
	world, err := w.look(ctx)
	if err != nil {
		return when{}, err
	}
	w.route(world)
	w.cancelUnwantedBuild()
	s := next(world)
	w.say(s)
	if s.do == rest {
		return when{at: s.at}, nil
	}
	ctx, end := w.begin(ctx)
	defer end()
	return w.take(ctx, s)
}

// say logs a step, once while it is repeated.
func (w *worker) say(s step) {
	if said := (saying{s.do, s.instance.ID, s.why}); said != w.said {
		w.said = said
		w.log.Debug("step", slog.String("step", string(s.do)), slog.String("why", s.why), slog.String("instance", string(s.instance.ID)))
	}
}

// catchUp reads the assignment anew if something else is wanted.
func (w *worker) catchUp(ctx context.Context) error {
	w.stepMu.Lock()
	stale := w.stale
	w.stale = false
	w.stepMu.Unlock()
	if !stale {
		return nil
	}
	if err := w.report(ctx); err != nil {
		w.interrupt()
		return err
	}
	return nil
}

// report tells the control plane, and takes over how it sees things then.
func (w *worker) report(ctx context.Context, events ...slipway.Event) error {
	a, err := w.sync.Report(ctx, w.lease, events...)
	if err == nil {
		w.a = a
	}
	return err
}

func (w *worker) look(ctx context.Context) (world, error) {
	seen, err := w.observe(ctx, w.a)
	if err != nil {
		return world{}, err
	}
	for id, o := range seen.seen {
		if _, known := w.started[id]; o.Phase == slipway.PhaseRunning && !known {
			w.started[id] = seen.now
		}
	}
	seen.started, seen.build = w.started, w.build.outcome()
	w.ending = nil
	if seen.build != nil && !seen.build.done {
		w.ending = w.build.end
	}
	return seen, nil
}

func (w *worker) route(world world) {
	if r, ok := routeFor(world); ok {
		w.router.Route(r)
	} else {
		w.router.Unroute(w.a.Deployment.ID)
	}
}

// retry says when to try a step again that failed for a reason that may pass.
func (w *worker) retry(err error) when {
	if errors.Is(err, context.Canceled) {
		return when{now: true} // something else is wanted
	}
	w.failures++
	wait := retryBackoff.After(w.failures)
	w.log.Warn("step failed, it is tried again", slog.Any("error", err), slog.Duration("in", wait))
	return when{at: w.config.Now().Add(wait)}
}

// rests says whether the lease can be given back meanwhile. What counts is the
// build as the pass saw it: one that has ended since has not been settled.
func (w *worker) rests(n when) bool {
	if n.now || w.ending != nil || len(w.wake) > 0 {
		return false
	}
	return n.at.IsZero() || n.at.Sub(w.config.Now()) > holdFor
}

func (w *worker) release(ctx context.Context, n when) {
	err := w.sync.Release(ctx, w.lease, w.a.Deployment.Generation, n.at)
	if err != nil && ctx.Err() == nil && !errors.Is(err, slipway.ErrLeaseLost) {
		w.log.Warn("lease not given back, it runs out by itself", slog.Any("error", err))
	}
}

// wait sleeps until something happens or it is time.
func (w *worker) wait(ctx context.Context, n when) {
	if n.now {
		return
	}
	var alarm <-chan time.Time
	if !n.at.IsZero() {
		timer := time.NewTimer(max(0, n.at.Sub(w.config.Now())))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-w.ending:
	case <-alarm:
	}
}

// withFailure turns a final failure of a step into the end of the revision.
func withFailure(r *slipway.Revision, err error) ([]slipway.Event, bool) {
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || r == nil {
		return nil, false
	}
	return []slipway.Event{slipway.RevisionFailed{Revision: r.ID, Failure: *f}}, true
}

func (w *worker) failed(ctx context.Context, r *slipway.Revision, doing string, err error) error {
	if events, ok := withFailure(r, err); ok && r.Status.InProgress() {
		return w.report(ctx, events...)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
