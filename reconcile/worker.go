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
	"github.com/slipwayhq/slipway/internal/turn"
)

// holdFor is how long a worker keeps its lease while it waits: taking it anew
// costs more.
const holdFor = time.Second

// keptUnasked is for how long nobody asks whether something else is wanted than a
// deletion, which only a restore can be: most deletions are over before.
const keptUnasked = time.Second

var retryBackoff = backoff.Exponential{First: 100 * time.Millisecond, Most: 15 * time.Second}

// deletionBackoff is for what keeps a deletion from its end, which may be there
// until somebody sees to it.
var deletionBackoff = backoff.Exponential{First: 100 * time.Millisecond, Most: 5 * time.Minute}

// worker works on one deployment under one lease.
type worker struct {
	*Reconciler
	*memory
	lease   slipway.Lease
	claimed int64 // generation at the claim
	a       slipway.Assignment
	log     *slog.Logger

	before    *worker // the one whose lease ran out, nil for none
	end       context.CancelFunc
	done      chan struct{} // closed when it has left
	comesBack bool          // it rested until a certain time

	wake chan struct{} // holds one nudge

	stepMu  sync.Mutex
	endStep func() // cancels the step that is being taken
	yields  bool   // the step makes way for a nudge
	stale   bool   // something else is wanted than the assignment says

	build    *buildTask
	building bool            // as the last look saw it
	turn     *turn.Turn      // while it works on a deletion
	waits    bool            // it has a place among those that wait for their first
	unsaid   []slipway.Event // of a deletion, see gone
	over     bool            // the lease ended with a report

	heldSince time.Time // when a hold began for a report that has not been made, zero for none
	said      saying
}

// saying is what was last logged of the steps.
type saying struct {
	do       verb
	instance slipway.InstanceID
	why      string
}

func newWorker(r *Reconciler, c slipway.Claim, end context.CancelFunc) *worker {
	return &worker{
		Reconciler: r, lease: c.Lease, claimed: c.Assignment.Deployment.Generation, a: c.Assignment,
		log:  r.config.Logger.With(slog.String("deployment", string(c.Lease.Deployment))),
		wake: make(chan struct{}, 1),
		end:  end, done: make(chan struct{}),
	}
}

// nudge has the worker look again soon: at once if the step that it takes can
// be gone on with later.
func (w *worker) nudge() {
	w.stepMu.Lock()
	defer w.stepMu.Unlock()
	if w.yields {
		w.endStep()
	}
	w.ring()
}

func (w *worker) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run takes step after step until there is nothing to do.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	deleting := w.a.Deployment.Deleting()
	keeper.Go(func() {
		if deleting {
			pause(ctx, keptUnasked)
		}
		w.keep(ctx, cancel)
	})
	defer keeper.Wait()
	defer cancel()
	defer w.endBuild()
	defer func() { w.turn.Give(); w.waited() }()
	w.takeOver()
	for {
		next, err := w.pass(ctx)
		if ctx.Err() != nil || w.over || errors.Is(err, slipway.ErrLeaseLost) {
			return // what was begun is found by the next pass, whoever makes it
		}
		if err != nil {
			next = when{at: w.config.Now().Add(w.putOff(looking, w.config.Now()))}
			w.warn(looking, err, "deployment not looked at, it is tried again", slog.Time("at", next.at))
		}
		if w.rests(next) {
			w.release(ctx, next)
			return
		}
		if !next.now {
			w.turn.Give()
			w.waited()
		}
		w.wait(ctx, next)
	}
}

// looking is the key of what comes before any step.
const looking = "look"

// takeOver ends the worker that was there before, and takes what it knew.
func (w *worker) takeOver() {
	if w.before != nil {
		w.before.end()
		<-w.before.done
		w.before = nil
	}
	w.memory = w.recall(w.lease.Deployment)
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
	w.ring()
}

// begin returns the context of a step. It has ended already if something else
// has been wanted since the assignment was read, or, of a step that makes way,
// if something has happened since the world was looked at.
func (w *worker) begin(ctx context.Context, s step) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.stepMu.Lock()
	defer w.stepMu.Unlock()
	w.endStep, w.yields = cancel, s.do == drain || s.do == lull || s.do == yield
	if w.stale || w.yields && len(w.wake) > 0 {
		cancel()
	}
	return ctx, func() {
		cancel()
		w.stepMu.Lock()
		defer w.stepMu.Unlock()
		w.endStep, w.yields = nil, false
	}
}

// when says when a worker looks again. The zero value is: when something
// changes.
type when struct {
	at  time.Time
	now bool
}

// pass looks once and takes one step, which is cancelled when something else is
// wanted. Its error is about looking; a step that fails is put off, and others
// are taken meanwhile.
func (w *worker) pass(ctx context.Context) (when, error) {
	w.heard()
	if err := w.catchUp(ctx); err != nil {
		w.endHold(ctx)
		return when{}, err
	}
	w.heldSince = time.Time{} // the look sets the route
	if err := w.takeTurn(ctx); err != nil {
		return when{}, err
	}
	if w.a.Deployment.Deleting() { // it may have been restored since
		ctx = w.turn.Paced(ctx)
	}
	world, err := w.look(ctx)
	if err != nil {
		w.routeUnseen(world)
		return when{}, w.unseen(ctx, err)
	}
	w.memory.done(looking)
	w.route(world)
	w.cancelUnwantedBuild()
	s := next(world)
	w.say(s)
	switch {
	case s.waits():
		w.turn.Give() // others need not wait as well
	case s.do != rest:
	case len(w.unsaid) > 0:
		return when{now: true}, w.report(ctx)
	default:
		return when{at: s.at}, nil
	}
	return when{now: true}, w.tryStep(ctx, s)
}

