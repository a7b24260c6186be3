package slipway

import (
	"cmp"
	"slices"
	"time"
)

// Deletion is how far the end of a deployment has come. It is zero for one that
// is not being deleted.
//
// Where something is kept aside, what runs and what reaches it goes first:
//
//	READY ──► AWAITING_DELETE ──────────────► KEPT ──► AWAITING_DELETE ──► AWAITING_FINAL_DELETE ──► no row
//	  ▲        what runs is removed            │        all is removed, as      what the control
//	  └──────────────── restored ◄─────────────┘        where nothing is kept   plane has of it
//
// Clients never see KEPT, nor what follows it: for them there is no such
// deployment.
type Deletion struct {
	At      time.Time // DELETE was answered
	By      string    // who asked, as the audit names them
	GoneAt  time.Time // since then clients are told that there is no such deployment
	PurgeAt time.Time // its data is kept aside until then; At where it is not
	Purge   bool      // nothing is kept aside, or not any more
	Slug    string    // the public name that is reserved for a restore, "" for none

	Snapshot string // where its last state was put before it went, "" for nowhere
}

// Gone says whether clients are told that there is no such deployment.
func (d Deletion) Gone() bool { return !d.GoneAt.IsZero() }

// Takes says whether the things of a kind are to go now.
func (d Deletion) Takes(k ItemKind) bool { return d.Purge || k.Serves() }

// DeletionState says how the deletion stands of a deployment of which there is
// a row still.
func (d Deployment) DeletionState() DeletionState {
	switch {
	case d.Status == Kept:
		return DeletionKept
	case d.Deletion.Purge:
		return DeletionPurging
	}
	return DeletionStopping
}

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
	Snapshot   bool          // a final snapshot of state and database is made before they go
}

// With is the plan of a DELETE that asks for something beside the end.
func (p DeletionPlan) With(o DeleteOptions) DeletionPlan {
	if o.Now {
		p.KeptFor = 0
	}
	if !o.TracingProject {
		return p
	}
	own := func(k KeptItem) bool { return k.Kind == ItemProject && k.Ref == string(p.Deployment.Project) }
	if i := slices.IndexFunc(p.Keep, own); i >= 0 {
		p.Remove = append(slices.Clone(p.Remove), Item{Deployment: p.Deployment.ID, Kind: ItemProject, Ref: p.Keep[i].Ref, CreatedAt: p.Keep[i].Since})
		slices.SortStableFunc(p.Remove, inOrderOfRemoval)
		p.Keep = slices.Delete(slices.Clone(p.Keep), i, i+1)
	}
	return p
}

// KeptItem is something that a deployment uses and that its end leaves alone.
type KeptItem struct {
	Kind  ItemKind
	Ref   string // of a database that the user supplied, the variable that names it
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
	By         string    // as the audit names them
	ByName     string    // of the key, where it is known
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

// Receipt is what there is to say of the deletion of a deployment that was not
// purged yet, but for its items.
func (d Deployment) Receipt() DeletionReceipt {
	return DeletionReceipt{
		Deployment: d.ID, Workspace: d.Workspace, Name: d.Name, State: d.DeletionState(),
		At: d.Deletion.At, By: d.Deletion.By, GoneAt: d.Deletion.GoneAt, PurgeAt: d.Deletion.PurgeAt,
		Snapshot: d.Deletion.Snapshot,
	}
}

// Part divides the inventory of a deployment into what goes with it, in the
// order in which it goes, and what it leaves behind for good.
func (d Deployment) Part(items []Item) (remove []Item, keep []KeptItem) {
	for _, i := range items {
		if why := d.leaves(i); why != "" {
			keep = append(keep, KeptItem{Kind: i.Kind, Ref: i.Ref, Since: i.CreatedAt, Why: why})
		} else {
			remove = append(remove, i)
		}
	}
	slices.SortStableFunc(remove, inOrderOfRemoval)
	return remove, keep
}

func inOrderOfRemoval(a, b Item) int {
	return cmp.Compare(slices.Index(OrderOfRemoval, a.Kind), slices.Index(OrderOfRemoval, b.Kind))
}

// leaves says why the end of a deployment leaves an item alone, "" if it does
// not.
func (d Deployment) leaves(i Item) string {
	switch {
	case i.Shared:
		return "other deployments have it too"
	case i.Kind == ItemProject && i.Ref != string(d.Project):
		return "it is another deployment's"
	case i.Kind == ItemProject && !d.DeleteProject:
		return "it is kept unless it is asked for: a new deployment of the name gets it"
	}
	return ""
}

// Done is the receipt once the rows that told of the deployment are gone.
func (r DeletionReceipt) Done(at time.Time) DeletionReceipt {
	r.State, r.DoneAt, r.Items = DeletionDone, at, slices.Clone(r.Items)
	if r.GoneAt.IsZero() {
		r.GoneAt = at
	}
	for n := range r.Items {
		switch i := &r.Items[n]; i.Kind {
		case ItemLogs, ItemRecords:
			i.RemovedAt, i.VerifiedAt = at, at
		}
	}
	return r
}
