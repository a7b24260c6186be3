package simulation

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// story is a change that a data plane may die in.
type story struct {
	before func(*world, *app) // what happened already
	change func(*world, *app)
	want   string             // statuses of the revisions at the end, "" for gone
	left   int                // instances at the end, 0 for one; none is -1
	check  func(*world, *app) // of the end; nil for nothing
	every  bool               // death is died in CI too
}

const (
	good  = "kind=plain build=ok agent=good"
	state = "kind=state build=ok agent=good"

	based     = "kind=based build=ok agent=good"
	stands    = "kind=stands build=ok agent=good"
	standsBad = "kind=stands build=ok agent="
)

func pushed(source string) func(*world, *app) {
	return func(w *world, a *app) { w.push(a, source) }
}

func replicated(source string, n int) func(*world, *app) {
	return func(w *world, a *app) {
		w.push(a, source)
		w.settle()
		w.scale(a, n)
	}
}

func sleeping(source string) func(*world, *app) {
	return func(w *world, a *app) {
		w.push(a, source)
		w.settle()
		w.lull(a)
		w.settle()
		if len(w.instances(a)) > 0 {
			w.fault("%s is awake", a.name)
		}
	}
}

// aside is a deployment that was deleted and can be restored.
func aside(source string) func(*world, *app) { return asideAfter(pushed(source)) }

func asideAfter(before func(*world, *app)) func(*world, *app) {
	return func(w *world, a *app) {
		before(w, a)
		if len(w.revisions(a)) == 1 {
			w.settle()
		}
		w.putAside(a)
	}
}

