package reconcile

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
)

// takeover is a scene in which r2 takes over the state of r1, whose instance is
// i1; its own is i2.
func takeover(kind string, phase slipway.HandoverPhase) *scene {
	s := newScene().active("r1", kind).inProgress("r2", slipway.Deploying, kind)
	s.ownHold = true
	s.kinds["stands"] = slipway.AgentKind{Name: "stands", Probe: "/ok", Exclusive: true, StandsBy: true, StartFailure: 1, Start: time.Minute, Drain: 30 * time.Second}
	if phase != "" {
		s.Deployment.Running.Handover = &slipway.Handover{From: "i1", To: "i2", Phase: phase, Snapshot: "i2"}
	}
	return s
}

// firstly is a scene in which r2 is the first revision, and there is nobody to
// take the state over from.
func firstly(kind string, phase slipway.HandoverPhase) *scene {
	s := takeover(kind, phase)
	s.Active = nil
	if h := s.Deployment.Running.Handover; h != nil {
		h.From = ""
	}
	return s
}

func (s *scene) old(state slipway.InstanceState, phase slipway.Phase, edit ...func(*slipway.Instance, *slipway.Observed)) *scene {
	return s.instance("i1", "r1", state, phase, edit...)
}

func (s *scene) new(state slipway.InstanceState, phase slipway.Phase, edit ...func(*slipway.Instance, *slipway.Observed)) *scene {
	return s.instance("i2", "r2", state, phase, edit...)
}

// failed has the revision that takes over come to its end.
func (s *scene) failed() *scene {
	s.InProgress = nil
	return s
}

func (s *scene) busyFor(d time.Duration) *scene {
	s.quietAt = t0.Add(d)
	return s
}

// begunByAnother has the hold be that of a server that died.
func (s *scene) begunByAnother() *scene {
	s.ownHold = false
	return s
}

func (s *scene) deafen(i slipway.InstanceID) *scene {
	s.deaf[i] = true
	return s
}

func standsBy(_ *slipway.Instance, o *slipway.Observed) { o.StandsBy = true }

func yielded(_ *slipway.Instance, o *slipway.Observed) { o.Yielded = true }

const (
	waits    = slipway.HandoverWaiting
	holds    = slipway.HandoverHolding
	snaps    = slipway.HandoverSnapshot
	releases = slipway.HandoverReleasing
	returns  = slipway.HandoverReturning
	isOver   = slipway.HandoverPhase("over")
	noPhase  = slipway.HandoverPhase("")
)

