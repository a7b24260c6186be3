package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
)

// in runs a test in a world of its own, in which all must be well at the end.
func in(t *testing.T, test func(w *world), edits ...func(*world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, edits...)) })
}

// within waits until something is so, and is a fault if it takes too long.
func (w *world) within(limit time.Duration, what string, holds func() bool) {
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			w.fault("not within %v: %s\n%s", limit, what, w.describe())
			return
		}
		time.Sleep(max(limit/200, 10*time.Millisecond))
		synctest.Wait()
	}
}

// isServing: a route leads to what runs.
func (w *world) isServing(a *app) func() bool {
	return func() bool {
		r, ok := w.plane.router.of(a.id)
		all, err := w.fake.List(w.t.Context())
		return ok && err == nil && r.State == slipway.RouteServing && slices.ContainsFunc(all, func(o slipway.Observed) bool {
			return o.Deployment == a.id && o.Phase == slipway.PhaseRunning && slices.Contains(r.Addresses, o.Address)
		})
	}
}

func (w *world) isDeployed(a *app, r slipway.RevisionID) func() bool {
	return func() bool {
		return slices.ContainsFunc(w.revisions(a), func(f slipway.Revision) bool { return f.ID == r && f.Status == slipway.Deployed })
	}
}

func (w *world) health(a *app) slipway.Health {
	s, _ := w.control.current()
	v, _ := s.Get(w.t.Context(), w.who, a.id)
	return v.Health
}

// made counts the calls of a name.
func (p *plane) count(name string) int {
	n := 0
	for _, c := range p.made() {
		if c == name || strings.HasPrefix(c, name+" ") {
			n++
		}
	}
	return n
}

// What can not be removed is tried again, less and less often, and meanwhile
// what serves is looked after.
func TestWhatCanNotBeRemovedIsInNobodysWay(t *testing.T) {
	for _, what := range []string{"delete", "stop"} {
		t.Run(what, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.push(a, good)
				w.settle()
				w.fail(what, true)
				r := w.push(a, good)
				w.within(time.Minute, "the second revision", w.isDeployed(a, r))
				time.Sleep(time.Minute)
				w.agents.crash(w.address(a))
				synctest.Wait()
				w.within(5*time.Second, "the restart", w.isServing(a))
				tries, writes := len(w.plane.made()), w.store.writes.Load()
				time.Sleep(10 * time.Minute)
				if n := len(w.plane.made()) - tries; n > 600 {
					w.fault("%d calls in ten minutes", n)
				}
				if n := w.store.writes.Load() - writes; n > 300 {
					w.fault("%d writes in ten minutes", n)
				}
				w.mend()
				w.settle()
			})
		})
	}
}

// A deletion goes on with what can be removed.
func TestADeletionGoesAsFarAsItCan(t *testing.T) {
	for what, stuck := range map[string]slipway.ItemKind{"purge": slipway.ItemState, "delete": slipway.ItemInstance} {
		t.Run(what, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.push(a, state)
				w.settle()
				w.fail(what, true)
				w.delete(a)
				time.Sleep(2 * time.Minute)
				w.view(func(tx slipway.Tx) {
					d, _ := tx.Deployment(a.id)
					items, _ := tx.ListItems(a.id)
					remove, _ := d.Part(items)
					for _, i := range remove {
						goesWithRows := i.Kind == slipway.ItemLogs || i.Kind == slipway.ItemRecords
						if i.RemovedAt.IsZero() != (i.Kind == stuck || goesWithRows) {
							w.fault("after two minutes: %+v", i)
						}
						if i.Kind == stuck && (i.LastError == "" || i.Attempts < 3) {
							w.fault("nothing tells of what stays: %+v", i)
						}
					}
				})
				w.mend()
				w.settle()
			})
		})
	}
}

// What keeps a deletion from its end for hours is tried ever less often, and said
// once.
func TestAStuckDeletionGrowsQuiet(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, state)
		w.settle()
		w.fail("purge", true)
		w.delete(a)
		time.Sleep(5 * time.Second)
		said := strings.Count(w.said.last(), "level=WARN")
		time.Sleep(time.Hour)
		tries, writes := w.plane.count("Purge"), w.store.writes.Load()
		time.Sleep(time.Hour)
		if n := w.plane.count("Purge") - tries; n < 10 || n > 15 {
			w.fault("%d tries in the second hour", n)
		}
		if n := w.store.writes.Load() - writes; n > 60 {
			w.fault("%d writes in the second hour", n)
		}
		if n := strings.Count(w.said.last(), "level=WARN"); said != 1 || n > 1 {
			w.fault("it was said %d times at first, and %d times later", said, n)
		}
		w.mend()
		w.within(6*time.Minute, "the end", func() bool { return w.statuses(a) == "" })
		w.settle()
	})
}

