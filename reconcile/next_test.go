package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

var (
	t0        = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	exclusive = slipway.AgentKind{Name: "exclusive", Probe: "/ok", Exclusive: true, StartFailure: 1, Start: time.Minute, Drain: 30 * time.Second}
	earlier   = slipway.AgentKind{Name: "earlier", Data: "files", Exclusive: true}
	later     = slipway.AgentKind{Name: "later", Data: "files", Exclusive: true, StandsBy: true}
	based     = slipway.AgentKind{Name: "based", Probe: "/ok", Start: time.Minute, Drain: 30 * time.Second, Needs: slipway.Needs{Postgres: true, Redis: true}}
	shared    = slipway.AgentKind{Name: "shared", Probe: "/ok", Start: time.Minute, Drain: 30 * time.Second}
)

// scene builds a world step by step, in the words of the tests.
type scene struct{ world }

func newScene() *scene {
	return &scene{world{
		Assignment: slipway.Assignment{Deployment: slipway.Deployment{ID: "d", Status: slipway.Ready, Slug: "app"}},
		kinds:      map[string]slipway.AgentKind{"exclusive": exclusive, "shared": shared, "based": based, "earlier": earlier, "later": later},
		seen:       map[slipway.InstanceID]slipway.Observed{}, started: map[slipway.InstanceID]time.Time{},
		deaf: map[slipway.InstanceID]bool{}, now: t0,
	}}
}

func revision(id string, status slipway.RevisionStatus, kind string) *slipway.Revision {
	r := &slipway.Revision{ID: slipway.RevisionID(id), Status: status}
	if kind != "" {
		r.Artefact = slipway.Artefact{Kind: kind, Digest: "digest"}
	}
	return r
}

func (s *scene) inProgress(id string, status slipway.RevisionStatus, kind string) *scene {
	s.InProgress = revision(id, status, kind)
	return s
}

func (s *scene) active(id, kind string) *scene {
	s.Active = revision(id, slipway.Deployed, kind)
	return s
}

func (s *scene) instance(id, revision string, state slipway.InstanceState, phase slipway.Phase, edit ...func(*slipway.Instance, *slipway.Observed)) *scene {
	i := slipway.Instance{ID: slipway.InstanceID(id), Revision: slipway.RevisionID(revision), State: state, Attempt: 1}
	o := slipway.Observed{Instance: i.ID, Attempt: 1, Phase: phase, Address: "127.0.0.1:1"}
	if phase == slipway.PhaseExited {
		o.Exit = &slipway.Exit{Code: 3, Reason: "last words"}
	}
	for _, e := range edit {
		e(&i, &o)
	}
	s.Instances = append(s.Instances, i)
	s.seen[i.ID] = o
	return s
}

// scaled has the deployment run several instances.
func (s *scene) scaled(n int) *scene {
	s.Deployment.Running.Replicas = n
	return s
}

// sized has the active revision ask for so many instances.
func (s *scene) sized(least, most int) *scene {
	s.Active.Config.Resources = &slipway.Resources{Server: slipway.Share{MinScale: &least, MaxScale: &most}}
	return s
}

func (s *scene) asleep() *scene {
	s.Deployment.Running.Asleep = true
	return s
}

// deleting has the deployment be deleted for good, stopping with the rest kept
// aside.
func (s *scene) deleting(items ...slipway.ItemKind) *scene {
	s.Deployment.Deletion.Purge = true
	return s.stopping(items...)
}

// removed has an item wait to be looked for again.
func (s *scene) removed(kind slipway.ItemKind) *scene {
	s.Items = append(s.Items, slipway.Item{Kind: kind, Ref: "x", RemovedAt: t0})
	return s
}

func (s *scene) stopping(items ...slipway.ItemKind) *scene {
	s.Deployment.Status = slipway.AwaitingDelete
	for _, k := range items {
		s.Items = append(s.Items, slipway.Item{Kind: k, Ref: "x"})
	}
	return s
}

// awaiting has the deployment wait for its database.
func (s *scene) awaiting() *scene {
	s.Deployment.Status = slipway.AwaitingDatabase
	return s
}

// brings has a revision name a database of its owner's.
func (s *scene) brings(revision string) *scene {
	s.Brings = map[slipway.RevisionID]slipway.Needs{slipway.RevisionID(revision): {Postgres: true}}
	return s
}