func TestHandOver(t *testing.T) {
	for name, c := range map[string]struct {
		s    *scene
		do   verb
		of   string                // instance or revision
		to   slipway.HandoverPhase // of a move
		rest time.Duration
	}{
		"it is written down first":  {s: takeover("stands", noPhase).old(serving, running).new(planned, absent), do: move, to: waits},
		"there is no instance yet":  {s: takeover("stands", noPhase).old(serving, running), do: plan, of: "r2"},
		"of another instance":       {s: takeover("stands", holds).old(serving, running).instance("i3", "r2", planned, absent), do: move, to: isOver},
		"the new one starts beside": {s: takeover("stands", waits).old(serving, running).new(planned, absent), do: start, of: "i2"},
		"the new one loads":         {s: takeover("stands", waits).old(serving, running).new(planned, running).startedAgo("i2", 80*time.Millisecond), do: rest, rest: 10 * time.Millisecond},
		"the new one never loads":   {s: takeover("stands", waits).old(serving, running).new(planned, running).startedAgo("i2", time.Hour), do: fail, of: "r2"},
		"the new one can not load":  {s: takeover("stands", waits).old(serving, running).new(planned, exited, exit(1)), do: fail, of: "r2"},
		"the old one crashes while the new one loads": {
			s: takeover("stands", waits).old(serving, exited).new(planned, running), do: crashed, of: "i1",
		},
		"runs are busy":               {s: takeover("stands", waits).old(serving, running).new(planned, running, standsBy).busyFor(time.Second), do: rest, rest: time.Second},
		"a quiet moment":              {s: takeover("stands", waits).old(serving, running).new(planned, running, standsBy), do: move, to: holds},
		"it stood by for hours":       {s: takeover("stands", waits).old(serving, running).new(planned, running, standsBy).startedAgo("i2", time.Hour), do: move, to: holds},
		"a kind that does not load":   {s: takeover("exclusive", waits).old(serving, running).new(planned, absent), do: move, to: holds},
		"the old one ends its work":   {s: takeover("stands", holds).old(serving, running).new(planned, running, standsBy), do: yield, of: "i1"},
		"the old one goes on to stop": {s: takeover("stands", holds).old(leaving, running).new(planned, running, standsBy), do: yield, of: "i1"},
		"the new one died before the old one was told": {
			s: takeover("stands", holds).old(serving, running).new(planned, exited), do: move, to: waits,
		},
		"the new one died after the old one was told": {
			s: takeover("stands", holds).old(leaving, running).new(planned, exited), do: yield, of: "i1",
		},
		"another began the hold, and the old one serves": {
			s: takeover("stands", holds).begunByAnother().old(serving, running).new(planned, running, standsBy), do: move, to: waits,
		},
		"another began the hold, of a kind that does not load": {
			s: takeover("exclusive", holds).begunByAnother().old(serving, running).new(planned, absent), do: move, to: waits,
		},
		"another told the old one to stop": {
			s: takeover("stands", holds).begunByAnother().old(leaving, running).new(planned, running, standsBy), do: yield, of: "i1",
		},
		"another has stopped the old one": {
			s: takeover("stands", holds).begunByAnother().old(leaving, exited).new(planned, running, standsBy), do: move, to: snaps,
		},
		"another held, and the old one is deaf": {
			s: takeover("stands", holds).begunByAnother().old(serving, running).deafen("i1").new(planned, running, standsBy), do: yield, of: "i1",
		},
		"another has copied the state": {
			s: takeover("stands", releases).begunByAnother().old(leaving, exited).new(planned, running, standsBy), do: free, of: "i2",
		},
		"the old one has stopped": {s: takeover("stands", holds).old(leaving, exited).new(planned, running, standsBy), do: move, to: snaps},
		"the old one has yielded": {s: takeover("stands", holds).old(leaving, running, yielded).new(planned, running, standsBy), do: move, to: snaps},
		"another has it yield":    {s: takeover("stands", holds).begunByAnother().old(leaving, running, yielded).new(planned, running, standsBy), do: move, to: snaps},
		"an older one goes on to end": {
			s: takeover("stands", holds).old(leaving, running, yielded).new(planned, running, standsBy).instance("i0", "r0", leaving, running), do: drain, of: "i0",
		},
		"an older one has yielded": {
			s: takeover("stands", holds).old(serving, running).new(planned, running, standsBy).instance("i0", "r0", leaving, running, yielded), do: yield, of: "i1",
		},
		"the new one crashes while the old one ends": {
			s: newScene().active("r2", "exclusive").instance("i2", "r2", serving, exited).old(leaving, running, yielded), do: crashed, of: "i2",
		},
		"it serves, and the old one ends": {
			s: newScene().active("r2", "exclusive").instance("i2", "r2", serving, running).old(leaving, running, yielded), do: drain, of: "i1",
		},
		"the state is copied beside it":   {s: takeover("stands", snaps).old(leaving, running, yielded).new(planned, running, standsBy), do: snapshot, of: "r2"},
		"the new one opens it beside it":  {s: takeover("stands", releases).old(leaving, running, yielded).new(planned, running, standsBy), do: free, of: "i2"},
		"the state is copied":             {s: takeover("stands", snaps).old(leaving, exited).new(planned, running, standsBy), do: snapshot, of: "r2"},
		"the new one opens the state":     {s: takeover("stands", releases).old(leaving, exited).new(planned, running, standsBy), do: free, of: "i2"},
		"the new one is gated":            {s: takeover("stands", releases).old(leaving, exited).new(planned, running), do: probe, of: "i2"},
		"the new one dies of the state":   {s: takeover("stands", releases).old(leaving, exited).new(planned, exited, exit(137)), do: fail, of: "r2"},
		"it takes its time to open it":    {s: takeover("stands", releases).old(leaving, exited).new(planned, running).startedAgo("i2", openWithin-time.Second), do: probe, of: "i2"},
		"it hangs as it opens the state":  {s: takeover("stands", releases).old(leaving, exited).new(planned, running).startedAgo("i2", openWithin+time.Second), do: fail, of: "r2"},
		"one that loads only now may":     {s: takeover("exclusive", releases).old(leaving, exited).new(planned, running).startedAgo("i2", openWithin+time.Second), do: probe, of: "i2"},
		"and a first one may":             {s: firstly("stands", releases).new(planned, running).startedAgo("i2", openWithin+time.Second), do: probe, of: "i2"},
		"a kind that starts only now":     {s: takeover("exclusive", releases).old(leaving, exited).new(planned, absent), do: start, of: "i2"},
		"it can not open the state":       {s: takeover("stands", releases).old(leaving, exited).new(planned, exited, exit(1)), do: fail, of: "r2"},
		"failed before the hold":          {s: takeover("stands", waits).failed().old(serving, running).new(planned, running, standsBy), do: move, to: isOver},
		"what sleeps is not woken for it": {s: takeover("stands", waits).asleep().new(planned, running, standsBy), do: move, to: holds},
		"nobody has to stop for it":       {s: takeover("stands", holds).asleep().new(planned, running, standsBy), do: move, to: snaps},
		"failed before the release":       {s: takeover("stands", snaps).failed().old(leaving, exited).new(planned, running, standsBy), do: move, to: isOver},
		"failed after the release":        {s: takeover("stands", releases).failed().old(leaving, exited).new(planned, exited), do: move, to: returns},
		"what failed stops first":         {s: takeover("stands", returns).failed().old(leaving, exited).new(planned, running), do: drain, of: "i2"},
		"and the old one too":             {s: takeover("stands", returns).failed().old(leaving, running, yielded).new(planned, exited), do: drain, of: "i1"},
		"what yielded comes back":         {s: takeover("stands", noPhase).failed().old(leaving, running, yielded).new(planned, absent), do: drain, of: "i1"},
		"then the state is put back":      {s: takeover("stands", returns).failed().old(leaving, exited).new(planned, exited), do: restore},
		"another revision waits for it": {
			s: takeover("stands", returns).inProgress("r3", slipway.Deploying, "stands").old(leaving, exited).new(planned, exited), do: restore,
		},
		"a first one: a copy is made of what is there": {s: firstly("stands", noPhase).new(planned, absent), do: move, to: snaps},
		"a first one: of another kind":                 {s: firstly("exclusive", noPhase).new(planned, absent), do: move, to: snaps},
		"a first one: the copy":                        {s: firstly("stands", snaps).new(planned, absent), do: snapshot, of: "r2"},
		"a first one starts":                           {s: firstly("stands", releases).new(planned, absent), do: start, of: "i2"},
		"a first one crashes":                          {s: firstly("exclusive", releases).new(planned, exited, exit(137)), do: crashed, of: "i2"},
		"a first one fails":                            {s: firstly("exclusive", releases).new(planned, exited, exit(1)), do: fail, of: "r2"},
		"a first one has failed":                       {s: firstly("exclusive", releases).failed().new(planned, exited), do: move, to: returns},
		"a first one is ended":                         {s: firstly("exclusive", returns).failed().new(planned, running), do: drain, of: "i2"},
		"what a first one wrote goes":                  {s: firstly("exclusive", returns).failed().new(planned, exited), do: restore},
		"what a first one wrote goes before the next":  {s: firstly("exclusive", returns).inProgress("r3", slipway.Deploying, "exclusive").new(planned, exited), do: restore},
		"a first one that failed before its start":     {s: firstly("exclusive", snaps).failed().new(planned, absent), do: move, to: isOver},
		"a first one that runs, and no copy was made":  {s: firstly("exclusive", noPhase).new(planned, running), do: probe, of: "i2"},
		"a snapshot is outdated": {s: func() *scene {
			s := newScene().active("r1", "shared").instance("i1", "r1", serving, running)
			s.Deployment.Running.Outdated = "old"
			return s
		}(), do: discard},
		"an outdated snapshot does not prolong the hold": {s: func() *scene {
			s := takeover("stands", releases).old(leaving, exited).new(planned, running).putOff("probe i2", time.Millisecond)
			s.Deployment.Running.Outdated = "old"
			return s
		}(), do: rest, rest: time.Millisecond},
		"an outdated snapshot goes before the next hand-over": {s: func() *scene {
			s := takeover("stands", noPhase).old(serving, running).new(planned, absent)
			s.Deployment.Running.Outdated = "old"
			return s
		}(), do: discard},
	} {
		t.Run(name, func(t *testing.T) {
			got := next(c.s.world)
			if got.do != c.do || c.of != "" && c.of != subject(got) || got.why == "" {
				t.Fatalf("next = %s %s (%s), want %s %s", got.do, subject(got), got.why, c.do, c.of)
			}
			if c.do == rest && !got.at.Equal(t0.Add(c.rest)) {
				t.Errorf("rests until %v, want in %v", got.at, c.rest)
			}
			if phase := phaseOf(got.handover); c.to != "" && phase != c.to {
				t.Errorf("moves to %q, want %q", phase, c.to)
			}
		})
	}
}

