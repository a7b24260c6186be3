package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
)

// How the state of a deployment comes from one instance to the next:
//
//	waiting ──► holding ──► snapshotting ──► releasing ──► done (the gate is passed)
//	   │           │             │               │
//	   └───────────┴─────────────┴──► over       └──► returning ──► over
//
// waiting: the new one loads beside the old one, its state closed, and both wait
// for a moment without runs. Everything is served as usual, and a failure costs
// nothing. holding: what writes waits at the gateway; the old one ends its runs
// and yields: it has the state closed for good, and may run on for what it has to
// tell others, such as traces. snapshotting: nobody has the state open. A failure
// until then leaves the state as it was. releasing: the new one opens it, and is
// gated; the old one is cleared away after that. A failure then has the snapshot
// put in its place, by returning: one that had stood by has one try, and little
// time, since requests wait. Either way the old one comes back as one does
// that was stopped for a revision that failed.
//
// Each phase is written down before it begins, and each begins with what may be
// repeated, so that whoever dies is followed by one who goes on. Only a hold is
// not gone on with: whoever comes anew and finds the old one serving, not yet
// told to stop, lets it serve, and both wait for a quiet moment again. Who was
// held is gone with the one who held, and the clients that come back now should
// not wait for runs that began meanwhile. A kind that can not stand by is started
// in releasing; the rest is the same.
//
// Where nothing serves yet, there is nobody to wait for: it begins at
// snapshotting. What a first revision wrote that failed is then undone like that
// of any other.

// endOfHold is the share of a kind's drain after which the old one is told to
// stop, whatever it does: its launcher then cancels what does not end.
const endOfHold = 2

// openWithin is how long one that has stood by, loaded, may take to open the state
// and answer while requests wait: with ending it, putting the state back and
// starting the old one again that is less than requests are held.
const openWithin = 20 * time.Second

// handover is that in progress, if it is that of the revision being deployed.
func (w world) handover() *slipway.Handover {
	h := w.Deployment.Running.Handover
	if h == nil || !w.takesOver() {
		return nil
	}
	if own, ok := w.instanceOf(w.InProgress); !ok || own.ID != h.To {
		return nil
	}
	return h
}

// instanceOf returns the one instance of a revision that owns its state, or any
// other. There may be neither.
func (w world) instanceOf(r *slipway.Revision) (slipway.Instance, bool) {
	if r == nil {
		return slipway.Instance{}, false
	}
	all := w.instancesOf(r)
	if len(all) == 0 {
		return slipway.Instance{}, false
	}
	return all[0], true
}

// handoverBroken says whether a hand-over is in progress whose revision is not
// being deployed any more.
func (w world) handoverBroken() bool {
	return w.Deployment.Running.Handover != nil && w.handover() == nil
}

// takeBack ends a hand-over without success.
func takeBack(w world) step {
	h := *w.Deployment.Running.Handover
	switch h.Phase {
	case slipway.HandoverReleasing:
		h.Phase = slipway.HandoverReturning
		return step{do: move, handover: &h, why: "the new one may have changed the state, and has failed"}
	case slipway.HandoverReturning:
		for _, i := range w.Instances {
			if w.running(i) {
				return step{do: drain, instance: i, grace: graceOfUnproved, why: "the state is to be put back"}
			}
		}
		return step{do: restore, handover: &h, why: "nobody has the state open"}
	}
	return step{do: move, why: "its revision has failed, and the state was not touched"}
}

// handOver brings the revision being deployed to its gate, where it takes over
// the state.
func handOver(w world) []step {
	own, ok := w.instanceOf(w.InProgress)
	if !ok {
		return []step{{do: plan, revision: w.InProgress, why: "it has no instance"}}
	}
	h := w.handover()
	switch {
	case h == nil && w.Active == nil && w.begun(own):
		return []step{rollOut(w)} // by a server that took no snapshot for a first revision
	case h == nil:
		return []step{beginHandover(w, own)}
	}
	switch h.Phase {
	case slipway.HandoverWaiting:
		return []step{keepServing(w), standBy(w, *h, own)}
	case slipway.HandoverHolding:
		return []step{letGo(w, *h)}
	case slipway.HandoverSnapshot:
		return []step{{do: snapshot, revision: w.InProgress, handover: h, why: "nobody has the state open"}}
	}
	return []step{release(w, own)}
}

// begun says whether an instance may have opened the state.
func (w world) begun(i slipway.Instance) bool {
	return i.Attempt > 1 || i.State != slipway.InstancePlanned || w.phase(i) != slipway.PhaseAbsent
}