func (s *scene) released(bundle string) *scene {
	s.Items = append(s.Items, slipway.Item{Kind: slipway.ItemBundle, Ref: bundle, ReleasedAt: t0})
	return s
}

func (s *scene) building(revision string, done bool) *scene {
	s.build = &outcome{revision: slipway.RevisionID(revision), done: done}
	return s
}

func (s *scene) startedAgo(id string, ago time.Duration) *scene {
	s.started[slipway.InstanceID(id)] = t0.Add(-ago)
	return s
}

func (s *scene) putOff(key string, d time.Duration) *scene {
	s.later = map[string]time.Time{key: t0.Add(d)}
	return s
}

func crashes(n int) func(*slipway.Instance, *slipway.Observed) {
	return func(i *slipway.Instance, _ *slipway.Observed) { i.Crashes = n }
}

func exit(code int) func(*slipway.Instance, *slipway.Observed) {
	return func(_ *slipway.Instance, o *slipway.Observed) { o.Exit.Code = code }
}

func retryIn(d time.Duration) func(*slipway.Instance, *slipway.Observed) {
	return func(i *slipway.Instance, _ *slipway.Observed) { i.RetryAt = t0.Add(d) }
}

func servedFor(d time.Duration) func(*slipway.Instance, *slipway.Observed) {
	return func(i *slipway.Instance, _ *slipway.Observed) { i.StartedAt = t0.Add(-d) }
}