// An active revision that never answers does not keep the one that mends it
// from being deployed.
func TestASickRevisionIsReplacedAtOnce(t *testing.T) {
	for _, mode := range []string{mute, answers500, crashes, cannotRun} {
		t.Run(mode, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.push(a, good+" nonce=sick")
				w.settle()
				w.agents.turn("sick", mode)
				w.agents.crash(w.address(a))
				time.Sleep(2 * time.Second)
				r := w.push(a, good)
				w.within(15*time.Second, "the new revision", w.isDeployed(a, r))
				w.settle()
			})
		})
	}
}

// An active revision that can not be started says so, and is tried again less
// and less often.
func TestWhatCanNotBeStartedSaysSo(t *testing.T) {
	for _, mode := range []string{cannotRun, crashes, strangers, mute} {
		t.Run(mode, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.push(a, good+" nonce=sick")
				w.settle()
				w.agents.turn("sick", mode)
				w.agents.crash(w.address(a))
				time.Sleep(5 * time.Minute)
				if h := w.health(a); h.State == slipway.Healthy || h.Reason == "" {
					w.fault("its health is %+v", h)
				}
				starts := w.plane.count("Apply")
				time.Sleep(5 * time.Minute)
				if n := w.plane.count("Apply") - starts; n < 3 || n > 60 {
					w.fault("%d starts in five minutes", n)
				}
				w.agents.turn("sick", "")
				w.within(3*time.Minute, "the recovery", w.isServing(a))
				w.settle()
				w.checkIdle()
			})
		})
	}
}

// The deadline of a revision passes while the old one is being stopped for it:
// the old one goes on.
func TestTheDeadlinePassesDuringTheTakeover(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, state)
		w.settle()
		w.fail("stop", true)
		w.push(a, state)
		w.within(20*time.Minute, "the deadline", func() bool { return w.statuses(a) == "DEPLOYED DEPLOY_FAILED" })
		w.mend()
		w.within(time.Minute, "the old one", w.isServing(a))
		w.settle()
	})
}

// The deadline passes while a build goes on that does not hear: the next
// revision is built when that one has ended, and what serves is looked after.
func TestTheDeadlinePassesDuringABuild(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, good)
		w.settle()
		first := w.push(a, "kind=plain build=stubborn agent=good")
		time.Sleep(time.Second)
		w.push(a, good)
		w.interrupt(a, first)
		time.Sleep(time.Second)
		w.agents.crash(w.address(a))
		synctest.Wait()
		w.within(5*time.Second, "the restart", w.isServing(a))
		w.settle()
		if got := w.statuses(a); got != "DEPLOYED INTERRUPTED DEPLOYED" {
			w.fault("the end is %s", got)
		}
	})
}

// A build whose end is reported, but not answered, does not run again.
func TestABuildRunsOnce(t *testing.T) {
	for name, source := range map[string]string{"good": good, "failing": "kind=plain build=fail"} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.control.lose(2) // the first is of the start, the second of the end
				w.push(a, source)
				w.settle()
				if n := w.plane.count("Build"); n != 1 {
					w.fault("%d builds", n)
				}
			})
		})
	}
}

// The disk is full for a while: nobody turns in circles, and all goes on
// afterwards.
func TestTheDiskIsFullForAWhile(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, good)
		time.Sleep(time.Second)
		w.store.full.Store(1 << 40)
		time.Sleep(10 * time.Minute)
		if n := len(w.plane.made()); n > 3000 {
			w.fault("%d calls in ten minutes", n)
		}
		w.store.full.Store(0)
		w.settle()
		w.agents.crash(w.address(a))
		w.store.full.Store(5)
		time.Sleep(time.Minute)
		w.settle()
	})
}

// An instance exits while the store can not be written: that it did is not
// forgotten.
func TestAnExitIsNotForgotten(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, good)
		w.settle()
		w.store.full.Store(1 << 40)
		w.agents.crash(w.address(a))
		time.Sleep(10 * time.Second)
		w.store.full.Store(0)
		w.within(10*time.Second, "the restart", w.isServing(a))
		w.settle()
	})
}

