package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/backoff"
)

// Limits of the life of an instance.
const (
	// gateTries is how often an instance is started before its revision fails.
	gateTries = 3
	// portTries is how many ports are tried that strangers hold.
	portTries = 8
	// crashLoop is the number of crashes in a row that makes what serves
	// unhealthy. It is started again all the same, less and less often.
	crashLoop = 5
	// settled is how long an instance must serve for its crashes to be
	// forgotten.
	settled = time.Minute
	// graceOfUnproved is how long an instance that never served may take to
	// stop, and any instance of a deployment that is deleted.
	graceOfUnproved = 10 * time.Second
)

var restartBackoff = backoff.Exponential{First: 500 * time.Millisecond, Most: time.Minute}

// world is what a pass sees. It holds values only, so that what follows from it
// can be computed and tested without doing anything.
type world struct {
	slipway.Assignment
	seen map[slipway.InstanceID]slipway.Observed
	// deaf are those that are to serve and do not listen on their port.
	deaf map[slipway.InstanceID]bool
	// sick are those that serve and do not do their work, and why.
	sick      map[slipway.InstanceID]*slipway.Failure
	redis     slipway.Observed // the deployment's own Redis
	redisEnds endings          // how that has ended of late
	// settle is how long the active revision is watched after its gate.
	settle time.Duration
	// started is when the attempts that run were first seen to.
	started map[slipway.InstanceID]time.Time
	// later is what has to wait, by the key of its step.
	later map[string]time.Time
	kinds map[string]slipway.AgentKind
	// quietAt is when a hand-over that waits for busy runs looks again, zero if
	// it need not wait.
	quietAt time.Time
	// ownHold says that whoever looks began the hold of the hand-over.
	ownHold bool
	build   *outcome // of the build that was begun, nil if none was
	now     time.Time
}

// outcome is how a build stands.
type outcome struct {
	revision slipway.RevisionID
	done     bool
	artefact slipway.Artefact
	err      error
}

// replicas is how many instances a revision of a kind is to have while it is
// awake.
func replicas(d slipway.Deployment, r *slipway.Revision, k slipway.AgentKind) int {
	if k.Exclusive {
		return 1
	}
	return slipway.SizeOf(d.Config.DeploymentType, r.Config.Resources).Replicas(d.Running.Replicas)
}

func (w world) replicas(r *slipway.Revision) int {
	if w.asleep() && r == w.Active {
		return 0
	}
	return replicas(w.Deployment, r, w.kind(r))
}

// asleep says whether the active revision is to have no instance.
func (w world) asleep() bool { return w.Deployment.Running.Asleep && w.Active != nil }

// instancesOf lists the instances that a revision is to have. If there are more,
// those stay that serve, then those that may come to, and of them the oldest; one
// that is being stopped goes first.
func (w world) instancesOf(r *slipway.Revision) []slipway.Instance {
	var all []slipway.Instance
	for _, i := range w.Instances {
		if i.Revision == r.ID {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b slipway.Instance) int { return cmp.Compare(w.distance(a), w.distance(b)) })
	return all[:min(len(all), w.replicas(r))]
}

// distance is how far an instance is from serving.
func (w world) distance(i slipway.Instance) int {
	switch {
	case w.serves(i):
		return 0
	case i.State == slipway.InstanceStopping:
		return 3
	case i.State == slipway.InstanceCrashed:
		return 2
	}
	return 1
}

// others lists instances that neither the active revision nor the one being
// deployed is to have.
func (w world) others() []slipway.Instance {
	wanted := map[slipway.InstanceID]bool{}
	for _, r := range []*slipway.Revision{w.Active, w.toGate()} {
		if r == nil {
			continue
		}
		for _, i := range w.instancesOf(r) {
			wanted[i.ID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(w.Instances), func(i slipway.Instance) bool { return wanted[i.ID] })
}

// toGate returns the revision that is being deployed, nil for none.
func (w world) toGate() *slipway.Revision {
	if w.deploying() {
		return w.InProgress
	}
	return nil
}

func (w world) deploying() bool {
	return w.InProgress != nil && w.InProgress.Status == slipway.Deploying
}

// startsAlone says whether what is to serve must be the only one that runs.
func (w world) startsAlone() bool {
	return w.Active != nil && w.kind(w.Active).Exclusive || w.deploying() && w.kind(w.InProgress).Exclusive
}

func (w world) phase(i slipway.Instance) slipway.Phase {
	if o, ok := w.seen[i.ID]; ok {
		return o.Phase
	}
	return slipway.PhaseAbsent
}

func (w world) running(i slipway.Instance) bool { return w.phase(i) == slipway.PhaseRunning }

// runs says whether any instance does.
func (w world) runs() bool { return slices.ContainsFunc(w.Instances, w.running) }

// hasState says whether the instance may have the state of its deployment open.
func (w world) hasState(i slipway.Instance) bool { return w.running(i) && !w.seen[i.ID].Yielded }

// serves says whether the instance can be sent requests.
func (w world) serves(i slipway.Instance) bool {
	return w.running(i) && w.seen[i.ID].Attempt == i.Attempt && i.State == slipway.InstanceServing && !w.deaf[i.ID]
}

func (w world) isActive(i slipway.Instance) bool {
	return w.Active != nil && i.Revision == w.Active.ID
}

// serving counts the instances of a revision that do.
func (w world) serving(r *slipway.Revision) (n int) {
	for _, i := range w.instancesOf(r) {
		if w.serves(i) {
			n++
		}
	}
	return n
}

func (w world) kind(r *slipway.Revision) slipway.AgentKind { return w.kinds[r.Artefact.Kind] }

// takesOver says whether the revision being deployed takes over the state: of one
// that serves, so that requests must wait in between, or of nobody, since it is
// the first, or none before it has passed its gate.
func (w world) takesOver() bool { return w.deploying() && w.kind(w.InProgress).Exclusive }