const (
	running = slipway.PhaseRunning
	exited  = slipway.PhaseExited
	absent  = slipway.PhaseAbsent
	serving = slipway.InstanceServing
	planned = slipway.InstancePlanned
	down_   = slipway.InstanceCrashed
	leaving = slipway.InstanceStopping
)

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		s    *scene
		do   verb
		of   string        // instance or revision
		rest time.Duration // until, 0 for ever
	}{
		"nothing is wanted":             {s: newScene(), do: rest},
		"what serves is left alone":     {s: newScene().active("r1", "shared").instance("i1", "r1", serving, running), do: rest},
		"a revision waits to be built":  {s: newScene().inProgress("r1", slipway.AwaitingBuild, ""), do: build, of: "r1"},
		"a build died with the process": {s: newScene().inProgress("r1", slipway.Building, ""), do: build, of: "r1"},
		"a build of an older revision":  {s: newScene().inProgress("r2", slipway.AwaitingBuild, "").building("r1", true), do: build, of: "r2"},
		"a build runs":                  {s: newScene().inProgress("r1", slipway.Building, "").building("r1", false), do: rest},
		"a build has ended":             {s: newScene().inProgress("r1", slipway.Building, "").building("r1", true), do: settle, of: "r1"},
		"an artefact is there":          {s: newScene().inProgress("r1", slipway.AwaitingDeploy, "shared"), do: deploy, of: "r1"},
		"an image is to be fetched":     {s: newScene().inProgress("r1", slipway.AwaitingDeploy, ""), do: build, of: "r1"},
		"an image is being fetched":     {s: newScene().inProgress("r1", slipway.AwaitingDeploy, "").building("r1", false), do: rest},
		"an image was fetched":          {s: newScene().inProgress("r1", slipway.AwaitingDeploy, "").building("r1", true), do: settle, of: "r1"},
		"what was given up goes last": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", serving, running).released("old"),
			do: removeItem, of: "bundle",
		},
		"what serves comes before what was given up": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", serving, exited).released("old"),
			do: crashed, of: "i1",
		},
		"what serves crashes during a build": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", serving, exited).inProgress("r2", slipway.Building, "").building("r2", false),
			do: crashed, of: "i1",
		},

		"an instance is planned":      {s: newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", planned, absent), do: start, of: "i1"},
		"a revision has no instance":  {s: newScene().inProgress("r1", slipway.Deploying, "shared"), do: plan, of: "r1"},
		"an instance runs":            {s: newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", planned, running), do: probe, of: "i1"},
		"an instance never answers":   {s: newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", planned, running).startedAgo("i1", 61*time.Second), do: fail, of: "r1"},
		"a start that failed finally": {s: newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, exit(1)), do: fail, of: "r1"},
		"a first crash before the gate": {
			s: newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, exit(137)), do: crashed, of: "i1",
		},
		"a crash loop before the gate": {
			s: newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, exit(137), crashes(2)), do: fail, of: "r1",
		},
		"a crashed instance waits": {
			s:  newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", down_, exited, crashes(1), retryIn(time.Second)),
			do: rest, rest: time.Second,
		},
		"a crashed instance has waited": {
			s: newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", down_, exited, crashes(1), retryIn(0)), do: again, of: "i1",
		},
		"an attempt is written down and the one before it is what is seen": {
			s: newScene().active("r1", "shared").instance("i1", "r1", planned, exited, func(i *slipway.Instance, _ *slipway.Observed) { i.Attempt = 2 }), do: start, of: "i1",
		},

		"a database is made first": {
			s: newScene().awaiting().inProgress("r1", slipway.Deploying, "based").instance("i1", "r1", planned, absent), do: provide,
		},
		"nothing starts without its database": {
			s: newScene().awaiting().inProgress("r1", slipway.Deploying, "based").instance("i1", "r1", planned, absent).putOff("provide", time.Second), do: rest, rest: time.Second,
		},
		"what brings its database starts": {
			s: newScene().awaiting().brings("r1").inProgress("r1", slipway.Deploying, "based").instance("i1", "r1", planned, absent).putOff("provide", time.Second), do: start, of: "i1",
		},
		"what needs no database starts": {
			s: newScene().awaiting().inProgress("r2", slipway.Deploying, "shared").instance("i1", "r2", planned, absent).putOff("provide", time.Second), do: start, of: "i1",
		},
		"what serves is looked after while a database is awaited": {
			s: newScene().awaiting().active("r1", "shared").instance("i1", "r1", serving, exited).inProgress("r2", slipway.Deploying, "based"), do: crashed, of: "i1",
		},
		"a database is made though its revision has failed": {s: newScene().awaiting(), do: provide},
		"what has its database starts": {
			s: newScene().inProgress("r1", slipway.Deploying, "based").instance("i1", "r1", planned, absent), do: start, of: "i1",
		},
		"no database is made for what is deleted": {s: newScene().awaiting().deleting(slipway.ItemDatabase), do: removeItem, of: "database"},

		"others run side by side": {
			s: newScene().active("r1", "shared").instance("i1", "r1", serving, running).
				inProgress("r2", slipway.Deploying, "shared").instance("i2", "r2", planned, absent),
			do: start, of: "i2",
		},
		"the old one goes after the switch": {
			s:  newScene().active("r2", "shared").instance("i1", "r1", serving, running).instance("i2", "r2", serving, running),
			do: drain, of: "i1",
		},
		"what the old one left goes": {
			s:  newScene().active("r2", "shared").instance("i1", "r1", leaving, exited).instance("i2", "r2", serving, running),
			do: remove, of: "i1",
		},
		"a failed one goes before the old one comes back": {
			s:  newScene().active("r1", "exclusive").instance("i1", "r1", leaving, exited).instance("i2", "r2", planned, running),
			do: drain, of: "i2",
		},
		"the old one is stopping and ends first": {s: newScene().active("r1", "exclusive").instance("i1", "r1", leaving, running).startedAgo("i1", time.Hour), do: drain, of: "i1"},
		"the old one comes back":                 {s: newScene().active("r1", "exclusive").instance("i1", "r1", leaving, exited), do: again, of: "i1"},

		"what serves has vanished":          {s: newScene().active("r1", "shared").instance("i1", "r1", serving, absent), do: again, of: "i1"},
		"what serves crashed":               {s: newScene().active("r1", "shared").instance("i1", "r1", serving, exited), do: crashed, of: "i1"},
		"it has crashed often and is tried": {s: newScene().active("r1", "shared").instance("i1", "r1", down_, exited, crashes(50), retryIn(-time.Second)), do: again, of: "i1"},
		"it does not come back":             {s: newScene().active("r1", "shared").instance("i1", "r1", planned, running).startedAgo("i1", 2*time.Minute), do: kill, of: "i1"},
		"what could not be started waits": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", down_, absent, crashes(1), retryIn(time.Second)),
			do: rest, rest: time.Second,
		},
		"an older build ends before the next begins": {s: newScene().inProgress("r2", slipway.AwaitingBuild, "").building("r1", false), do: rest},
		"what goes does not keep a build from beginning": {
			s:  newScene().active("r2", "exclusive").instance("i1", "r1", serving, running).instance("i2", "r2", planned, absent).inProgress("r3", slipway.AwaitingBuild, ""),
			do: build, of: "r3",
		},
		"what goes does not keep what serves from its restart": {
			s:  newScene().active("r2", "shared").instance("i1", "r1", serving, running).instance("i2", "r2", planned, absent),
			do: start, of: "i2",
		},
		"of state what runs goes first": {
			s:  newScene().active("r2", "exclusive").instance("i1", "r1", serving, running).instance("i2", "r2", planned, absent),
			do: drain, of: "i1",
		},
		"of state nothing starts while what runs can not be stopped": {
			s: newScene().active("r2", "exclusive").instance("i1", "r1", serving, running).instance("i2", "r2", planned, absent).
				putOff("drain i1", 5*time.Second),
			do: rest, rest: 5 * time.Second,
		},
		"what can not be removed waits": {
			s: newScene().active("r2", "shared").instance("i2", "r2", serving, running).instance("i0", "r0", leaving, exited).
				instance("i1", "r1", leaving, exited).putOff("remove i0", 5*time.Second),
			do: remove, of: "i1",
		},
		"deleted: what can not be stopped keeps nothing else": {
			s: newScene().instance("i1", "r1", leaving, running).instance("i2", "r2", leaving, exited).deleting(slipway.ItemState).
				putOff("drain i1", 5*time.Second),
			do: remove, of: "i2",
		},
		"deleted: what can not be removed keeps nothing else": {
			s: newScene().deleting(slipway.ItemBundle, slipway.ItemState).putOff("remove item state x", 5*time.Second), do: removeItem, of: "bundle",
		},
		"deleted: instances go while a build is cancelled": {
			s: newScene().instance("i1", "r1", leaving, exited).deleting(slipway.ItemBundle).building("r2", false), do: remove, of: "i1",
		},
		"it came back a moment ago": {
			s: newScene().active("r1", "shared").instance("i1", "r1", serving, running, crashes(2), servedFor(20*time.Second)), do: rest, rest: 40 * time.Second,
		},
		"it came back for good": {s: newScene().active("r1", "shared").instance("i1", "r1", serving, running, crashes(2), servedFor(time.Hour)), do: calm, of: "i1"},

		"several: those that are missing are planned": {s: newScene().active("r1", "shared").scaled(3).instance("i1", "r1", serving, running), do: plan, of: "r1"},
		"several: one that is planned starts beside the others": {
			s:  newScene().active("r1", "shared").scaled(2).instance("i1", "r1", serving, running).instance("i2", "r1", planned, absent),
			do: start, of: "i2",
		},
		"several: a crash is one's own": {
			s:  newScene().active("r1", "shared").scaled(2).instance("i1", "r1", serving, exited).instance("i2", "r1", serving, running),
			do: crashed, of: "i1",
		},
		"several: one that waits keeps none from its start": {
			s: newScene().active("r1", "shared").scaled(2).instance("i1", "r1", down_, exited, crashes(1), retryIn(time.Second)).
				instance("i2", "r1", planned, absent),
			do: start, of: "i2",
		},
		"several: the youngest goes first": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", serving, running).instance("i2", "r1", serving, running),
			do: drain, of: "i2",
		},
		"several: what does not serve goes before what does": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", down_, exited, crashes(1), retryIn(time.Hour)).instance("i2", "r1", serving, running),
			do: remove, of: "i1",
		},
		"several: one that is being stopped goes on going": {
			s:  newScene().active("r1", "shared").instance("i1", "r1", leaving, running).instance("i2", "r1", planned, running).putOff("probe i2", time.Second),
			do: drain, of: "i1",
		},
		"several: one that was stopped is wanted again": {
			s:  newScene().active("r1", "shared").scaled(2).instance("i1", "r1", serving, running).instance("i2", "r1", leaving, exited),
			do: again, of: "i2",
		},
		"several: of state there is one": {s: newScene().active("r1", "exclusive").scaled(3).instance("i1", "r1", serving, running), do: rest},
		"several: a gate waits for all": {
			s: newScene().scaled(2).inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", serving, running).
				instance("i2", "r1", planned, running),
			do: probe, of: "i2",
		},
		"several: all serve": {
			s: newScene().scaled(2).inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", serving, running).
				instance("i2", "r1", serving, running),
			do: pass, of: "r1",
		},
		"several: fewer are wanted during a rollout": {
			s: newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", serving, running).
				instance("i2", "r1", planned, absent),
			do: pass, of: "r1",
		},
		"several: one that does not start fails them all": {
			s: newScene().scaled(2).inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", serving, running).
				instance("i2", "r1", planned, exited, crashes(2)),
			do: fail, of: "r1",
		},

		"several: no more than may be": {s: newScene().active("r1", "shared").sized(1, 2).scaled(9).instance("i1", "r1", serving, running).instance("i2", "r1", serving, running), do: rest},
		"several: no fewer than may be": {
			s:  newScene().active("r1", "shared").sized(2, 2).instance("i1", "r1", serving, running),
			do: plan, of: "r1",
		},
		"several: each revision is sized by itself": {
			s: newScene().active("r1", "shared").sized(2, 2).instance("i1", "r1", serving, running).instance("i2", "r1", serving, running).
				inProgress("r2", slipway.Deploying, "shared").instance("i3", "r2", serving, running),
			do: pass, of: "r2",
		},

		"asleep: what serves is let end": {s: newScene().active("r1", "exclusive").asleep().instance("i1", "r1", serving, running), do: lull, of: "i1"},
		"asleep: and goes":               {s: newScene().active("r1", "exclusive").asleep().instance("i1", "r1", leaving, exited), do: remove, of: "i1"},
		"asleep: what has crashed goes":  {s: newScene().active("r1", "shared").asleep().instance("i1", "r1", down_, exited, crashes(1)), do: remove, of: "i1"},
		"asleep: nothing starts":         {s: newScene().active("r1", "shared").asleep(), do: rest},
		"asleep: all of several go": {
			s:  newScene().active("r1", "shared").scaled(2).asleep().instance("i1", "r1", leaving, exited).instance("i2", "r1", serving, running),
			do: remove, of: "i1",
		},
		"asleep: a new revision is built": {s: newScene().active("r1", "shared").asleep().inProgress("r2", slipway.AwaitingBuild, ""), do: build, of: "r2"},
		"asleep: a new revision takes over": {
			s:  newScene().active("r1", "exclusive").asleep().inProgress("r2", slipway.Deploying, "exclusive").instance("i2", "r2", planned, absent),
			do: move,
		},
		"woken: one that is being stopped ends first":  {s: newScene().active("r1", "exclusive").instance("i1", "r1", leaving, running), do: drain, of: "i1"},
		"woken: one that was stopped is started again": {s: newScene().active("r1", "exclusive").instance("i1", "r1", leaving, exited), do: again, of: "i1"},
		"deleted while it slept":                       {s: newScene().active("r1", "shared").asleep().deleting(slipway.ItemState), do: removeItem, of: "state"},

		"deleted: a build is cancelled first": {s: newScene().deleting(slipway.ItemBundle).building("r1", false), do: rest},
		"deleted: what runs is stopped":       {s: newScene().active("r1", "shared").instance("i1", "r1", serving, running).deleting(slipway.ItemState), do: drain, of: "i1"},
		"deleted: nobody reaches what is stopped": {
			s: newScene().active("r1", "shared").instance("i1", "r1", serving, running).deleting(slipway.ItemRoute), do: removeItem, of: "route",
		},
		"deleted: instances go":                         {s: newScene().instance("i1", "r1", leaving, exited).deleting(slipway.ItemState), do: remove, of: "i1"},
		"deleted: state goes before bundles":            {s: newScene().deleting(slipway.ItemBundle, slipway.ItemState), do: removeItem, of: "state"},
		"deleted: nothing is left":                      {s: newScene().deleting(), do: rest},
		"deleted: what was removed is looked for again": {s: newScene().deleting().removed(slipway.ItemState), do: lookAgain},
		"deleted: all is removed before anything is looked for again": {
			s: newScene().deleting(slipway.ItemBundle).removed(slipway.ItemState), do: removeItem, of: "bundle",
		},
		"deleted: what can not be removed is waited for": {
			s: newScene().deleting(slipway.ItemBundle).removed(slipway.ItemState).putOff("remove item bundle x", 5*time.Second), do: rest, rest: 5 * time.Second,
		},
		"kept aside: what runs is stopped": {
			s: newScene().active("r1", "shared").instance("i1", "r1", serving, running).stopping(slipway.ItemState), do: drain, of: "i1",
		},
		"kept aside: what is left stays":        {s: newScene().stopping(slipway.ItemState, slipway.ItemBundle), do: rest},
		"kept aside: what went is looked for":   {s: newScene().stopping(slipway.ItemState).removed(slipway.ItemInstance), do: lookAgain},
		"kept aside: a build does not matter":   {s: newScene().stopping(slipway.ItemRoute, slipway.ItemBundle).building("r2", false), do: removeItem, of: "route"},
		"kept aside: a lost instance goes, too": {s: newScene().stopping(slipway.ItemInstance), do: removeItem, of: "instance"},
	} {
		t.Run(name, func(t *testing.T) {
			got := next(c.s.world)
			if got.do != c.do || c.of != "" && c.of != subject(got) {
				t.Fatalf("next = %s %s (%s), want %s %s", got.do, subject(got), got.why, c.do, c.of)
			}
			if got.why == "" {
				t.Error("the step has no reason")
			}
			if c.do == rest && (c.rest == 0) != got.at.IsZero() || c.rest != 0 && !got.at.Equal(t0.Add(c.rest)) {
				t.Errorf("rests until %v, want in %v", got.at, c.rest)
			}
		})
	}
}

