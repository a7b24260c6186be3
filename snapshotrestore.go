package slipway

import "time"

// SnapshotRestore is how far the data of a final snapshot has come into another
// deployment, where it takes the place of what that has:
//
//	checking ──► reading ──► replacing ──► done
//	    └───────────┴────────────┴───────► failed
//
// While it is checked everything serves as usual. From reading on nothing runs, and
// requests wait. Up to replacing it can be cancelled, which is a failure too. What
// fails has changed nothing.
type SnapshotRestore struct {
	From   DeploymentID // that was deleted, whose snapshot it is
	Path   string       // where that lies
	Phase  RestorePhase
	Reason string    // why it failed, or is not done yet
	Since  time.Time // this phase began
}

// RestorePhase names what is being done.
type RestorePhase string

const (
	RestoreChecking  RestorePhase = "checking"  // whether the snapshot is whole, and fits
	RestoreReading   RestorePhase = "reading"   // the snapshot, beside the data, which nothing has open
	RestoreReplacing RestorePhase = "replacing" // the data by what was read
	RestoreDone      RestorePhase = "done"
	RestoreFailed    RestorePhase = "failed"
)

// Pending says whether there is something to be done.
func (s *SnapshotRestore) Pending() bool {
	return s != nil && (s.Phase == RestoreChecking || s.Stops())
}

// Stops says whether nothing may run meanwhile.
func (s *SnapshotRestore) Stops() bool {
	return s != nil && (s.Phase == RestoreReading || s.Phase == RestoreReplacing)
}

// Incoming names the state that is read in, beside that which there is.
func (s *SnapshotRestore) Incoming() string { return "from-" + string(s.From) }

// RestoreCancelled is what is to be run once a restore that has replaced nothing yet
// was cancelled: what was read in goes. It says why that is too late, or not to be
// done.
func (r Running) RestoreCancelled(at time.Time) (Running, error) {
	switch {
	case !r.Restore.Pending():
		return r, Errorf(CodeConflict, "No snapshot is being restored.")
	case r.Restore.Phase == RestoreReplacing:
		return r, Errorf(CodeConflict, "The snapshot is taking the place of the data already: wait until it is restored, or delete the deployment.")
	case r.Restore.Phase == RestoreReading && r.Outdated == "": // else reading has not begun
		r.Outdated = r.Restore.Incoming()
	}
	return r.RestoreMoved(RestoreFailed, "It was cancelled.", at), nil
}

// RestoreMoved is what is to be run once a restore of a snapshot has come to a
// phase, or says why it has not. What was over stays so.
func (r Running) RestoreMoved(to RestorePhase, reason string, at time.Time) Running {
	if !r.Restore.Pending() {
		return r
	}
	moved := *r.Restore
	moved.Reason = reason
	if moved.Phase != to {
		moved.Phase, moved.Since = to, at
	}
	r.Restore = &moved
	return r
}

// SnapshotContents are what a final snapshot is of, and holds.
type SnapshotContents struct {
	Deployment DeploymentID
	Kind       string // of agent, that worked with it last
	Contained  bool   // as a container
	Database   bool   // a dump of its database
	State      bool
}

// Fits says why the data of a snapshot is none for what a revision runs, which
// needs so much that is made here; nil if it is.
func (c SnapshotContents) Fits(r Revision, kinds map[string]AgentKind, needs Needs) *Failure {
	exclusive := kinds[r.Artefact.Kind].Exclusive
	refuse := func(message, hint string) *Failure {
		return &Failure{Phase: PhaseServe, Step: "snapshot", Code: "snapshot_unfit", Message: message, Hint: hint}
	}
	const deploy = "Restore it into a deployment of the source that it was kept of."
	switch contained := r.Artefact.Image != ""; {
	case c.Kind != r.Artefact.Kind && !sameData(kinds[c.Kind], kinds[r.Artefact.Kind]):
		return refuse("The snapshot is of another kind of agent ("+c.Kind+") than the deployment runs ("+r.Artefact.Kind+").", deploy)
	case exclusive && c.State && c.Contained != contained:
		return refuse("Of the snapshot's agent and the deployment's, one is a container and the other is not.", "Deploy it as it ran when the snapshot was kept.")
	case exclusive && !c.State:
		return refuse("The snapshot holds no state, and the deployment keeps its data there.", deploy)
	case needs.Postgres && !c.Database:
		return refuse("The snapshot holds no database, and the deployment keeps its data there.", deploy)
	case !needs.Postgres && c.Database:
		return refuse("The snapshot holds a database, and none was made for the deployment.", "Deploy it without POSTGRES_URI_CUSTOM, or read the dump into your own database by pg_restore.")
	}
	return nil
}

func sameData(a, b AgentKind) bool { return a.Data != "" && a.Data == b.Data }