// The machine sleeps for longer than a lease lives: the worker that wakes with
// an old one makes way for the new one.
func TestALeaseRunsOutDuringAStep(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, state)
		w.settle()
		w.fail("stop in time", true)
		w.push(a, state)
		time.Sleep(6 * time.Second)
		w.plane.sleeps(time.Minute)
		time.Sleep(3 * time.Minute)
		w.mend()
		w.settle()
	})
}

// Clients that go on changing a deployment do not put off the end of a drain
// for ever.
func TestADrainEndsInTheMiddleOfChanges(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, state)
		w.settle()
		w.fail("drain requests", true)
		r := w.push(a, state)
		s, _ := w.control.current()
		for range 20 {
			time.Sleep(3 * time.Second)
			name := time.Now().String()
			if _, err := s.Patch(w.t.Context(), w.who, a.id, slipway.Change{DisplayName: &name}); err != nil {
				w.fault("patch: %v", err)
			}
		}
		synctest.Wait()
		if !w.isDeployed(a, r)() {
			w.fault("after a minute: %s", w.statuses(a))
		}
		w.mend()
		w.settle()
	})
}

// A change that comes at the moment when the end of a build is reported does
// not make it run again.
func TestABuildRunsOnceInTheMiddleOfChanges(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		var once sync.Once
		w.control.onReport(func(e slipway.Event) {
			if _, ok := e.(slipway.RevisionFailed); !ok {
				return
			}
			once.Do(func() {
				name := time.Now().String()
				s, _ := w.control.current()
				if _, err := s.Patch(w.t.Context(), w.who, a.id, slipway.Change{DisplayName: &name}); err != nil {
					w.fault("patch: %v", err)
				}
				time.Sleep(time.Millisecond) // for the worker to hear of it
			})
		})
		w.push(a, "kind=plain build=fail")
		w.settle()
		if n := w.plane.count("Build"); n != 1 {
			w.fault("%d builds", n)
		}
	})
}

// A PostgreSQL that is down keeps nothing else from being done: the revision that
// needs it says so and fails at its deadline, and the database is made when it is
// back.
func TestTheDatabaseServerIsDown(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, good)
		w.settle()
		w.fail("postgres", true)
		w.push(a, based)
		time.Sleep(time.Minute)
		if message := w.revisions(a)[1].Message; !strings.Contains(message, errDown.Error()) {
			w.fault("the revision says %q", message)
		}
		w.agents.crash(w.address(a))
		w.within(5*time.Second, "the restart of what serves", w.isServing(a))
		tries := w.plane.count("Reach")
		w.within(20*time.Minute, "the deadline", func() bool { return w.statuses(a) == "DEPLOYED DEPLOY_FAILED" })
		if n := w.plane.count("Reach") - tries; n < 10 || n > 200 {
			w.fault("%d tries until the deadline", n)
		}
		if f := w.revisions(a)[1].Failure; f == nil || f.Code != "database_unavailable" || !strings.Contains(f.Message, errDown.Error()) {
			w.fault("it failed with %+v", f)
		}
		w.mend()
		time.Sleep(time.Minute)
		w.view(func(tx slipway.Tx) {
			if d, err := tx.Deployment(a.id); err != nil || d.Status != slipway.Ready || d.ProvidedAt.IsZero() {
				w.fault("afterwards it is %s, %v", d.Status, err)
			}
		})
		r := w.push(a, based)
		w.within(time.Minute, "the next revision", w.isDeployed(a, r))
		w.settle()
		w.clear()
	})
}

// A database that was dropped by hand is not made again. What needs it says what
// to do; a new revision fails at once, and a deletion is not held up.
func TestTheDatabaseWasDropped(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, based)
		w.settle()
		w.servers.drop(a.id)
		r := w.push(a, based)
		w.within(time.Minute, "the failure", func() bool { return w.statuses(a) == "DEPLOYED DEPLOY_FAILED" })
		f := w.revisions(a)[1].Failure
		if f == nil || f.Code != "database_gone" || !strings.Contains(f.Hint, "Restore a dump") {
			w.fault("revision %s failed with %+v", r, f)
		}
		w.within(time.Minute, "what served", w.isServing(a))
		w.agents.crash(w.address(a))
		time.Sleep(time.Minute)
		if h := w.health(a); h.State == slipway.Healthy || !strings.Contains(h.Reason, "database") {
			w.fault("its health is %+v", h)
		}
		w.clear()
	})
}