func beginHandover(w world, own slipway.Instance) step {
	if name := w.Deployment.Running.Outdated; name != "" {
		return discardOutdated(w)
	}
	h := slipway.Handover{To: own.ID}
	if w.Active == nil {
		return snapshotFor(h, "no revision has served yet")
	}
	if old, ok := w.instanceOf(w.Active); ok {
		h.From = old.ID
	}
	return nextPhase(h, slipway.HandoverWaiting, "a new revision takes over the state")
}

// standBy has the new one load, and then waits for a quiet moment.
func standBy(w world, h slipway.Handover, own slipway.Instance) step {
	if !w.kind(w.InProgress).StandsBy {
		return nextPhase(h, slipway.HandoverHolding, "it can only be started when the old one has stopped")
	}
	if w.standsBy(own) {
		if w.quietAt.After(w.now) {
			return step{do: rest, at: w.quietAt, why: "runs are busy"}
		}
		return nextPhase(h, slipway.HandoverHolding, "it has loaded")
	}
	s := gated(w, bringUpOne(w, w.InProgress, own))
	if s.do == probe {
		return step{do: rest, at: w.now.Add(probeAgain(w.now.Sub(w.started[own.ID]))), why: "it loads"}
	}
	return s
}

func (w world) standsBy(i slipway.Instance) bool {
	o := w.seen[i.ID]
	return o.Phase == slipway.PhaseRunning && o.Attempt == i.Attempt && o.StandsBy
}

// letGo has every other instance yield. If the old one has not been told, and the
// new one is not there any more or somebody else had begun, all begins anew.
func letGo(w world, h slipway.Handover) step {
	if w.startsOver() {
		return nextPhase(h, slipway.HandoverWaiting, "who began the hold is gone, and the old one serves")
	}
	for _, i := range w.Instances {
		if i.ID == h.To || !w.hasState(i) {
			continue
		}
		if own, _ := w.instanceOf(w.InProgress); w.kind(w.InProgress).StandsBy && !w.standsBy(own) && w.serves(i) {
			return nextPhase(h, slipway.HandoverWaiting, "the new one has ended while it stood by")
		}
		return step{do: yield, instance: i, why: "a new revision takes over its state"}
	}
	return snapshotFor(h, "the old one has let go of the state")
}

func snapshotFor(h slipway.Handover, why string) step {
	h.Snapshot = string(h.To)
	return nextPhase(h, slipway.HandoverSnapshot, why)
}

// release has the new one open the state, and brings it to its gate.
func release(w world, own slipway.Instance) step {
	if w.standsBy(own) {
		return step{do: free, revision: w.InProgress, instance: own, why: "the state is its own"}
	}
	return rollOut(w)
}

func nextPhase(h slipway.Handover, p slipway.HandoverPhase, why string) step {
	h.Phase = p
	return step{do: move, handover: &h, why: why}
}

// discardOutdated removes a snapshot that is not needed any more, but not while
// requests are held.
func discardOutdated(w world) step {
	if r := w.Deployment.Running; r.Outdated == "" || r.Handover != nil {
		return step{do: rest, why: "no snapshot is outdated"}
	}
	return step{do: discard, why: "there is a newer snapshot"}
}

// routeOfHandover says where requests go while a revision takes over the state.
func (w world) routeOfHandover(r slipway.Route) slipway.Route {
	r.State, r.Addresses = slipway.RouteHolding, nil
	if w.handover().Phase != slipway.HandoverHolding {
		return r
	}
	for _, old := range w.instancesOf(w.Active) {
		if w.serves(old) {
			r.State, r.Addresses = slipway.RouteHandingOver, append(r.Addresses, w.seen[old.ID].Address)
		}
	}
	return r
}

// holds says whether requests have to wait for a hand-over.
func (w world) holds() bool {
	h := w.handover()
	return h != nil && h.Phase != slipway.HandoverWaiting && !w.startsOver()
}

// startsOver says whether a hold was begun by somebody who is gone, and may be
// taken back.
func (w world) startsOver() bool {
	h := w.handover()
	if h == nil || h.Phase != slipway.HandoverHolding || w.ownHold {
		return false
	}
	old, ok := w.instanceOf(w.Active)
	return ok && w.serves(old)
}