var stories = map[string]story{
	"first deploy":                    {change: pushed(good), want: "DEPLOYED"},
	"first deploy, of state":          {change: pushed(state), want: "DEPLOYED"},
	"a build that fails":              {before: pushed(good), change: pushed("kind=plain build=fail"), want: "DEPLOYED BUILD_FAILED"},
	"a start that fails":              {before: pushed(state), change: pushed("kind=state build=ok agent=refuse"), want: "DEPLOYED DEPLOY_FAILED"},
	"a crash loop":                    {before: pushed(good), change: pushed("kind=plain build=ok agent=crash"), want: "DEPLOYED DEPLOY_FAILED"},
	"replacement, one at a time":      {before: pushed(state), change: pushed(state), want: "DEPLOYED DEPLOYED"},
	"replacement, side by side":       {before: pushed(good), change: pushed(good), want: "DEPLOYED DEPLOYED"},
	"replacement of plain by state":   {before: pushed(good), change: pushed(state), want: "DEPLOYED DEPLOYED"},
	"hand-over":                       {before: pushed(stands), change: pushed(stands), want: "DEPLOYED DEPLOYED"},
	"hand-over of busy runs":          {before: pushed(standsBad + busy), change: pushed(stands), want: "DEPLOYED DEPLOYED"},
	"hand-over from another kind":     {before: pushed(state), change: pushed(stands), want: "DEPLOYED DEPLOYED"},
	"a load that fails":               {before: pushed(stands), change: pushed(standsBad + refuses), want: "DEPLOYED DEPLOY_FAILED"},
	"ruined by the first":             {change: pushed(standsBad + ruins), want: "DEPLOY_FAILED", left: -1},
	"ruined by the first, alone":      {change: pushed("kind=state build=ok agent=" + ruins), want: "DEPLOY_FAILED", left: -1},
	"ruined by the first, and mended": {before: pushed("kind=state build=ok agent=" + ruins), change: pushed(state), want: "DEPLOY_FAILED DEPLOYED"},
	"a state that is ruined":          {before: pushed(stands), change: pushed(standsBad + ruins), want: "DEPLOYED DEPLOY_FAILED"},
	"ruined, one at a time":           {before: pushed(state), change: pushed("kind=state build=ok agent=" + ruins), want: "DEPLOYED DEPLOY_FAILED"},
	"hand-over to an image":           {before: pushed(stands), change: pushed(state + " as=image"), want: "DEPLOYED DEPLOYED"},
	"hand-over from an image":         {before: pushed(state + " as=image"), change: pushed(stands), want: "DEPLOYED DEPLOYED"},
	"hand-over between images":        {before: pushed(stands + " as=image"), change: pushed(stands + " as=image"), want: "DEPLOYED DEPLOYED"},
	"hand-over to a later image":      {before: pushed(state + " as=image"), change: pushed(stands + " as=image"), want: "DEPLOYED DEPLOYED"},
	"hand-over to an earlier image":   {before: pushed(stands + " as=image"), change: pushed(state + " as=image"), want: "DEPLOYED DEPLOYED"},
	"ruined, between images":          {before: pushed(stands + " as=image"), change: pushed(standsBad + ruins + " as=image"), want: "DEPLOYED DEPLOY_FAILED"},
	"ruined, the first image":         {before: pushed(stands), change: pushed("kind=state build=ok as=image agent=" + ruins), want: "DEPLOYED DEPLOY_FAILED"},
	"ruined, after an image":          {before: pushed(state + " as=image"), change: pushed(standsBad + ruins), want: "DEPLOYED DEPLOY_FAILED"},
	"a second hand-over": {before: func(w *world, a *app) {
		w.push(a, stands)
		w.settle()
		w.push(a, stands)
	}, change: pushed(stands), want: "DEPLOYED DEPLOYED DEPLOYED"},
	"deletion of what is handed over": {before: pushed(stands), change: func(w *world, a *app) {
		w.push(a, stands)
		time.Sleep(4 * time.Second)
		w.delete(a)
	}},
	"a new revision in the middle": {before: pushed(stands), change: func(w *world, a *app) {
		r := w.push(a, standsBad+servesLate)
		time.Sleep(6 * time.Second)
		w.push(a, stands)
		w.interrupt(a, r)
	}, want: "DEPLOYED INTERRUPTED DEPLOYED"},
	"deletion": {every: true, before: pushed(state), change: func(w *world, a *app) { w.delete(a) }},
	"deletion in the middle": {before: pushed(good), change: func(w *world, a *app) {
		w.push(a, good)
		time.Sleep(1500 * time.Millisecond)
		w.delete(a)
	}},
	"what does not settle":            {before: pushed(good), change: pushed("kind=plain build=ok agent=brief"), want: "DEPLOYED DEPLOYED DEPLOYED"},
	"state that does not settle":      {before: pushed(state), change: pushed("kind=state build=ok agent=brief"), want: "DEPLOYED DEPLOYED DEPLOYED"},
	"what hangs":                      {before: pushed(good), change: pushed("kind=plain build=ok agent=hang"), want: "DEPLOYED DEPLOYED DEPLOYED"},
	"restart after a crash":           {before: pushed(good), change: func(w *world, a *app) { w.agents.crash(w.address(a)) }, want: "DEPLOYED"},
	"more replicas":                   {before: pushed(good), change: func(w *world, a *app) { w.scale(a, 3) }, want: "DEPLOYED", left: 3},
	"fewer replicas":                  {before: replicated(good, 3), change: func(w *world, a *app) { w.scale(a, 1) }, want: "DEPLOYED"},
	"replacement of several":          {before: replicated(good, 3), change: pushed(good), want: "DEPLOYED DEPLOYED", left: 3},
	"replacement of several by state": {before: replicated(good, 2), change: pushed(state), want: "DEPLOYED DEPLOYED"},
	"one of several crashes":          {before: replicated(good, 2), change: func(w *world, a *app) { w.agents.crash(w.address(a)) }, want: "DEPLOYED", left: 2},
	"falling asleep":                  {before: replicated(good, 2), change: (*world).lull, want: "DEPLOYED", left: -1},
	"falling asleep, of state":        {before: pushed(state), change: (*world).lull, want: "DEPLOYED", left: -1},
	"waking":                          {before: sleeping(state), change: (*world).ask, want: "DEPLOYED"},
	"waking too early": {before: pushed(state), change: func(w *world, a *app) {
		w.lull(a)
		time.Sleep(2500 * time.Millisecond) // it is being stopped
		w.rouse(a)
	}, want: "DEPLOYED"},
	"replacement of what sleeps":   {before: sleeping(state), change: pushed(state), want: "DEPLOYED DEPLOYED"},
	"a failure beside what sleeps": {before: sleeping(good), change: pushed("kind=plain build=ok agent=refuse"), want: "DEPLOYED DEPLOY_FAILED", left: -1},
	"putting aside":                {before: pushed(state), change: func(w *world, a *app) { w.putAside(a) }, want: "DEPLOYED", left: -1},
	"putting aside in a build": {before: pushed(good), change: func(w *world, a *app) {
		w.push(a, good)
		time.Sleep(1500 * time.Millisecond)
		w.putAside(a)
	}, want: "DEPLOYED INTERRUPTED", left: -1},
	"restore":              {before: aside(state), change: (*world).restore, want: "DEPLOYED"},
	"restore of several":   {before: asideAfter(replicated(good, 3)), change: (*world).restore, want: "DEPLOYED", left: 3},
	"restore of a sleeper": {before: asideAfter(sleeping(state)), change: (*world).restore, want: "DEPLOYED"},
	"restore of what was handed over": {before: asideAfter(func(w *world, a *app) {
		w.push(a, stands)
		w.settle()
		w.push(a, standsBad+mute)
		time.Sleep(9 * time.Second) // the new one has the state open
	}), change: (*world).restore, want: "DEPLOYED INTERRUPTED"},
	"restore, and a new revision": {before: aside(state), change: func(w *world, a *app) {
		w.restore(a)
		w.push(a, state)
	}, want: "DEPLOYED DEPLOYED"},
	"restore, and deletion": {before: aside(state), change: func(w *world, a *app) {
		w.restore(a)
		time.Sleep(time.Second)
		w.delete(a)
	}},
	"purge":         {before: aside(state), change: func(w *world, a *app) { w.delete(a) }},
	"purge in time": {before: aside(state), change: func(*world, *app) { time.Sleep(undo) }},
	"purge of what is being put aside": {before: pushed(state), change: func(w *world, a *app) {
		w.putAside(a)
		time.Sleep(500 * time.Millisecond)
		w.delete(a)
	}},
	"force": {before: pushed(state), change: func(w *world, a *app) {
		w.delete(a)
		w.force(a)
	}},
	"deletion beside a neighbour": {before: func(w *world, a *app) {
		w.push(w.create(a.name+"-too"), state+" nonce=shared")
		w.push(a, state+" nonce=shared")
	}, change: func(w *world, a *app) { w.delete(a) }},
	"deletion of what sleeps":       {before: sleeping(state), change: func(w *world, a *app) { w.delete(a) }},
	"first deploy, with a database": {change: pushed(based), want: "DEPLOYED"},
	"a database later":              {before: pushed(good), change: pushed(based), want: "DEPLOYED DEPLOYED"},
	"a replacement with a database": {before: pushed(based), change: pushed(based), want: "DEPLOYED DEPLOYED"},
	"a database that comes late": {change: func(w *world, a *app) {
		w.fail("postgres", true)
		w.push(a, based)
		time.Sleep(time.Minute)
		w.mend()
	}, want: "DEPLOYED"},
	"rotation":             {before: pushed(based), change: (*world).rotate, want: "DEPLOYED DEPLOYED"},
	"rotation of replicas": {before: replicated(based, 3), change: (*world).rotate, want: "DEPLOYED DEPLOYED", left: 3},
	"rotation, twice": {before: pushed(based), change: func(w *world, a *app) {
		w.rotate(a)
		time.Sleep(time.Second)
		w.rotate(a)
	}, want: "DEPLOYED DEPLOYED DEPLOYED"},
	"rotation of what sleeps":  {before: sleeping(based), change: (*world).rotate, want: "DEPLOYED DEPLOYED"},
	"deletion with a database": {every: true, before: pushed(based), change: func(w *world, a *app) { w.delete(a) }},
	"deletion in a rotation": {before: pushed(based), change: func(w *world, a *app) {
		w.rotate(a)
		time.Sleep(time.Second)
		w.delete(a)
	}},
	"deletion before the database": {before: pushed(good), change: func(w *world, a *app) {
		w.fail("postgres", true)
		w.push(a, based)
		time.Sleep(30 * time.Second)
		w.delete(a)
		time.Sleep(30 * time.Second)
		w.mend()
	}},
	"deletion of what was dropped": {before: pushed(based), change: func(w *world, a *app) {
		w.servers.drop(a.id)
		w.delete(a)
	}},
	"putting aside with a database": {every: true, before: pushed(based), change: func(w *world, a *app) { w.putAside(a) }, want: "DEPLOYED", left: -1},
	"restore with a database":       {before: aside(based), change: (*world).restore, want: "DEPLOYED"},
	"purge with a database":         {every: true, before: aside(based), change: func(w *world, a *app) { w.delete(a) }},
	"restore of what never had its database": {before: func(w *world, a *app) {
		w.push(a, good)
		w.settle()
		w.fail("postgres", true)
		w.push(a, based)
		time.Sleep(30 * time.Second)
		w.mend()
		w.putAside(a)
	}, change: func(w *world, a *app) {
		w.restore(a)
		w.push(a, based)
	}, want: "DEPLOYED INTERRUPTED DEPLOYED"},
	"restart of state": {before: pushed(state), change: func(w *world, a *app) { w.agents.crash(w.address(a)) }, want: "DEPLOYED"},
}

