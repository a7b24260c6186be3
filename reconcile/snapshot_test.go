package reconcile

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// restoring has a snapshot come in.
func (s *scene) restoring(phase slipway.RestorePhase) *scene {
	s.Deployment.Running.Restore = &slipway.SnapshotRestore{From: "other", Path: "/snapshots/other", Phase: phase}
	return s
}

func TestNextOfASnapshot(t *testing.T) {
	const checking, reading, replacing = slipway.RestoreChecking, slipway.RestoreReading, slipway.RestoreReplacing
	serves := func(kind string) *scene { return newScene().active("r1", kind).instance("i1", "r1", serving, running) }
	handed := func(s *scene) *scene {
		s.Deployment.Running.Handover = &slipway.Handover{To: "i2", Phase: slipway.HandoverReturning}
		return s
	}
	outdated := func(s *scene) *scene {
		s.Deployment.Running.Outdated = "older"
		return s
	}
	for name, c := range map[string]struct {
		s    *scene
		do   verb
		of   string
		rest time.Duration
		held bool // the route
	}{
		"it is looked at while all serves":      {s: serves("exclusive").restoring(checking), do: inspect},
		"what serves comes first":               {s: newScene().active("r1", "exclusive").instance("i1", "r1", planned, absent).restoring(checking), do: start, of: "i1", held: true},
		"then what runs is stopped":             {s: serves("exclusive").restoring(reading), do: drain, of: "i1", held: true},
		"one after the other":                   {s: serves("based").scaled(2).instance("i2", "r1", serving, running).putOff("drain i1", time.Second).restoring(replacing), do: rest, rest: time.Second, held: true},
		"then the data is replaced":             {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).restoring(replacing), do: refill, held: true},
		"or read in beside it before":           {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).restoring(reading), do: refill, held: true},
		"what is outdated goes before":          {s: outdated(newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).restoring(reading)), do: discard, held: true},
		"what crashed is not started before":    {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceCrashed, exited).restoring(replacing), do: refill, held: true},
		"until that succeeds nothing starts":    {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).putOff("refill", time.Second).restoring(replacing), do: rest, rest: time.Second, held: true},
		"its Redis is not brought back before":  {s: newScene().active("r1", "based").instance("i1", "r1", slipway.InstanceStopping, exited).ownRedis(absent).restoring(replacing), do: refill, held: true},
		"what sleeps is filled too":             {s: newScene().active("r1", "exclusive").asleep().restoring(replacing), do: refill, held: true},
		"afterwards it comes back":              {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).restoring(slipway.RestoreDone), do: again, of: "i1", held: true},
		"and after a failure":                   {s: newScene().active("r1", "exclusive").instance("i1", "r1", slipway.InstanceStopping, exited).restoring(slipway.RestoreFailed), do: again, of: "i1", held: true},
		"a build goes on beside it":             {s: newScene().active("r1", "exclusive").inProgress("r2", slipway.AwaitingBuild, "").putOff("refill", time.Second).restoring(replacing), do: build, of: "r2", held: true},
		"but no rollout begins":                 {s: newScene().active("r1", "exclusive").inProgress("r2", slipway.AwaitingDeploy, "exclusive").putOff("refill", time.Second).restoring(reading), do: rest, rest: time.Second, held: true},
		"one that has begun comes to its end":   {s: serves("shared").inProgress("r2", slipway.Deploying, "shared").instance("i2", "r2", planned, absent).restoring(replacing), do: start, of: "i2"},
		"and so does one that is taken back":    {s: handed(serves("exclusive")).restoring(replacing), do: drain, of: "i1"},
		"a deletion comes first":                {s: newScene().active("r1", "exclusive").restoring(replacing).deleting(slipway.ItemState), do: removeItem, of: "state"},
		"what is over has nothing to be done":   {s: serves("exclusive").restoring(slipway.RestoreDone), do: rest},
		"what has failed has nothing, likewise": {s: serves("exclusive").restoring(slipway.RestoreFailed), do: rest},
	} {
		t.Run(name, func(t *testing.T) {
			got := next(c.s.world)
			if got.do != c.do || c.of != "" && c.of != subject(got) || got.why == "" {
				t.Fatalf("next = %s %s (%s), want %s %s", got.do, subject(got), got.why, c.do, c.of)
			}
			if c.do == rest && (c.rest == 0) != got.at.IsZero() || c.rest != 0 && !got.at.Equal(t0.Add(c.rest)) {
				t.Errorf("rests until %v, want in %v", got.at, c.rest)
			}
			if r, ok := routeFor(c.s.world); ok && c.held != (r.State == slipway.RouteHolding) {
				t.Errorf("its route is %s", r.State)
			}
		})
	}
}

// cabinet has one snapshot.
type cabinet struct {
	FinalSnapshots
	contents slipway.SnapshotContents
	err      error
}

