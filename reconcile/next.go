package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// verb is what a step does.
type verb string

const (
	rest       verb = "rest"        // nothing until step.at, or until something changes
	build      verb = "build"       // begin to build the revision
	settle     verb = "settle"      // report how the build ended
	provide    verb = "provide"     // make the database that is waited for
	startRedis verb = "start redis" // start the deployment's own Redis
	stopRedis  verb = "stop redis"  // stop it
	deploy     verb = "deploy"      // write down what the revision is going to run as
	plan       verb = "plan"        // write down an instance of a revision that has none
	start      verb = "start"       // start the instance's attempt
	again      verb = "start again" // write down the instance's next attempt
	probe      verb = "probe"       // see whether the instance serves
	pass       verb = "pass"        // report that the revision serves
	crashed    verb = "crashed"     // report how the instance ended
	kill       verb = "kill"        // end an instance that does not answer
	calm       verb = "calm"        // forget the instance's crashes
	blame      verb = "blame"       // write down why what serves fails
	absolve    verb = "absolve"     // take that back
	giveWay    verb = "give way"    // have the last good revision take its place
	drain      verb = "drain"       // stop the instance, letting its work end
	lull       verb = "lull"        // drain the instance, unless work has come meanwhile
	remove     verb = "remove"      // delete what is left of the instance
	fail       verb = "fail"        // end the revision
	removeItem verb = "remove item" // delete a thing of a deleted deployment
	lookAgain  verb = "look again"  // see whether what was removed is gone

	move     verb = "move"     // write down the next phase of a hand-over
	yield    verb = "yield"    // have the instance whose state is handed over close it
	snapshot verb = "snapshot" // copy the state
	free     verb = "free"     // let the instance that stands by open the state
	restore  verb = "restore"  // put the state back
	discard  verb = "discard"  // remove an outdated snapshot

	inspect verb = "inspect" // look at a final snapshot that is to be restored
	refill  verb = "refill"  // put it in the place of the data
)

// step is what comes next, and why.
type step struct {
	do       verb
	revision *slipway.Revision
	instance slipway.Instance
	item     slipway.Item
	handover *slipway.Handover
	failure  *slipway.Failure
	grace    time.Duration
	last     bool      // of the revision's instances, it is the only one that does not serve
	at       time.Time // when to look again, zero for when something changes
	why      string
	putOff   bool // a rest in the place of a step that has to wait
}

// key names what a step is about: what failed is left alone for a while, and
// nothing else.
func (s step) key() string {
	switch {
	case s.do == removeItem:
		return fmt.Sprint(s.do, " ", s.item.Kind, " ", s.item.Ref)
	case s.instance.ID != "":
		return fmt.Sprint(s.do, " ", s.instance.ID)
	case s.revision != nil:
		return fmt.Sprint(s.do, " ", s.revision.ID)
	}
	return string(s.do)
}

// waits says whether most of a step is to wait for a driver: for processes to end and
// for disks.
func (s step) waits() bool {
	switch s.do {
	case drain, remove:
		return true
	case removeItem:
		return s.item.Kind == slipway.ItemInstance || s.item.Kind == slipway.ItemState
	}
	return false
}

// next decides. It is pure: the same world gives the same step. What serves
// comes first, then what is to serve, then what is to go; but of an exclusive
// kind no two may have the state open at once.
func next(w world) step {
	if w.Deployment.Deleting() {
		return nextOfDeletion(w)
	}
	if w.replaces() {
		return replaceData(w)
	}
	steps := []step{nextOfServing(w), nextOfDatabase(w), nextOfRedis(w), nextOfBuild(w)}
	switch others := w.others(); {
	case w.handoverBroken():
		steps = append(steps, takeBack(w))
	case w.startsAlone() && slices.ContainsFunc(others, w.hasState):
		steps = append(steps, clearAway(w, slices.DeleteFunc(others, func(i slipway.Instance) bool { return !w.hasState(i) })))
	case w.takesOver():
		steps = append(append(steps, handOver(w)...), clearAway(w, others))
	default:
		steps = append([]step{keepServing(w)}, append(steps, rollOut(w), clearAway(w, others))...)
	}
	return soonest(w, append(append(steps, discardOutdated(w), nextOfSnapshot(w)), giveUp(w)...)...)
}

// giveUp removes what the deployment was found not to need any more.
func giveUp(w world) []step {
	var steps []step
	for _, i := range w.Items {
		if !i.ReleasedAt.IsZero() {
			steps = append(steps, step{do: removeItem, item: i, why: "nothing that is kept needs it"})
		}
	}
	return steps
}

// soonest returns the first step that is work and not put off, else the
// earliest rest.
func soonest(w world, steps ...step) step {
	best := w.unlessPutOff(steps[0])
	for _, s := range steps[1:] {
		best = sooner(best, w.unlessPutOff(s))
	}
	return best
}

