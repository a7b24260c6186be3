package slipway

import "time"

// Deletion is how far the end of a deployment has come. It is zero for one that
// is not being deleted.
//
// A deletion goes through its statuses once or twice. Where something is kept
// aside, what runs and what reaches it goes first: AWAITING_DELETE,
// AWAITING_FINAL_DELETE, then KEPT, which clients never see. From there it is
// restored, or purged: AWAITING_DELETE again, and to the end. Where nothing is
// kept the first time is the last.
type Deletion struct {
	At      time.Time // DELETE was answered
	By      string    // who asked, as the audit names them
	GoneAt  time.Time // since then clients are told that there is no such deployment
	PurgeAt time.Time // its data is kept aside until then; At where it is not
	Purge   bool      // what is kept aside goes too
	Slug    string    // the public name that it had, and takes back if it is free
}

// Gone says whether clients are told that there is no such deployment.
func (d Deletion) Gone() bool { return !d.GoneAt.IsZero() }

// DeleteOptions are what a DELETE asks for beside the end.
type DeleteOptions struct {
	TracingProject bool // its tracing project goes too
	Now            bool // nothing is kept aside
}

// DeletionPlan is what a DELETE would do now.
type DeletionPlan struct {
	Deployment Deployment
	Remove     []Item        // in the order in which they go
	Keep       []KeptItem    // what stays for good
	KeptFor    time.Duration // what can be restored is kept aside so long, 0 for not at all
}

// KeptItem is something that a deployment uses and that its end leaves alone.
type KeptItem struct {
	Kind  ItemKind
	Ref   string
	Since time.Time
	Why   string
}

// DeletionState is how a deletion stands, in a word.
type DeletionState string

const (
	DeletionStopping DeletionState = "stopping" // it serves no more; what runs is being stopped
	DeletionKept     DeletionState = "kept"     // nothing runs; its data is kept aside, and it can be restored
	DeletionPurging  DeletionState = "purging"  // its data is being removed
	DeletionDone     DeletionState = "done"     // nothing is left, as was seen
)

// DeletionReceipt tells what became of everything that was made for a
// deployment. It is what remains of it.
type DeletionReceipt struct {
	Deployment DeploymentID
	Workspace  WorkspaceID
	Name       string
	State      DeletionState
	At         time.Time // DELETE was answered
	By         string
	GoneAt     time.Time
	PurgeAt    time.Time
	DoneAt     time.Time // zero before
	Items      []Item
	Keep       []KeptItem
	Snapshot   string // where its final snapshot was put, "" for none
}

// Thing is something outside of the store that was made here and is there now.
type Thing struct {
	Kind       ItemKind
	Ref        string       // as in the inventory
	Deployment DeploymentID // "" for what deployments share
	What       string       // what a person would look for: a path, the name of a container
	Since      time.Time    // zero if that can not be told
}