// The last instance that answers takes its revision through the gate with it.
func TestTheLastInstanceIsKnown(t *testing.T) {
	s := newScene().scaled(3).inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", serving, running).
		instance("i2", "r1", planned, running)
	if got := next(s.putOff("plan r1", time.Second).world); got.do != probe || got.last {
		t.Errorf("with one to come: %s, the last: %t", got.do, got.last)
	}
	s.instance("i3", "r1", serving, running)
	if got := next(s.world); got.do != probe || !got.last {
		t.Errorf("with none to come: %s, the last: %t", got.do, got.last)
	}
}

func TestRoutesLeadToAllThatServe(t *testing.T) {
	at := func(address string) func(*slipway.Instance, *slipway.Observed) {
		return func(_ *slipway.Instance, o *slipway.Observed) { o.Address = address }
	}
	s := newScene().active("r1", "shared").scaled(3).instance("i1", "r1", serving, running, at("a")).instance("i2", "r1", planned, running, at("b")).
		instance("i3", "r1", serving, running, at("c")).instance("i4", "r2", serving, running, at("d"))
	if r, _ := routeFor(s.world); strings.Join(r.Addresses, " ") != "a c" {
		t.Errorf("the route leads to %q", r.Addresses)
	}
	if r, _ := routeFor(s.scaled(1).world); strings.Join(r.Addresses, " ") != "a" {
		t.Errorf("to one that is to go: %q", r.Addresses)
	}
}