func phaseOf(h *slipway.Handover) slipway.HandoverPhase {
	if h == nil {
		return isOver
	}
	return h.Phase
}

func TestRoutesOfAHandOver(t *testing.T) {
	for name, c := range map[string]struct {
		s    *scene
		want slipway.RouteState
	}{
		"not yet begun":          {takeover("stands", noPhase).old(serving, running), slipway.RouteServing},
		"waiting":                {takeover("stands", waits).old(serving, running).new(planned, running, standsBy), slipway.RouteServing},
		"holding":                {takeover("stands", holds).old(serving, running).new(planned, running, standsBy), slipway.RouteHandingOver},
		"another held":           {takeover("stands", holds).begunByAnother().old(serving, running).new(planned, running, standsBy), slipway.RouteServing},
		"another's held stops":   {takeover("stands", holds).begunByAnother().old(leaving, running).new(planned, running, standsBy), slipway.RouteHolding},
		"the old one yielded":    {takeover("stands", releases).old(leaving, running, yielded).new(planned, running), slipway.RouteHolding},
		"the old one stops":      {takeover("stands", holds).old(leaving, running).new(planned, running, standsBy), slipway.RouteHolding},
		"snapshotting":           {takeover("stands", snaps).old(leaving, exited).new(planned, running, standsBy), slipway.RouteHolding},
		"releasing":              {takeover("stands", releases).old(leaving, exited).new(planned, running), slipway.RouteHolding},
		"returning":              {takeover("stands", returns).failed().old(leaving, exited).new(planned, exited), slipway.RouteHolding},
		"replaced in its sleep":  {takeover("stands", releases).asleep().new(planned, running), slipway.RouteHolding},
		"failed before the hold": {takeover("stands", waits).failed().old(serving, running).new(planned, running, standsBy), slipway.RouteServing},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := routeFor(c.s.world)
			if !ok || r.State != c.want {
				t.Fatalf("route is %q (%t), want %q", r.State, ok, c.want)
			}
			passes := r.State == slipway.RouteServing || r.State == slipway.RouteHandingOver
			if passes != (len(r.Addresses) == 1) {
				t.Errorf("addresses %v", r.Addresses)
			}
		})
	}
}