// takeTurn waits for a turn, if the deployment is being deleted: nobody reaches it
// any more, and nobody waits for the rest.
func (w *worker) takeTurn(ctx context.Context) (err error) {
	if w.a.Deployment.Deleting() && !w.turn.Held() {
		w.turn, err = w.config.Turns.Take(ctx)
	}
	w.waited()
	return err
}

// waited gives back the place among those that wait, if it has one.
func (w *worker) waited() {
	if w.waits {
		w.waits = false
		<-w.waiting
	}
}

// heard takes the nudge that a look answers.
func (w *worker) heard() {
	select {
	case <-w.wake:
	default:
	}
}

// tryStep takes a step. One that fails is put off, and the assignment is read
// anew: it may be wrong, or a report may have arrived whose answer was lost.
func (w *worker) tryStep(ctx context.Context, s step) error {
	ctx, end := w.begin(ctx, s)
	defer end()
	err := w.take(ctx, s)
	switch {
	case err == nil:
		w.memory.done(s.key())
	case errors.Is(err, slipway.ErrLeaseLost):
		return err
	case errors.Is(err, errNotYet):
	case errors.Is(err, slipway.ErrDeleting): // which we had not heard yet
		w.outdated()
	default:
		w.outdated()
		if ctx.Err() == nil { // else something else is wanted
			wait := w.putOff(s.key(), w.config.Now())
			w.warn(s.key(), err, "step failed, it is tried again", slog.String("step", s.key()), slog.Duration("in", wait))
		}
	}
	return nil
}

// putOff has a step that failed wait.
func (w *worker) putOff(key string, now time.Time) time.Duration {
	if w.a.Deployment.Deleting() {
		return w.memory.putOff(key, now, deletionBackoff)
	}
	return w.memory.putOff(key, now, retryBackoff)
}

// warn logs why a step failed; in a deletion, which may be stuck for days, only what
// was not said of it before.
func (w *worker) warn(key string, err error, message string, more ...any) {
	if w.memory.isNews(key, err.Error()) || !w.a.Deployment.Deleting() {
		w.log.Warn(message, append(more, slog.Any("error", err))...)
	}
}

// say logs a step, once while it is repeated, and not the waits in between.
func (w *worker) say(s step) {
	if said := (saying{s.do, s.instance.ID, s.why}); said != w.said && !s.putOff {
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
	return w.report(ctx)
}

// report tells the control plane, and takes over how it sees things then. What
// could not be told is read anew.
func (w *worker) report(ctx context.Context, events ...slipway.Event) error {
	a, err := w.sync.Report(ctx, w.lease, append(w.unsaid, events...)...)
	w.unsaid = nil
	if err != nil {
		w.outdated()
		return err
	}
	w.a, w.over = a, a.Deployment.Cleared()
	return nil
}

// outdated has the assignment read anew before the next step.
func (w *worker) outdated() {
	w.stepMu.Lock()
	defer w.stepMu.Unlock()
	w.stale = true
}

func (w *worker) look(ctx context.Context) (world, error) {
	seen, err := w.observe(ctx, w.a)
	if err != nil {
		return seen, err
	}
	w.noteRedis(ctx, &seen)
	for id, o := range seen.seen {
		if _, known := w.started[id]; o.Phase == slipway.PhaseRunning && !known {
			w.started[id] = seen.now
		}
	}
	seen.started, seen.later, seen.build = w.started, w.later, w.build.outcome()
	w.lookForQuiet(ctx, &seen)
	if h := seen.handover(); h != nil {
		seen.ownHold = w.held == h.To
	}
	w.building = seen.build != nil && !seen.build.done
	return seen, nil
}

func (w *worker) route(world world) {
	if r, ok := routeFor(world); ok {
		w.Reconciler.route(r, world.Deployment.Generation)
	} else {
		w.unroute(w.a.Deployment.ID, world.Deployment.Generation)
	}
	w.watch(world)
}

// holdUnsaid is how long requests wait for the report of a gate that can not be
// made, and until the next try of it, which is a few seconds off by then.
const holdUnsaid = 5 * time.Second

// endHold has requests go again where they went, when the report that they wait for
// can not be made: what served before does still. The report may have arrived, and
// its answer not: until the next one that is answered, who reads DEPLOYED may then
// find the revision before. Where that has handed over its state, they wait on.
func (w *worker) endHold(ctx context.Context) {
	if w.heldSince.IsZero() || w.config.Now().Sub(w.heldSince) < holdUnsaid {
		return
	}
	seen, err := w.look(ctx)
	if err != nil {
		return
	}
	w.heldSince = time.Time{}
	w.route(seen)
	w.log.Warn("requests go to the revision before, since nothing can be reported")
}

// rests says whether the lease can be given back meanwhile. A build that has
// ended since the look has not been settled: its nudge is there or on its way. And
// who has requests wait stays until they do not.
func (w *worker) rests(n when) bool {
	if n.now || w.building || len(w.wake) > 0 || !w.heldSince.IsZero() {
		return false
	}
	return n.at.IsZero() || n.at.Sub(w.config.Now()) > holdFor
}

func (w *worker) release(ctx context.Context, n when) {
	w.comesBack = !n.at.IsZero()
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
		w.ring() // it is for the pass to answer
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