// moveTo writes a phase down.
func (w *worker) moveTo(ctx context.Context, h *slipway.Handover) error {
	delete(w.begun, quietMoment)
	if h == nil {
		w.clock = stopwatch{}
		return w.report(ctx, slipway.HandoverMoved{})
	}
	switch h.Phase {
	case slipway.HandoverWaiting:
		w.held, w.clock = "", stopwatch{}
		delete(w.begun, requestsOf(h.From))
	case slipway.HandoverHolding:
		w.held = h.To // known before it is written, whatever becomes of the answer
		w.clock.start(w.config.Now())
	case slipway.HandoverSnapshot:
		w.clock.lap("stop", w.config.Now()) // here: an end that is told of cuts the wait for it short
	}
	next := *h
	next.Since = w.config.Now()
	return w.report(ctx, slipway.HandoverMoved{Handover: &next})
}

// lookForQuiet sees whether a hand-over that could go on has to wait for busy
// runs, and until when it is not looked again.
func (w *worker) lookForQuiet(ctx context.Context, seen *world) {
	h := seen.handover()
	if h == nil || h.Phase != slipway.HandoverWaiting {
		return
	}
	own, _ := seen.instanceOf(seen.InProgress)
	if !seen.standsBy(own) || w.left(quietMoment, w.config.Quiet, seen.now) == 0 {
		return
	}
	// Not who is named in the hand-over: it may have begun while nobody was awake.
	if old, ok := seen.instanceOf(seen.Active); ok && w.isBusy(ctx, old.ID) {
		seen.quietAt = seen.now.Add(quietAgain)
	}
}

const (
	quietMoment = "quiet moment"
	// quietAgain is how often a busy instance is asked for its runs.
	quietAgain = 25 * time.Millisecond
)

// isBusy says whether an instance tells of runs that have not ended.
func (w *worker) isBusy(ctx context.Context, i slipway.InstanceID) bool {
	runs, err := w.driver.Runs(ctx, w.a.Deployment.ID, i)
	return err == nil && runs.Pending+runs.Running > 0
}

// yield has an instance end its work and close its state, for another to take it
// over. While its runs end, what only reads goes on; then everything waits.
func (w *worker) yield(ctx context.Context, s step) error {
	i, grace := s.instance, w.drainOf(s.instance)
	if i.State == slipway.InstanceServing {
		limit := w.left(requestsOf(i.ID), grace/endOfHold, w.config.Now())
		if err := w.letRunsEnd(ctx, i.ID, limit); err != nil {
			return err
		}
		w.clock.lap("runs", w.config.Now())
		w.hold()
		limit = w.left(requestsOf(i.ID), grace/endOfHold+2*streamsEnd, w.config.Now())
		if err := w.letAnswersEnd(ctx, i.ID, limit); err != nil {
			return err
		}
		w.clock.lap("answers", w.config.Now())
	}
	w.hold()
	if i.State != slipway.InstanceStopping {
		i.State = slipway.InstanceStopping
		if err := w.report(ctx, slipway.InstanceChanged{Instance: i}, slipway.Logged{Lines: w.interrupted(ctx, s)}); err != nil {
			return err
		}
	}
	if err := w.driver.Yield(ctx, w.a.Deployment.ID, i.ID, w.left(stopOf(i.ID), grace, w.config.Now())); err != nil {
		return w.stuck(ctx, slipway.ItemInstance, string(i.ID), err)
	}
	w.forget(i.ID)
	return nil
}

// hold has every new request wait.
func (w *worker) hold() {
	w.Reconciler.route(held(w.a.Deployment), w.a.Deployment.Generation)
}

// letRunsEnd waits, bounded, for the runs of an instance to which no new ones
// come. One that does not tell is not waited for here.
func (w *worker) letRunsEnd(ctx context.Context, i slipway.InstanceID, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for w.isBusy(limited, i) {
		pause(limited, letEndAgain)
	}
	return ctx.Err()
}

const (
	// letEndAgain is how often runs are counted that are about to end.
	letEndAgain = 5 * time.Millisecond
	// streamsEnd is how long answers that have begun may take once no run is
	// busy: those that go on then wait for runs that can not come.
	streamsEnd = 500 * time.Millisecond
)

// letAnswersEnd waits, bounded, until requests that have begun have ended. A run
// that was on its way when the hold began is among them: an instance that is slow
// to read what it is sent does not tell of it before.
func (w *worker) letAnswersEnd(ctx context.Context, i slipway.InstanceID, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := w.router.Answered(limited, w.a.Deployment.ID); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("wait for answers: %w", err)
	}
	for limited.Err() == nil {
		first, end := context.WithTimeout(limited, streamsEnd)
		err := w.router.Drained(first, w.a.Deployment.ID)
		end()
		switch {
		case err == nil, limited.Err() == nil && w.isIdle(limited, i):
			return ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("wait for answers: %w", err)
		}
	}
	if ctx.Err() == nil {
		w.log.Warn("requests did not end in time and are cut", slog.Duration("after", limit))
	}
	return ctx.Err()
}