// sooner prefers work to rest, the first to the second, and the earlier rest.
func sooner(a, b step) step {
	switch {
	case a.do != rest:
		return a
	case b.do != rest:
		return b
	case a.at.IsZero() || !b.at.IsZero() && b.at.Before(a.at):
		return b
	}
	return a
}

// unlessPutOff turns a step that has to wait into a rest.
func (w world) unlessPutOff(s step) step {
	if until := w.later[s.key()]; s.do != rest && w.now.Before(until) {
		return step{do: rest, at: until, putOff: true, why: "it is tried again after a while: " + s.key()}
	}
	return s
}

// clearAway ends instances that nobody wants.
func clearAway(w world, unwanted []slipway.Instance) step {
	steps := []step{{do: rest, why: "nothing is to go"}}
	for _, i := range unwanted {
		s := step{do: remove, instance: i, why: "its revision is not wanted"}
		switch {
		case w.Deployment.Deleting():
			s.why = "its deployment is deleted"
		case w.isActive(i) && w.asleep():
			s.why = "nobody asks for it"
		case w.isActive(i):
			s.why = "its revision is to have fewer"
		}
		if w.running(i) {
			s.do = drain
			if i.State != slipway.InstanceServing || w.Deployment.Deleting() {
				s.grace = graceOfUnproved // else its kind's own
			} else if w.isActive(i) && w.asleep() {
				s.do = lull
			}
		}
		steps = append(steps, s)
	}
	return soonest(w, steps...)
}

func nextOfBuild(w world) step {
	r, b := w.InProgress, w.build
	switch {
	case r == nil || r.Status == slipway.Deploying:
		return step{do: rest, why: "nothing is to be built"}
	case r.Status == slipway.AwaitingDeploy && !r.Fetches() && w.Deployment.Running.Restore.Stops():
		return step{do: rest, why: "the data that it is to work with is being replaced"}
	case r.Status == slipway.AwaitingDeploy && !r.Fetches():
		return step{do: deploy, revision: r, why: "the artefact is there"}
	case b == nil, b.revision != r.ID && b.done:
		return step{do: build, revision: r, why: "its turn has come"} // or its image's, to be fetched
	case b.revision != r.ID:
		return step{do: rest, why: "an older build is being cancelled"}
	case b.done:
		return step{do: settle, revision: r, why: "the build has ended"}
	}
	return step{do: rest, why: "a build is running"}
}

// rollOut brings the revision being deployed to its gate.
func rollOut(w world) step {
	if !w.deploying() {
		return step{do: rest, why: "nothing is to be deployed"}
	}
	r := w.InProgress
	steps := bringUp(w, r)
	for n, own := range steps {
		steps[n] = gated(w, own)
	}
	if w.serving(r) == w.replicas(r) {
		steps = []step{{do: pass, revision: r, why: "all its instances serve"}}
	}
	return soonest(w, steps...)
}

// gated ends the revision being deployed where an instance does not come to
// serve.
func gated(w world, own step) step {
	r := w.InProgress
	switch {
	case own.do == kill:
		own = step{do: fail, revision: r, failure: own.failure, why: own.why}
	case own.do == crashed && givesUp(w, r, own.instance):
		own = step{do: fail, revision: r, failure: startFailure(w, own.instance), why: "it does not start"}
	}
	return own
}

// givesUp says whether another start of the instance would be in vain.
func givesUp(w world, r *slipway.Revision, i slipway.Instance) bool {
	exit := w.seen[i.ID].Exit
	final := exit != nil && exit.Code != 0 && exit.Code == w.kind(r).StartFailure
	return final || i.Crashes+1 >= gateTries || w.opens(r)
}

// keepServing looks after the active revision.
func keepServing(w world) step {
	if w.Active == nil {
		return step{do: rest, why: "nothing is to serve"}
	}
	if w.asleep() {
		return step{do: rest, why: "it sleeps"}
	}
	return soonest(w, bringUp(w, w.Active)...)
}

// bringUp takes each instance of a revision one step towards serving.
func bringUp(w world, r *slipway.Revision) []step {
	all := w.instancesOf(r)
	steps := make([]step, 0, len(all)+1)
	for _, i := range all {
		steps = append(steps, bringUpOne(w, r, i))
	}
	if len(all) < w.replicas(r) {
		steps = append(steps, step{do: plan, revision: r, why: fmt.Sprintf("it has %d of %d instances", len(all), w.replicas(r))})
	}
	return steps
}