func (c cabinet) Look(context.Context, string) (slipway.SnapshotContents, error) {
	return c.contents, c.err
}

func (c cabinet) Database(_ context.Context, _ string, do func(io.Reader) error) error {
	return errors.Join(c.err, do(strings.NewReader("dump")))
}

func (c cabinet) State(_ context.Context, _ string, _ bool, do func(io.Reader) error) error {
	return errors.Join(c.err, do(strings.NewReader("state")))
}

// deeds writes down what is done to data.
type deeds struct {
	done    []string
	refuses string // of these
	err     error
}

func (d *deeds) do(what string) error {
	if what == d.refuses {
		return d.err
	}
	d.done = append(d.done, what)
	return nil
}

// base is a database to which something is done.
type base struct {
	slipway.Databases
	*deeds
}

func (b base) Import(ctx context.Context, _ slipway.DeploymentID, _ io.Reader, replace func(context.Context) error) error {
	if err := b.do("read dump"); err != nil {
		return err
	}
	if err := replace(ctx); err != nil {
		return err
	}
	return b.do("replace database")
}

// disk is a driver likewise.
type disk struct {
	slipway.Driver
	*deeds
}

func (d disk) Import(context.Context, slipway.DeploymentID, string, bool, io.Reader) error {
	return d.do("import state")
}

func (d disk) Restore(context.Context, slipway.DeploymentID, string) error { return d.do("restore") }

func (d disk) Discard(context.Context, slipway.DeploymentID, string) error { return d.do("discard") }

func (d disk) Delete(context.Context, slipway.DeploymentID, slipway.InstanceID) error {
	return d.do("empty Redis")
}

func (d disk) Stop(context.Context, slipway.DeploymentID, slipway.InstanceID, time.Duration) error {
	return nil
}

// restored keeps how far a restore has come, as a control plane does. At a moment it
// is cancelled: when that is told.
type restored struct {
	ledger
	a         slipway.Assignment
	cancelled slipway.Event
}

func (r *restored) Report(_ context.Context, _ slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	for _, e := range events {
		if e == r.cancelled {
			r.a.Deployment.Running = r.a.Deployment.Running.RestoreMoved(slipway.RestoreFailed, "It was cancelled.", t0)
		}
		*r.events = append(*r.events, e)
		moved := e.(slipway.RestoreMoved)
		r.a.Deployment.Running = r.a.Deployment.Running.RestoreMoved(moved.Phase, moved.Reason, t0)
	}
	return r.a, nil
}