// isIdle says whether an instance tells that it has no runs.
func (w *worker) isIdle(ctx context.Context, i slipway.InstanceID) bool {
	runs, err := w.driver.Runs(ctx, w.a.Deployment.ID, i)
	return err == nil && runs.Pending+runs.Running == 0
}

// interrupted says which runs are still busy when their instance is told to
// stop: its launcher gives them the rest of its drain and cancels them then.
func (w *worker) interrupted(ctx context.Context, s step) []slipway.LogLine {
	runs, err := w.driver.Runs(ctx, w.a.Deployment.ID, s.instance.ID)
	if err != nil || runs.Pending+runs.Running == 0 {
		return nil
	}
	r := w.a.InProgress
	if r == nil {
		return nil
	}
	w.log.Warn("runs did not end before the hand-over", slog.Int("interrupted_runs", runs.Running), slog.Int("pending_runs", runs.Pending))
	return []slipway.LogLine{{
		Deployment: w.a.Deployment.ID, Revision: r.ID, Kind: slipway.DeployLog, Origin: "handover " + string(s.instance.ID), Offset: 1,
		At: w.config.Now(), Level: "WARNING",
		Message: fmt.Sprintf("interrupted_runs: %d runs of the former revision were busy when its state was to be handed over. Those that do not end within its drain are cancelled.", runs.Running),
	}}
}

// takeSnapshot copies the state, and goes on to the release.
func (w *worker) takeSnapshot(ctx context.Context, s step) error {
	if err := w.driver.Snapshot(ctx, w.a.Deployment.ID, s.handover.Snapshot); err != nil {
		return w.failed(ctx, s.revision, "take snapshot", err)
	}
	w.clock.lap("snapshot", w.config.Now())
	h := *s.handover
	h.Phase = slipway.HandoverReleasing
	return w.moveTo(ctx, &h)
}

// opens says whether a revision opens a state that requests wait for, having stood
// by before.
func (w world) opens(r *slipway.Revision) bool {
	h := w.handover()
	return h != nil && r == w.InProgress && h.Phase == slipway.HandoverReleasing && w.Active != nil && w.kind(r).StandsBy
}

// startLimit is how long an instance of a revision may take until it answers.
func (w world) startLimit(r *slipway.Revision) time.Duration {
	if limit := w.kind(r).Start; !w.opens(r) || limit < openWithin {
		return limit
	}
	return openWithin
}

// free has an instance that stands by open its state. Its time to answer begins
// now.
func (w *worker) free(ctx context.Context, s step) error {
	if err := w.driver.Release(ctx, w.a.Deployment.ID, s.instance.ID); err != nil {
		return fmt.Errorf("release instance: %w", err)
	}
	w.started[s.instance.ID] = w.config.Now()
	return nil
}

// putBack replaces the state by what it was before the hand-over.
func (w *worker) putBack(ctx context.Context, s step) error {
	if err := w.driver.Restore(ctx, w.a.Deployment.ID, s.handover.Snapshot); err != nil {
		health := slipway.Health{State: slipway.Unhealthy, Reason: fmt.Sprintf("A new revision failed, and the state can not be put back: %v", err)}
		if ctx.Err() == nil && w.a.Deployment.Health.State != health.State {
			err = errors.Join(err, w.report(ctx, slipway.HealthChanged{Health: health}))
		}
		return fmt.Errorf("put the state back: %w", err)
	}
	return w.moveTo(ctx, nil)
}

func (w *worker) discard(ctx context.Context) error {
	name := w.a.Deployment.Running.Outdated
	if err := w.driver.Discard(ctx, w.a.Deployment.ID, name); err != nil {
		return errors.Join(fmt.Errorf("discard snapshot: %w", err), ctx.Err())
	}
	return w.report(ctx, slipway.SnapshotGone{Name: name})
}

// mayOnlyStandBy says whether an instance that is started now has to leave the
// state alone until it is released.
func (w *worker) mayOnlyStandBy(i slipway.InstanceID) bool {
	h := w.a.Deployment.Running.Handover
	return h != nil && h.To == i && h.Phase == slipway.HandoverWaiting
}