// Whether an agent is shown keys is a matter of the revision that answers.
func TestTakingKeysComesWithTheRevision(t *testing.T) {
	for _, phase := range []slipway.HandoverPhase{noPhase, waits, holds} {
		for _, takes := range []bool{false, true} {
			s := takeover("stands", phase).old(serving, running).new(planned, running, standsBy)
			s.Active.Artefact.TakesKeys, s.InProgress.Artefact.TakesKeys = takes, !takes
			if r, _ := routeFor(s.world); r.TakesKeys != takes {
				t.Errorf("%q: the old one takes keys: %t, its route says %t", phase, takes, r.TakesKeys)
			}
			s.Active, s.InProgress = s.InProgress, nil
			if r, _ := routeFor(s.world); r.TakesKeys == takes {
				t.Errorf("%q: the new one takes keys: %t, its route says %t", phase, !takes, r.TakesKeys)
			}
		}
	}
}

// crowd is a gateway whose requests have their answers begun, and ended, so long
// after they are waited for.
type crowd struct {
	slipway.Router
	answered, drained time.Duration
}

func (c crowd) Answered(ctx context.Context, _ slipway.DeploymentID) error {
	return within(ctx, c.answered)
}

func (c crowd) Drained(ctx context.Context, _ slipway.DeploymentID) error {
	return within(ctx, c.drained)
}

func within(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resting is a driver whose instances tell of no runs.
type resting struct{ slipway.Driver }

func (resting) Runs(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Runs, error) {
	return slipway.Runs{}, nil
}

// An instance that tells of no run may not have read what it was sent; streams of
// one that has none are not waited for.
func TestAnswersAreWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		crowd crowd
		took  time.Duration
	}{
		"nothing is in progress":      {crowd{}, 0},
		"a request was not read yet":  {crowd{answered: 4 * time.Second, drained: 0}, 4 * time.Second},
		"a stream waits for nothing":  {crowd{drained: time.Hour}, streamsEnd},
		"an answer comes to its end":  {crowd{drained: streamsEnd / 2}, streamsEnd / 2},
		"a request is never answered": {crowd{answered: time.Hour, drained: time.Hour}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &worker{Reconciler: &Reconciler{router: c.crowd, driver: resting{}}, log: slog.New(slog.DiscardHandler)}
				began := time.Now()
				if err := w.letAnswersEnd(t.Context(), "i", 10*time.Second); err != nil || time.Since(began) != c.took {
					t.Errorf("%v after %v, want %v", err, time.Since(began), c.took)
				}
			})
		})
	}
}