// What may fail for good comes before anything is replaced, and then the
// deployment is as it was; what comes after is tried again. It is said before
// anything is replaced, and not done if it was cancelled.
func TestRefill(t *testing.T) {
	final, passing := &slipway.Failure{Message: "It can not be read.", Hint: "Have another."}, errors.New("the server is down")
	moved := func(to slipway.RestorePhase, why string) slipway.Event {
		return slipway.RestoreMoved{Phase: to, Reason: why}
	}
	const failed, reading, replacing, done = slipway.RestoreFailed, slipway.RestoreReading, slipway.RestoreReplacing, slipway.RestoreDone
	replaces, refused := moved(replacing, ""), moved(failed, "It can not be read. Have another.")
	type told = []slipway.Event
	for name, c := range map[string]struct {
		kind      string
		redis     int
		refuses   string
		err       error
		cancelled slipway.Event
		did       string
		want      told
		over      slipway.RestorePhase
	}{
		"a state":              {kind: "exclusive", did: "import state, restore, discard", want: told{replaces, moved(done, "")}, over: done},
		"a database":           {kind: "based", did: "read dump, replace database", want: told{replaces, moved(done, "")}, over: done},
		"with a Redis":         {kind: "based", redis: 1, did: "read dump, replace database, empty Redis", want: told{replaces, moved(done, "")}, over: done},
		"a dump is refused":    {kind: "based", refuses: "read dump", err: final, did: "discard", want: told{refused}, over: failed},
		"a database is gone":   {kind: "based", refuses: "read dump", err: slipway.ErrDatabaseGone, did: "discard", want: told{moved(failed, reasonOf(databaseGone(slipway.ErrDatabaseGone)))}, over: failed},
		"a server is down":     {kind: "based", refuses: "read dump", err: passing, want: told{moved(reading, passing.Error())}, over: reading},
		"it goes down late":    {kind: "based", refuses: "replace database", err: passing, did: "read dump", want: told{replaces, moved(replacing, passing.Error())}, over: replacing},
		"no room for a state":  {kind: "exclusive", refuses: "import state", err: final, did: "discard", want: told{refused}, over: failed},
		"it can not be put in": {kind: "exclusive", refuses: "restore", err: final, did: "import state", want: told{replaces, moved(replacing, final.Error())}, over: replacing},
		"cancelled, a state": {
			kind: "exclusive", cancelled: replaces, did: "import state",
			want: told{replaces, moved(failed, errCancelled.Error())}, over: failed,
		},
		"cancelled, a database": {
			kind: "based", cancelled: replaces, did: "read dump",
			want: told{replaces, moved(failed, errCancelled.Error())}, over: failed,
		},
		"cancelled while a server is down": {
			kind: "based", refuses: "read dump", err: passing, cancelled: moved(reading, passing.Error()),
			want: told{moved(reading, passing.Error())}, over: failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var events []slipway.Event
			did := &deeds{refuses: c.refuses, err: c.err}
			s := newScene().active("r1", c.kind).restoring(reading)
			s.RedisPort = c.redis
			control := &restored{ledger: ledger{events: &events}, a: s.Assignment, cancelled: c.cancelled}
			w := newWorker(&Reconciler{
				sync: control, outputs: deaf{}, driver: disk{deeds: did}, kinds: s.kinds,
				config: Config{Final: cabinet{}, Databases: base{deeds: did}, Logger: slog.New(slog.DiscardHandler)},
			}, slipway.Claim{Assignment: s.Assignment}, func() {})
			err := w.refillFromSnapshot(t.Context())
			if got := strings.Join(did.done, ", "); got != c.did || !reflect.DeepEqual(events, c.want) {
				t.Errorf("did %s, reported %+v; want %s, %+v", got, events, c.did, c.want)
			}
			r := control.a.Deployment.Running.Restore
			if r.Phase != c.over || (c.cancelled != nil) != (r.Reason == "It was cancelled.") {
				t.Errorf("at the end it is %+v", r)
			}
			if again := r.Pending(); again != (err != nil) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// What does not fit, or can not be read, is refused while everything serves.
func TestInspectSnapshot(t *testing.T) {
	of := func(kind string, database, state bool) slipway.SnapshotContents {
		return slipway.SnapshotContents{Kind: kind, Database: database, State: state}
	}
	contained := of("exclusive", false, true)
	contained.Contained = true
	for name, c := range map[string]struct {
		kind   string
		brings bool
		final  FinalSnapshots
		want   string // of why not, "" for that it fits
	}{
		"a state":              {kind: "exclusive", final: cabinet{contents: of("exclusive", false, true)}},
		"a database":           {kind: "based", final: cabinet{contents: of("based", true, false)}},
		"both, where one is":   {kind: "based", final: cabinet{contents: of("based", true, true)}},
		"another kind":         {kind: "based", final: cabinet{contents: of("exclusive", false, true)}, want: "another kind of agent (exclusive)"},
		"an earlier version's": {kind: "later", final: cabinet{contents: of("earlier", false, true)}},
		"a later version's":    {kind: "earlier", final: cabinet{contents: of("later", false, true)}},
		"a kind of its own":    {kind: "later", final: cabinet{contents: of("exclusive", false, true)}, want: "another kind of agent (exclusive)"},
		"an unknown kind":      {kind: "exclusive", final: cabinet{contents: of("gone", false, true)}, want: "another kind of agent (gone)"},
		"no state":             {kind: "exclusive", final: cabinet{contents: of("exclusive", false, false)}, want: "holds no state"},
		"no database":          {kind: "based", final: cabinet{contents: of("based", false, true)}, want: "holds no database"},
		"a database of its":    {kind: "based", brings: true, final: cabinet{contents: of("based", true, false)}, want: "POSTGRES_URI_CUSTOM"},
		"a container's":        {kind: "exclusive", final: cabinet{contents: contained}, want: "one is a container"},
		"damaged":              {kind: "based", final: cabinet{err: errors.New("it is torn")}, want: "it is torn"},
		"no folder any more":   {kind: "based", want: "--final-snapshots"},
		"a state where it may": {kind: "exclusive", final: cabinet{contents: of("exclusive", true, true)}, want: "none was made for the deployment"},
	} {
		t.Run(name, func(t *testing.T) {
			var events []slipway.Event
			s := newScene().active("r1", c.kind).restoring(slipway.RestoreChecking)
			if c.brings {
				s.brings("r1")
			}
			w := newWorker(&Reconciler{sync: ledger{events: &events}, kinds: s.kinds, config: Config{Final: c.final, Logger: slog.New(slog.DiscardHandler)}},
				slipway.Claim{Assignment: s.Assignment}, func() {})
			if err := w.inspectSnapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := events[0].(slipway.RestoreMoved)
			if c.want == "" && got.Phase != slipway.RestoreReading || c.want != "" && (got.Phase != slipway.RestoreFailed || !strings.Contains(got.Reason, c.want)) {
				t.Errorf("reported %+v, want %q", got, c.want)
			}
		})
	}
}
