package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// deployedAgo has the active revision have passed its gate a while ago, before
// which another served.
func (s *scene) deployedAgo(ago time.Duration, before slipway.RevisionID) *scene {
	s.settle = 10 * time.Minute
	s.Deployment.Running = slipway.Running{Since: t0.Add(-ago), Before: before}
	return s
}

func (s *scene) blamed() *scene {
	s.Active.Failure = &slipway.Failure{Code: "crash_loop"}
	return s
}

func (s *scene) isSick(id, code string) *scene {
	s.sick = map[slipway.InstanceID]*slipway.Failure{slipway.InstanceID(id): {Code: code, Message: "it is " + code}}
	return s
}

// exitedAgo is how the last attempt of an instance ended.
func exitedAgo(ago time.Duration, edit ...func(*slipway.Exit)) func(*slipway.Instance, *slipway.Observed) {
	return func(i *slipway.Instance, _ *slipway.Observed) {
		i.Exit = &slipway.Exit{Code: 3, Reason: "last words", At: t0.Add(-ago)}
		for _, e := range edit {
			e(i.Exit)
		}
	}
}

func bySickness(e *slipway.Exit) { e.Code, e.Sick = -1, "unresponsive" }

// failed is an active revision whose instance has failed so often.
func failed(n int, edit ...func(*slipway.Exit)) *scene {
	return newScene().active("r2", "shared").deployedAgo(time.Minute, "r1").
		instance("i2", "r2", down_, exited, crashes(n), exitedAgo(time.Second, edit...), retryIn(time.Second))
}

func TestWhatDoesNotSettleGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		s  *scene
		do verb
	}{
		"a crash":                     {failed(1), rest},
		"two":                         {failed(2), rest},
		"three in a row":              {failed(3), giveWay},
		"it was written why":          {failed(3).blamed(), giveWay},
		"sick once":                   {failed(1, bySickness), rest},
		"a restart does not mend it":  {failed(2, bySickness), giveWay},
		"nothing served before":       {failed(3).deployedAgo(time.Minute, ""), rest},
		"nothing is watched":          {failed(3).settling0(), rest},
		"the window is over":          {failed(3).deployedAgo(time.Hour, "r1"), rest},
		"it crashed within it":        {failed(3).deployedAgo(10*time.Minute+500*time.Millisecond, "r1"), giveWay},
		"another is on its way":       {failed(3).inProgress("r3", slipway.Building, "").building("r3", false), rest},
		"another is being deployed":   {failed(3).inProgress("r3", slipway.Deploying, "shared").instance("i3", "r3", planned, absent), start},
		"a loop after the window":     {failed(5).deployedAgo(time.Hour, "r1"), blame},
		"a loop of the only revision": {failed(5).deployedAgo(time.Minute, ""), blame},
		"a loop during a build":       {failed(5).inProgress("r3", slipway.Building, "").building("r3", false), blame},
		"a loop that is known":        {failed(6).deployedAgo(time.Hour, "r1").blamed(), rest},
		"the deployment is deleted":   {failed(3).deleting(), remove},
		"another's crashes": {
			newScene().active("r2", "shared").deployedAgo(time.Minute, "r1").instance("i2", "r2", serving, running).
				instance("i1", "r1", down_, exited, crashes(9), exitedAgo(0)), remove,
		},
		"it failed and serves, and may fail again": {
			newScene().active("r2", "shared").deployedAgo(time.Hour, "").blamed().instance("i2", "r2", serving, running, crashes(5), servedFor(time.Second)), rest,
		},
		"it failed and has settled": {
			newScene().active("r2", "shared").deployedAgo(time.Hour, "").blamed().instance("i2", "r2", serving, running, servedFor(time.Hour)), absolve,
		},
		"it failed and is not there": {
			newScene().active("r2", "shared").deployedAgo(time.Hour, "").blamed().instance("i2", "r2", planned, absent), start,
		},
	} {
		if got := next(c.s.world); got.do != c.do {
			t.Errorf("%s: %s (%s), want %s", name, got.do, got.why, c.do)
		}
	}
}

func (s *scene) settling0() *scene {
	s.settle = 0
	return s
}

// While there is one to go back to, failures are not forgotten before the window
// is over: what fails every other minute does not settle.
func TestFailuresCountTogetherUntilItHasSettled(t *testing.T) {
	for name, c := range map[string]struct {
		ago    time.Duration // it was deployed
		before slipway.RevisionID
		do     verb
		until  time.Duration
	}{
		"in the window":         {5 * time.Minute, "r1", rest, 5 * time.Minute},
		"at its end":            {9*time.Minute + 50*time.Second, "r1", rest, 30 * time.Second},
		"nothing served before": {5 * time.Minute, "", rest, 30 * time.Second},
	} {
		s := newScene().active("r2", "shared").deployedAgo(c.ago, c.before).
			instance("i2", "r2", serving, running, crashes(1), servedFor(30*time.Second))
		if got := next(s.world); got.do != c.do || !got.at.Equal(t0.Add(c.until)) {
			t.Errorf("%s: %s until %v, want %s until %v", name, got.do, got.at.Sub(t0), c.do, c.until)
		}
	}
	s := newScene().active("r2", "shared").deployedAgo(11*time.Minute, "r1").instance("i2", "r2", serving, running, crashes(2), servedFor(2*time.Minute))
	if got := next(s.world); got.do != calm {
		t.Errorf("after the window: %s", got.do)
	}
}