// A data plane may die before or after any call it makes, and the next one
// brings everything to the same end.
func TestDeathAtEachCall(t *testing.T) { dieInEach(t, stories) }

func dieInEach(t *testing.T, stories map[string]story, edits ...func(*world)) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, edits...)
				calls := len(w.tell(s, 0, false))
				for _, d := range deaths(calls, s.every) {
					if !w.faulty() {
						w.tell(s, d/2+1, d%2 == 1)
					}
				}
			})
		})
	}
}

// deaths are those before and after each call, or a few of them where not all
// is asked for: the least number is two for each story.
func deaths(calls int, every bool) []int {
	all := rand.Perm(2 * calls)
	if !thorough && !every {
		all = all[:min(len(all), 2)]
	}
	return all
}

// tell plays a story once, with a death at the kth call from its change on, and
// returns the calls that were made.
func (w *world) tell(s story, k int, after bool) []string {
	w.nonces++
	a := w.create(fmt.Sprint("app-", w.nonces))
	if s.before != nil {
		s.before(w, a)
		w.settle()
	}
	had := len(w.plane.made())
	if k > 0 {
		w.plane.doomAt(k, after)
	}
	s.change(w, a)
	for range 400 { // what hangs takes minutes to be known for it
		synctest.Wait()
		if w.plane.isDead() || w.settled() {
			break
		}
		time.Sleep(time.Second)
	}
	calls := w.plane.made()[had:]
	w.plane.doomAt(0, false)
	w.revive()
	w.settle()
	w.checkIdle()
	if got := w.statuses(a); got != s.want {
		w.fault("the end is %q, want %q", got, s.want)
	}
	if instances := w.instances(a); s.want != "" && len(instances) != max(0, cmp.Or(s.left, 1)) {
		w.fault("%d instances are left, want %d", len(instances), s.left)
	}
	if s.check != nil {
		s.check(w, a)
	}
	w.clear()
	if w.faulty() {
		w.t.Errorf("death at call %d (after it: %t) of %q", k, after, calls)
	}
	delete(w.apps, a.id)
	return calls
}

// Who dies while requests are held, and the old instance has not been told to
// stop, is followed by one who lets it serve, and hands over afterwards.
func TestDeathWhileHolding(t *testing.T) {
	for _, name := range []string{"hand-over", "hand-over of busy runs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				k := slices.Index(w.tell(stories[name], 0, false), "Drained")
				if k < 0 {
					t.Fatal("nothing was held")
				}
				w.tell(stories[name], k+1, false)
				if w.heldOver == 0 {
					t.Error("the old instance did not live through it")
				}
			})
		})
	}
}