// A deletion waits for servers that are down, shows that, and is in nobody's way
// who has nothing there.
func TestADeletionWaitsForTheDatabaseServers(t *testing.T) {
	for _, what := range []string{"postgres", "redis"} {
		t.Run(what, func(t *testing.T) {
			in(t, func(w *world) {
				a, plain := w.create("app"), w.create("plain")
				w.push(a, based)
				w.push(plain, good)
				w.settle()
				w.fail(what, true)
				w.delete(a)
				w.delete(plain)
				time.Sleep(5 * time.Minute)
				w.view(func(tx slipway.Tx) {
					if _, err := tx.Deployment(plain.id); err == nil {
						w.fault("what has no database is there still")
					}
					items, _ := tx.ListItems(a.id)
					stuck := slices.ContainsFunc(items, func(i slipway.Item) bool {
						return i.Attempts > 2 && strings.Contains(i.LastError, errDown.Error())
					})
					if !stuck {
						w.fault("nothing tells that it is stuck: %+v", items)
					}
				})
				w.mend()
				w.settle()
				w.clear()
			})
		})
	}
}

// Who reads DEPLOYED and asks the agent at once waits for the new revision: it
// finds neither nothing nor the old one.
func TestRequestsWaitWhileARevisionBecomesTheActiveOne(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		var passed int
		w.control.onReport(func(e slipway.Event) {
			if _, ok := e.(slipway.GatePassed); !ok {
				return
			}
			passed++
			if route, ok := w.plane.router.of(a.id); !ok || route.State != slipway.RouteHolding {
				w.fault("the gate is passed, and the route is %+v", route)
			}
		})
		for range 2 {
			w.push(a, "kind=plain build=ok agent=serve")
			w.settle()
		}
		if passed != 2 {
			w.fault("%d gates passed", passed)
		}
	})
}

// What is given up once an hour falls into one look, and what is swept every ten
// minutes into the next: neither is taken for work that has no end.
func TestWhatComesByTheClockIsNoWork(t *testing.T) {
	in(t, func(w *world) {
		began := time.Now()
		sleepUntil := func(d time.Duration) { time.Sleep(time.Until(began.Add(d))) }
		for _, end := range []time.Duration{9*time.Minute + 30*time.Second, 15 * time.Minute} {
			a := w.create("early")
			sleepUntil(end)
			w.delete(a) // the coordinator wakes, and counts its minutes from then
			w.settle()
		}
		a := w.create("app")
		w.push(a, good)
		w.settle()
		w.push(a, "kind=plain build=fail")
		w.settle()
		sleepUntil(58*time.Minute + 25*time.Second)
		from := time.Now()
		w.checkIdle()
		if n := time.Since(from) / look; n != 3 {
			w.fault("it was idle in look %d, want the third: the two before are to be disturbed", n)
		}
	})
}

// What is written in each look is found, though it is only once.
func TestWhatWritesWithoutEndIsFound(t *testing.T) {
	in(t, func(w *world) {
		done := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(look - time.Second):
					_ = w.store.Update(context.Background(), func(slipway.Tx) error { return nil })
				}
			}
		})
		if w.writesWhileIdle() == 0 {
			w.fault("what writes once in each look is not found")
		}
		close(done)
		writer.Wait()
	})
}

// An engine that is down, or says nothing, when the server starts keeps nobody else
// from serving. Requests to what it runs wait until it answers, and are not told
// that there is nothing.
func TestTheEngineComesLater(t *testing.T) {
	for _, what := range []string{engineDown, engineHangs} {
		t.Run(what, func(t *testing.T) {
			in(t, func(w *world) {
				var contained []*app
				for n := range 20 {
					a := w.create(fmt.Sprint("image-", n))
					w.push(a, good+" as=image")
					contained = append(contained, a)
				}
				process := w.create("process")
				w.push(process, good)
				w.settle()
				w.fail(what, true)
				w.plane.kill()
				began := time.Now()
				w.revive()
				if took := time.Since(began); took > 10*time.Second {
					w.fault("the server started after %v", took)
				}
				for _, after := range []time.Duration{0, time.Minute} {
					time.Sleep(after)
					if !w.isServing(process)() {
						w.fault("after %v the process has no route", after)
					}
					for _, a := range contained {
						if r, ok := w.plane.router.of(a.id); !ok || r.State != slipway.RouteHolding {
							w.fault("after %v the route of an image is %+v, %v", after, r, ok)
						}
					}
				}
				w.mend()
				for _, a := range contained {
					w.within(30*time.Second, "the image", w.isServing(a))
				}
				w.settle()
			})
		})
	}
}

