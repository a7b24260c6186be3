package slipway

import (
	"context"
	"io"
	"time"
)

// Lease is the right to work on one deployment, and to report on it, for a
// while. A new owner gets a higher term; what comes under an older one is
// refused with ErrLeaseLost.
type Lease struct {
	Deployment DeploymentID
	Owner      string
	Term       int64
	Until      time.Time
}

// Assignment is all that a data plane needs to know of a deployment: what is
// wanted of it and what was made for it so far. It holds no secret value.
type Assignment struct {
	Deployment Deployment
	InProgress *Revision // the one between AWAITING_BUILD and DEPLOYING, if any
	Active     *Revision // the one that serves, if any
	Instances  []Instance
	Items      []Item // those on the data plane that may still exist, or were not looked for again
	RedisPort  int    // of the Redis of its own, 0 if it has none
	// Brings is what the variables of a revision name of databases: such a one is
	// never made nor removed.
	Brings map[RevisionID]Needs
}

// Revision returns the revision in progress or the active one by its id.
func (a Assignment) Revision(id RevisionID) *Revision {
	for _, r := range []*Revision{a.InProgress, a.Active} {
		if r != nil && r.ID == id {
			return r
		}
	}
	return nil
}

// Claim is a lease with what is to be done under it.
type Claim struct {
	Lease      Lease
	Assignment Assignment
}

// Sync is where control plane and data plane meet. The control plane implements
// it; a data plane calls it, in the same process or over HTTP, and nothing else.
type Sync interface {
	// Attach says that a data plane has started: the leases of its former life
	// are over. It is called once, before anything else.
	Attach(ctx context.Context, owner string) error
	// Claim waits until deployments have work, takes the leases of up to max of
	// them and returns them. It may return none when a transport's patience ends.
	// What is being deleted is claimed by itself, so that nothing waits for it.
	Claim(ctx context.Context, owner string, max int) ([]Claim, error)
	ClaimDeletions(ctx context.Context, owner string, max int) ([]Claim, error)
	// Acquire takes the lease of one deployment because the data plane saw
	// something change there. ErrLeased: somebody works on it; ErrNoRow: gone.
	Acquire(ctx context.Context, owner string, id DeploymentID) (Claim, error)
	// Keep holds a lease while work goes on. It returns the deployment's
	// generation as soon as that differs from seen, ErrLeaseLost when the lease
	// is over, and ctx's error when ctx ends.
	Keep(ctx context.Context, l Lease, seen int64) (int64, error)
	// Report writes what happened, all of it or nothing, and returns how the
	// deployment looks afterwards. Where it is Cleared, the lease ended with that;
	// of one that waits for its final delete the rest of the assignment is empty.
	Report(ctx context.Context, l Lease, events ...Event) (Assignment, error)
	// Release ends the lease. Seen is the generation that was worked off; next
	// is when the deployment needs another look, zero for when something changes.
	Release(ctx context.Context, l Lease, seen int64, next time.Time) error

	// Assignments lists every deployment, in the order of ids, for adoption
	// after a start. It writes nothing.
	Assignments(ctx context.Context, after DeploymentID, limit int) ([]Assignment, error)
	// Environment returns the variables of a revision in clear. It is called
	// only to start an instance, which reaches the server at an address such as
	// http://127.0.0.1:8124, or not at all ("").
	Environment(ctx context.Context, l Lease, r RevisionID, reach string) ([]EnvVar, error)
	// Login returns the newest login of a deployment to its database, in clear.
	// It is called only to make that and to start an instance.
	Login(ctx context.Context, l Lease) (Login, error)
	// RedisPassword is that of a deployment's own Redis, in clear. It is called
	// only to start that or an instance.
	RedisPassword(ctx context.Context, l Lease) (string, error)
	// BuildSecrets returns the variables of a revision that are for its build
	// alone, in clear and without their prefix. It is called only to build.
	BuildSecrets(ctx context.Context, l Lease, r RevisionID) ([]EnvVar, error)
	// Confidential returns the values of all variables of a revision, those of
	// builds too, which nothing may show that a build says. It is called only
	// to build.
	Confidential(ctx context.Context, l Lease, r RevisionID) ([]string, error)
	// RegistryAuth returns what the image of a revision is fetched with, good
	// for a short while; zero if the registry is not ours.
	RegistryAuth(ctx context.Context, l Lease, r RevisionID) (RegistryAuth, error)
	// Source opens the uploaded source of a revision.
	Source(ctx context.Context, l Lease, r RevisionID) (io.ReadCloser, error)
	// Rouse has a deployment that sleeps run again, since a request came for it
	// or its work has not ended. For one that is awake it does nothing.
	Rouse(ctx context.Context, d DeploymentID) error
	// Disown gives an item up if another deployment owns it too, and says
	// whether one does. The last owner keeps it until the thing is removed.
	Disown(ctx context.Context, l Lease, kind ItemKind, ref string) (bool, error)
	// Unknown returns those things of which nothing is known: their deployment is
	// not, or, of what deployments share, no inventory has it.
	Unknown(ctx context.Context, things []Thing) ([]Thing, error)
	// Found takes what is left over on a data plane, in the place of what it said
	// before.
	Found(ctx context.Context, owner string, leftovers []Leftover) error
	// Measured takes samples of the deployments that run here. After an error
	// they are not sent again: they may have been taken.
	Measured(ctx context.Context, owner string, samples []Sample) error
	// Log stores lines; one that is there already is left alone.
	Log(ctx context.Context, lines []LogLine) error
	// LogEnd returns the highest offset that is stored of an origin.
	LogEnd(ctx context.Context, d DeploymentID, origin string) (int64, error)
}

