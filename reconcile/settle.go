package reconcile

import (
	"cmp"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// settleTries is how many failures in a row of what was just deployed are
	// enough: there is one known to be good, and each further try is time in
	// which nobody is answered. It is as many as a gate allows.
	settleTries = 3
	// sickTries is the same for failures that take a minute and more to see. One
	// restart did not mend it.
	sickTries = 2
)

// nextOfServing looks at the active revision as a whole: whether its failures have
// become more than restarts can mend, and whether it has recovered from them.
func nextOfServing(w world) step {
	switch i, failing := w.worst(); {
	case w.Active == nil:
	case failing && w.returns(i):
		return step{do: giveWay, revision: w.Active, failure: servingFailure(w, i), why: "it does not settle"}
	case failing && i.Crashes >= crashLoop && w.Active.Failure == nil:
		return step{do: blame, revision: w.Active, failure: servingFailure(w, i), why: "restarts do not mend it"}
	case w.redisFails() && w.Active.Failure == nil:
		return step{do: blame, revision: w.Active, failure: redisFailure(slipway.PhaseServe, w.redis.Exit), why: "its Redis does not stay up"}
	case !failing && !w.lacksRedis() && w.Active.Failure != nil && w.well():
		return step{do: absolve, revision: w.Active, why: "it has settled"}
	}
	return step{do: rest, why: "nothing is to be said of what serves"}
}

// worst is the instance of the active revision that has failed most often in a
// row; false if none has.
func (w world) worst() (worst slipway.Instance, failing bool) {
	for _, i := range w.Instances {
		if w.Active != nil && i.Revision == w.Active.ID && i.Crashes > worst.Crashes {
			worst = i
		}
	}
	return worst, worst.Crashes > 0
}

// well says whether an instance of the active revision serves.
func (w world) well() bool {
	for _, i := range w.Instances {
		if i.Revision == w.Active.ID && w.serves(i) {
			return true
		}
	}
	return false
}

// returns says whether the failures of an instance have the deployment go back
// to the last good revision. Not while another is on its way: that one comes
// first. Once it was gone back, nothing is left to go back to.
func (w world) returns(i slipway.Instance) bool {
	if w.Deployment.Running.Before == "" || w.InProgress != nil || i.Exit == nil || !w.settling(i) {
		return false
	}
	return i.Crashes >= settleTries || i.Exit.Sick != "" && i.Crashes >= sickTries
}

// settling says whether the last failure of an instance lies in the first time
// of its revision.
func (w world) settling(i slipway.Instance) bool {
	since := w.Deployment.Running.Since
	return !since.IsZero() && i.Exit.At.Before(since.Add(w.settle))
}

// settles is when the failures of an instance that serves are forgotten. Those of
// a revision that may be returned from count together until it has settled: one
// that fails every other minute is no better than one that fails at once.
func (w world) settles(i slipway.Instance) time.Time {
	at := i.StartedAt.Add(settled)
	running := w.Deployment.Running
	if until := running.Since.Add(w.settle); running.Before != "" && w.Active != nil && i.Revision == w.Active.ID && until.After(at) {
		return until
	}
	return at
}

// servingFailure explains why a revision that was deployed does not serve.
func servingFailure(w world, i slipway.Instance) *slipway.Failure {
	exit := i.Exit
	if exit == nil { // it runs again
		exit = &slipway.Exit{Code: -1}
	}
	f := &slipway.Failure{
		Phase: slipway.PhaseServe, Step: "serve", Code: "crash_loop",
		Message: fmt.Sprintf("The agent server %s, %d times in a row. %s", describe(exit), i.Crashes, lastWords(exit)),
		Hint:    "The deploy log of the revision shows all that it printed.",
	}
	if exit.Code >= 0 && exit.Signal == "" {
		f.Exit = &exit.Code
	}
	if t, ok := lastTold(exit.Reason); ok {
		f.Code, f.Hint = t.Code, cmp.Or(t.Hint, f.Hint)
	}
	switch {
	case exit.OutOfMemory:
		f.Code, f.Hint = outOfMemory, memoryHint(w, w.Active)
	case exit.OutOfDisk:
		f.Code, f.Hint = outOfDisk, diskHint
	case exit.Sick != "":
		f.Code = exit.Sick
	}
	return f
}

// outOfMemory is the code of a failure by the memory limit.
const outOfMemory = "out_of_memory"

// outOfDisk is the code of a failure by what was kept on the disk.
const outOfDisk = "out_of_disk"

const diskHint = "Have it keep less in its working folder, in TMPDIR and in its state, or give agents more room: slipway server --agent-disk."

// memoryHint names the memory limit of a revision, and how it is raised.
func memoryHint(w world, r *slipway.Revision) string {
	limit := slipway.SizeOf(w.Deployment.Config.DeploymentType, r.Config.Resources).Limits.MemoryMB
	return fmt.Sprintf("Its limit is %d MiB. Raise it by a PATCH with source_config.resource_spec.memory_limit_mb, or have the app use less.", limit)
}