// What was seen to serve keeps its route while the engine is away: it need not have
// ended with it.
func TestTheEngineGoesForAWhile(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("image")
		w.push(a, good+" as=image")
		w.settle()
		w.fail(engineDown, true)
		_ = w.plane.workers.Wake(w.t.Context(), a.id)
		time.Sleep(time.Minute)
		if !w.isServing(a)() {
			w.fault("it has no route any more")
		}
		w.mend()
		w.settle()
	})
}

// A new revision that hangs, or ends, as it opens the state costs no request: those
// that wait are served by the old one before they have waited for too long.
func TestWhatDoesNotOpenTheState(t *testing.T) {
	for _, mode := range []string{mute, ruins, answers500} {
		t.Run(mode, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.create("app")
				w.push(a, stands)
				w.settle()
				w.push(a, standsBad+mode)
				var longest time.Duration
				since := time.Now()
				for w.statuses(a) != "DEPLOYED DEPLOY_FAILED" || !w.isServing(a)() {
					if w.isServing(a)() {
						since = time.Now()
					}
					if longest = max(longest, time.Since(since)); longest > time.Hour {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if longest > 50*time.Second {
					w.fault("requests waited for %v", longest)
				}
				w.settle()
			})
		})
	}
}

// A store that fails just as a revision passes its gate keeps requests waiting for
// seconds only: what served before goes on.
func TestTheStoreFailsAtTheGate(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, good)
		w.settle()
		before := w.address(a)
		w.control.onReport(func(e slipway.Event) {
			if _, ok := e.(slipway.GatePassed); ok {
				w.store.full.Store(1 << 40)
				w.control.onReport(nil)
			}
		})
		w.push(a, good)
		w.within(time.Minute, "the hold", func() bool { route, _ := w.plane.router.of(a.id); return route.State == slipway.RouteHolding })
		w.within(10*time.Second, "the old one, by the last that was told", w.isServing(a))
		if w.address(a) != before {
			w.fault("requests go to %s, before they went to %s", w.address(a), before)
		}
		time.Sleep(time.Minute)
		if !w.isServing(a)() || w.address(a) != before {
			w.fault("after a minute they go to %q", w.address(a))
		}
		w.store.full.Store(0)
		w.settle()
	})
}

// What wakes while a new revision loads beside it is waited for like what was awake:
// its state is not taken over before a moment without runs, or the limit for one.
func TestAQuietMomentOfWhatWasAsleep(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		sleeping(stands+" nonce=sleeper")(w, a)
		w.agents.turn("sleeper", busy)
		var began, held time.Time
		w.control.onReport(func(e slipway.Event) {
			h, ok := e.(slipway.HandoverMoved)
			switch {
			case !ok || h.Handover == nil:
			case h.Handover.Phase == slipway.HandoverWaiting:
				began = time.Now()
				w.rouse(a)
			case h.Handover.Phase == slipway.HandoverHolding:
				held = time.Now()
			}
		})
		w.push(a, stands)
		w.settle()
		if wait := held.Sub(began); wait < 3*time.Second {
			w.fault("requests were held after %v", wait)
		}
	})
}

// An agent whose workers take up no run is said to be unhealthy, and why, is started
// again, and is well when that has mended it.
func TestWorkersThatStandStill(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, "kind=plain build=ok nonce=idle agent="+stuck)
		w.within(time.Minute, "the deploy", w.isServing(a))
		time.Sleep(4 * time.Minute)
		if h, n := w.health(a), w.plane.count("Apply"); h.State != slipway.Healthy || n != 1 {
			w.fault("before the limit its health is %+v, after %d starts", h, n)
		}
		w.agents.turn("idle", serves) // from its next start on
		var said slipway.Health
		w.control.onReport(func(e slipway.Event) {
			if h, ok := e.(slipway.HealthChanged); ok && said == (slipway.Health{}) {
				said = h.Health
			}
		})
		w.within(10*time.Minute, "the restart", func() bool { return w.plane.count("Apply") == 2 && w.isServing(a)() })
		w.settle()
		if said.State != slipway.Unhealthy || !strings.Contains(said.Reason, "its workers stand still: 1 pending") {
			w.fault("it was said to be %+v", said)
		}
		if h := w.health(a); h.State != slipway.Healthy {
			w.fault("after the restart its health is %+v", h)
		}
	})
}