func TestHealthOfSeveral(t *testing.T) {
	exit := &slipway.Exit{Code: 3}
	up := slipway.Instance{State: serving, Crashes: 2}
	down := slipway.Instance{State: down_, Crashes: 1, Exit: exit}
	loop := slipway.Instance{State: planned, Crashes: crashLoop, Exit: exit}
	for name, c := range map[string]struct {
		all  []slipway.Instance
		want slipway.HealthState
		says string
	}{
		"all serve":     {[]slipway.Instance{up, up}, slipway.Healthy, ""},
		"one to come":   {[]slipway.Instance{up, {State: planned}}, slipway.Healthy, ""},
		"one is down":   {[]slipway.Instance{up, down}, slipway.Restarts, "1 of 2 replicas serve. The agent server exited with code 3 (1 in a row). It printed nothing."},
		"one in a loop": {[]slipway.Instance{up, down, loop}, slipway.Unhealthy, "1 of 3 replicas serve. The agent server exited with code 3 (5 in a row). It printed nothing."},
		"the only one":  {[]slipway.Instance{down}, slipway.Restarts, "The agent server exited with code 3 (1 in a row). It printed nothing."},
	} {
		if h := healthOf(c.all); h.State != c.want || h.Reason != c.says {
			t.Errorf("%s: %q %q", name, h.State, h.Reason)
		}
	}
}