// Event is something that a data plane reports.
type Event interface{ event() }

type (
	// BuildStarted moves a revision to BUILDING.
	BuildStarted struct{ Revision RevisionID }
	// ItemPlanned writes an item before its thing is made.
	ItemPlanned struct {
		Kind ItemKind
		Ref  string
	}
	// Logged stores lines together with what they tell of; one that is there
	// already is left alone.
	Logged struct{ Lines []LogLine }
	// BuildDone moves a revision to AWAITING_DEPLOY.
	BuildDone struct {
		Revision RevisionID
		Artefact Artefact
	}
	// ImageFetched pins the image that a revision is going to run.
	ImageFetched struct {
		Revision RevisionID
		Artefact Artefact
	}
	// DeployStarted moves a revision to DEPLOYING.
	DeployStarted struct{ Revision RevisionID }
	// InstanceWanted writes those instances that a revision lacks, each with a
	// free port of the range. More than Count are not made.
	InstanceWanted struct {
		Revision RevisionID
		Count    int // that it is to have; 0 counts as 1
		Ports    PortRange
	}
	// DatabaseWanted writes the database of a deployment and a login to it, unless
	// there are, before they are made. Until the first is made the deployment is
	// AWAITING_DATABASE.
	DatabaseWanted struct{}
	// DatabaseAwaited says why the database is not there yet.
	DatabaseAwaited struct{ Reason string }
	// DatabaseProvided says that the database is there.
	DatabaseProvided struct{}
	// RedisWanted writes one of these numbers on the Redis that deployments share,
	// unless there is one.
	RedisWanted struct{ Numbers []int }
	// RedisServerWanted writes a Redis of the deployment's own, with a free port of
	// the range, unless there is one, before it is started.
	RedisServerWanted struct{ Ports PortRange }
	// RedisPortRefused gives it another port, since a stranger holds its own and no
	// agent was told it yet.
	RedisPortRefused struct{ Ports PortRange }
	// PortRefused gives an instance another port, since a stranger holds its own.
	PortRefused struct {
		Instance InstanceID
		Ports    PortRange
	}
	// InstanceChanged replaces what is known of an instance.
	InstanceChanged struct{ Instance Instance }
	// InstanceGone says that nothing is left of an instance.
	InstanceGone struct{ Instance InstanceID }
	// GatePassed makes a revision DEPLOYED and the active one.
	GatePassed struct {
		Revision RevisionID
		Alone    bool // its kind runs once
	}
	// RevisionFailed ends a revision in the failure of its phase.
	RevisionFailed struct {
		Revision RevisionID
		Failure  Failure
	}
	// HandoverMoved writes the phase that a hand-over is about to begin; nil says
	// that it is over without success.
	HandoverMoved struct{ Handover *Handover }
	// SnapshotGone says that a snapshot of the state is gone.
	SnapshotGone struct{ Name string }
	// RestoreMoved says how far a snapshot's data has come into the deployment, or
	// why it has not come further.
	RestoreMoved struct {
		Phase  RestorePhase
		Reason string
	}
	// HealthChanged says how the active revision does.
	HealthChanged struct{ Health Health }
	// ServingFailed says that the active revision fails, and that restarts do not
	// mend it. With Return it was to settle still, and the last good revision is
	// to take its place.
	ServingFailed struct {
		Revision RevisionID
		Failure  Failure
		Return   bool
	}
	// ServingRecovered says that the active revision, which failed, serves well
	// again.
	ServingRecovered struct{ Revision RevisionID }
	// ItemPlaced says on which server a database is: of one in PostgreSQL before it is
	// made there, of a number on a Redis once that is marked.
	ItemPlaced struct {
		Kind  ItemKind
		Ref   string
		Place string
	}
	// ItemRemoved says that a thing was removed.
	ItemRemoved struct {
		Kind ItemKind
		Ref  string
	}
	// ItemVerified says that a thing which was removed was looked for, and not
	// found.
	ItemVerified struct {
		Kind ItemKind
		Ref  string
	}
	// ItemFound says that a thing which was removed, or of which nothing was
	// known, is there.
	ItemFound struct {
		Kind   ItemKind
		Ref    string
		Reason string
	}
	// StateKept says where the state was put that a deletion is about to remove.
	StateKept struct{ Path string }
	// ItemStuck says that a thing could not be removed, and why.
	ItemStuck struct {
		Kind   ItemKind
		Ref    string
		Reason string
	}
)

func (BuildStarted) event()      {}
func (ItemPlanned) event()       {}
func (Logged) event()            {}
func (BuildDone) event()         {}
func (ImageFetched) event()      {}
func (DeployStarted) event()     {}
func (InstanceWanted) event()    {}
func (DatabaseWanted) event()    {}
func (DatabaseAwaited) event()   {}
func (DatabaseProvided) event()  {}
func (RedisWanted) event()       {}
func (RedisServerWanted) event() {}
func (RedisPortRefused) event()  {}
func (PortRefused) event()       {}
func (InstanceChanged) event()   {}
func (InstanceGone) event()      {}
func (GatePassed) event()        {}
func (RevisionFailed) event()    {}
func (HandoverMoved) event()     {}
func (SnapshotGone) event()      {}
func (RestoreMoved) event()      {}
func (HealthChanged) event()     {}
func (ServingFailed) event()     {}
func (ServingRecovered) event()  {}
func (ItemPlaced) event()        {}
func (ItemRemoved) event()       {}
func (ItemVerified) event()      {}
func (ItemFound) event()         {}
func (StateKept) event()         {}
func (ItemStuck) event()         {}

// PortRange is the ports that a data plane gives to instances, both ends
// included.
type PortRange struct{ First, Last int }