func TestWhatIsSickIsEnded(t *testing.T) {
	at := func(s *scene) step { return next(s.isSick("i1", "unresponsive").world) }
	got := at(newScene().active("r1", "shared").instance("i1", "r1", serving, running))
	if got.do != kill || got.failure.Code != "unresponsive" {
		t.Errorf("what serves: %+v", got)
	}
	for name, s := range map[string]*scene{
		"what ended by itself":  newScene().active("r1", "shared").instance("i1", "r1", serving, exited),
		"what has not answered": newScene().active("r1", "shared").instance("i1", "r1", planned, running),
		"what goes":             newScene().active("r2", "shared").instance("i2", "r2", serving, running).instance("i1", "r1", serving, running),
	} {
		if got := at(s); got.do == kill {
			t.Errorf("%s is killed: %s", name, got.why)
		}
	}
}

// What does not get requests may be silent and well.
func TestOnlyWhatServesIsLookedAfter(t *testing.T) {
	s := newScene().active("r1", "shared").instance("i1", "r1", serving, running).
		inProgress("r2", slipway.Deploying, "shared").instance("i2", "r2", planned, running).instance("i0", "r0", serving, running)
	got := served(s.world)
	if len(got) != 1 || got[0].Instance != "i1" || got[0].Probe != "/ok" || len(got[0].Route.Addresses) != 1 || got[0].Route.Slug != "app" {
		t.Errorf("looked after: %+v", got)
	}
	for name, s := range map[string]*scene{
		"nothing serves":       newScene(),
		"it starts":            newScene().active("r1", "shared").instance("i1", "r1", planned, running),
		"it ended":             newScene().active("r1", "shared").instance("i1", "r1", serving, exited),
		"it hands over":        takeover("stands", slipway.HandoverHolding).old(serving, running).new(planned, running, standsBy),
		"it is being deleted":  newScene().active("r1", "shared").instance("i1", "r1", serving, running).deleting(),
		"it is another's port": newScene().active("r1", "shared").instance("i1", "r1", serving, running).isDeaf("i1"),
	} {
		if got := served(s.world); len(got) > 0 {
			t.Errorf("%s: looked after: %+v", name, got)
		}
	}
}

func (s *scene) isDeaf(id slipway.InstanceID) *scene {
	s.deaf[id] = true
	return s
}

func TestWhyItDoesNotServe(t *testing.T) {
	limited := revision("r2", slipway.Deployed, "shared")
	limited.Config.Resources = &slipway.Resources{Server: slipway.Share{MemoryLimitMB: new(512)}}
	w := failed(3).world
	w.Active = limited
	for name, c := range map[string]struct {
		exit                slipway.Exit
		code, message, hint string
	}{
		"a crash":     {slipway.Exit{Code: 3, Reason: "it threw"}, "crash_loop", "exited with code 3, 3 times in a row. it threw", "deploy log"},
		"a signal":    {slipway.Exit{Code: -1, Signal: "SIGSEGV"}, "crash_loop", "signal SIGSEGV", "deploy log"},
		"memory":      {slipway.Exit{Code: 137, Signal: "SIGKILL", OutOfMemory: true}, "out_of_memory", "more memory than it may", "is 512 MiB"},
		"disk":        {slipway.Exit{Code: 137, Signal: "SIGKILL", OutOfDisk: true, Reason: "It kept more than the 16 MiB"}, "out_of_disk", "what it kept on the disk, 3 times in a row. It kept more than the 16 MiB", "--agent-disk"},
		"it hangs":    {slipway.Exit{Code: -1, Sick: "unresponsive", Reason: "no answer"}, "unresponsive", "was restarted, 3 times in a row. no answer", "deploy log"},
		"it was told": {slipway.Exit{Code: 2, Reason: toldMark + `{"code": "bad_thing", "message": "it is bad", "hint": "make it good"}`}, "bad_thing", "it is bad", "make it good"},
	} {
		f := servingFailure(w, slipway.Instance{Crashes: 3, Exit: &c.exit})
		if f.Phase != slipway.PhaseServe || f.Code != c.code || !strings.Contains(f.Message, c.message) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: %+v", name, *f)
		}
	}
	if f := servingFailure(failed(3).world, slipway.Instance{Crashes: 3, Exit: &slipway.Exit{OutOfMemory: true}}); !strings.Contains(f.Hint, "4096 MiB") {
		t.Errorf("a limit that nobody set: %s", f.Hint)
	}
}