func bringUpOne(w world, r *slipway.Revision, i slipway.Instance) step {
	s := step{revision: r, instance: i}
	o := w.seen[i.ID]
	switch {
	case o.Phase == slipway.PhaseRunning && o.Attempt == i.Attempt:
		return up(w, s)
	case o.Phase == slipway.PhaseExited && o.Attempt == i.Attempt, i.State == slipway.InstanceCrashed:
		return down(w, s)
	case i.State == slipway.InstancePlanned && w.awaits(r):
		s.do, s.why = rest, "its database is not there yet"
	case i.State == slipway.InstancePlanned && w.awaitsRedis(r):
		s.do, s.why = rest, "its Redis does not run yet"
	case i.State == slipway.InstancePlanned:
		s.do, s.why = start, "it has not been started"
	default:
		s.do, s.why = again, "nothing is left of its attempt"
	}
	return s
}

// up is for an instance that runs.
func up(w world, s step) step {
	i := s.instance
	began, ok := w.started[i.ID]
	switch late := began.Add(w.startLimit(s.revision)); {
	case i.State == slipway.InstanceStopping:
		s.do, s.why = drain, "it was asked to stop, and comes back afterwards"
	case !w.serves(i) && ok && w.now.After(late):
		s.do, s.failure, s.why = kill, neverServed(w, s.revision), "it does not answer in time"
	case !w.serves(i):
		s.do, s.why = probe, "it has not answered yet"
		s.last = w.serving(s.revision)+1 == w.replicas(s.revision)
	case w.sick[i.ID] != nil:
		s.do, s.failure, s.why = kill, w.sick[i.ID], "it is sick"
	case i.Crashes > 0 && w.now.Before(w.settles(i)):
		s.do, s.at, s.why = rest, w.settles(i), "it may crash again"
	case i.Crashes > 0:
		s.do, s.why = calm, "it has settled"
	default:
		s.do, s.why = rest, "it serves"
	}
	return s
}

// down is for an instance that ended.
func down(w world, s step) step {
	switch i := s.instance; {
	case i.State == slipway.InstanceStopping:
		s.do, s.why = again, "it was stopped, and is wanted again"
	case i.State != slipway.InstanceCrashed:
		s.do, s.why = crashed, "it ended by itself"
	case w.now.Before(i.RetryAt):
		s.do, s.at, s.why = rest, i.RetryAt, "it is started again after a while"
	default:
		s.do, s.why = again, "its time to be started again has come"
	}
	return s
}

// startFailure explains why a revision could not be started.
func startFailure(w world, i slipway.Instance) *slipway.Failure {
	f := &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "start", Code: "start_failed"}
	exit := w.seen[i.ID].Exit
	if exit == nil {
		exit = &slipway.Exit{Code: -1}
	}
	if exit.Code >= 0 && exit.Signal == "" {
		f.Exit = &exit.Code
	}
	how := describe(exit)
	if i.Crashes+1 >= gateTries {
		f.Code = "crash_loop"
		how = fmt.Sprintf("%s, %d times in a row", how, i.Crashes+1)
	}
	f.Message = fmt.Sprintf("The agent server %s before it served. %s", how, lastWords(exit))
	f.Hint = "The deploy log of the revision shows all that it printed."
	if t, ok := lastTold(exit.Reason); ok {
		f.Code, f.Hint = t.Code, cmp.Or(t.Hint, f.Hint)
	}
	switch {
	case exit.OutOfMemory:
		f.Code, f.Hint = outOfMemory, memoryHint(w, w.InProgress)
	case exit.OutOfDisk:
		f.Code, f.Hint = outOfDisk, diskHint
	}
	return f
}

// neverServed explains an instance that runs and does not answer.
func neverServed(w world, r *slipway.Revision) *slipway.Failure {
	f := &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "gate", Code: "never_served",
		Message: fmt.Sprintf("The agent server runs, but did not answer GET %s within %s.", w.kind(r).Probe, w.startLimit(r)),
		Hint:    "It must listen on the host and port that HOST and PORT name. The deploy log of the revision shows what it printed.",
	}
	if w.opens(r) {
		f.Message = fmt.Sprintf("The agent server had loaded, but did not answer GET %s within %s of being given its state.", w.kind(r).Probe, w.startLimit(r))
		f.Hint = "The state is as it was before. The deploy log of the revision shows what it printed meanwhile."
	}
	return f
}

// describe says how an instance ended.
func describe(e *slipway.Exit) string {
	switch {
	case e.OutOfMemory:
		return "was ended for using more memory than it may"
	case e.OutOfDisk:
		return "was ended for what it kept on the disk"
	case e.Sick != "":
		return "was restarted"
	case e.Signal != "":
		return "was ended by signal " + e.Signal
	case e.Code < 0:
		return "ended unseen"
	}
	return fmt.Sprintf("exited with code %d", e.Code)
}