func subject(s step) string {
	switch {
	case s.do == removeItem:
		return string(s.item.Kind)
	case s.do == fail, s.instance.ID == "" && s.revision != nil:
		return string(s.revision.ID)
	}
	return string(s.instance.ID)
}

func TestFailuresQuoteTheAgent(t *testing.T) {
	s := newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, exit(1))
	f := next(s.world).failure
	if f.Code != "start_failed" || f.Exit == nil || *f.Exit != 1 || !strings.Contains(f.Message, "last words") || !strings.Contains(f.Message, "code 1") {
		t.Errorf("failure of a start: %+v", f)
	}
	s = newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, exit(137), crashes(2))
	if f := next(s.world).failure; f.Code != "crash_loop" || !strings.Contains(f.Message, "3 times") {
		t.Errorf("failure of a crash loop: %+v", f)
	}
}

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		s    *scene
		want slipway.RouteState // "" for none
	}{
		"before the first gate": {newScene().inProgress("r1", slipway.Deploying, "shared").instance("i1", "r1", planned, running), ""},
		"serving":               {newScene().active("r1", "shared").instance("i1", "r1", serving, running), slipway.RouteServing},
		"beside a new one": {newScene().active("r1", "shared").instance("i1", "r1", serving, running).
			inProgress("r2", slipway.Deploying, "shared").instance("i2", "r2", planned, running), slipway.RouteServing},
		"after a crash":    {newScene().active("r1", "shared").instance("i1", "r1", down_, exited, crashes(1)), slipway.RouteHolding},
		"in a crash loop":  {newScene().active("r1", "shared").instance("i1", "r1", down_, exited, crashes(crashLoop)), slipway.RouteDown},
		"not yet up again": {newScene().active("r1", "shared").instance("i1", "r1", planned, running, crashes(1)), slipway.RouteHolding},
		"being deleted":    {newScene().active("r1", "shared").instance("i1", "r1", serving, running).deleting(), ""},
		"without its port": {func() *scene {
			s := newScene().active("r1", "shared").instance("i1", "r1", serving, running)
			s.deaf["i1"] = true
			return s
		}(), slipway.RouteHolding},
		"one of several is down": {newScene().active("r1", "shared").scaled(2).instance("i1", "r1", down_, exited, crashes(crashLoop)).
			instance("i2", "r1", serving, running), slipway.RouteServing},
		"one of several may come back": {newScene().active("r1", "shared").scaled(2).instance("i1", "r1", down_, exited, crashes(crashLoop)).
			instance("i2", "r1", planned, running), slipway.RouteHolding},
		"asleep":               {newScene().active("r1", "shared").asleep(), slipway.RouteAsleep},
		"falling asleep":       {newScene().active("r1", "shared").asleep().instance("i1", "r1", serving, running), slipway.RouteAsleep},
		"woken":                {newScene().active("r1", "shared").instance("i1", "r1", leaving, exited), slipway.RouteHolding},
		"woken in good time":   {newScene().active("r1", "shared").instance("i1", "r1", serving, running), slipway.RouteServing},
		"deleted in its sleep": {newScene().active("r1", "shared").asleep().deleting(), ""},
		"another attempt up":   {newScene().active("r1", "shared").instance("i1", "r1", serving, running, func(i *slipway.Instance, _ *slipway.Observed) { i.Attempt = 2 }), slipway.RouteHolding},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := routeFor(c.s.world)
			if ok != (c.want != "") || r.State != c.want {
				t.Errorf("route is %q (%t), want %q", r.State, ok, c.want)
			}
			if r.Public {
				t.Error("it is for everybody unasked")
			}
			c.s.Deployment.Config.Access = slipway.AccessPublic
			if r, ok := routeFor(c.s.world); ok && !r.Public {
				t.Error("it is not for everybody")
			}
			if r.State == slipway.RouteServing && len(r.Addresses) == 0 || r.State == slipway.RouteDown && r.Reason == "" {
				t.Errorf("incomplete route %+v", r)
			}
		})
	}
}
