package slipway

import (
	"context"
	"time"
)

// Store keeps every row. The control plane alone uses it.
type Store interface {
	// Update runs fn in a transaction and returns once its writes are durable.
	// fn does no I/O of its own, does not call Update, and may be run again.
	// Concurrent calls may share one commit; an error of fn, a panic too,
	// undoes its own writes only. After a method of Tx failed with anything but
	// this package's errors, fn can not succeed.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one consistent state.
	View(ctx context.Context, fn func(Tx) error) error
	Close() error
}

// Tx is one transaction. Reading or changing what does not exist is ErrNoRow;
// writing a row that was changed since it was read is ErrStale. Times come back
// in UTC and without nanoseconds. A limit of 0 selects all.
type Tx interface {
	Workspaces
	Deployments
	Revisions
	Instances
	Inventory
	Leases
	Uploads
	Logs
	Projects
	Secrets
	Databased
	Audit
	Receipts
	StatusEvents
	Listeners
	Measurements
	Deletions
}

// Workspaces and their keys.
type Workspaces interface {
	InsertWorkspace(Workspace) error
	Workspace(WorkspaceID) (Workspace, error)
	// ListWorkspaces lists all, oldest first.
	ListWorkspaces() ([]Workspace, error)
	RenameWorkspace(WorkspaceID, string) error
	// WorkspaceRemains counts what keeps a workspace from being deleted.
	WorkspaceRemains(WorkspaceID) (Remains, error)
	// DeleteWorkspace removes a workspace that has no remains, and its keys.
	DeleteWorkspace(WorkspaceID) error
	InsertKey(Key) error
	Key(KeyID) (Key, error)
	KeyByHash(hash string) (Key, error)
	ListKeys(KeyFilter) ([]Key, error)
	// AgentKey returns the newest key that was sealed for a deployment's agent
	// and was not revoked.
	AgentKey(DeploymentID) (Key, error)
	// CountAdminKeys counts the keys of administrators of the installation that
	// are valid at a time.
	CountAdminKeys(now time.Time) (int, error)
	RevokeKey(id KeyID, at time.Time) error
	TouchKey(id KeyID, at time.Time) error
	// DeleteDeploymentKeys returns how many there were.
	DeleteDeploymentKeys(DeploymentID) (int, error)
}

// Remains is what is left in a workspace. Deleted are deployments that are gone
// for clients, and kept aside or being removed; Leaving are tracing projects that
// are being removed by themselves.
type Remains struct{ Deployments, Deleted, Listeners, Projects, Leaving int }

// KeyFilter selects keys, newest first. Zero fields select all.
type KeyFilter struct {
	Workspace WorkspaceID
	Limit     int
	Offset    int
}

// Audit is the record of who did what. Nothing changes it.
type Audit interface {
	InsertAuditEvent(AuditEvent) error
	// ListAuditEvents lists the newest first.
	ListAuditEvents(limit, offset int) ([]AuditEvent, error)
}

// DeploymentFilter selects deployments of a workspace. Zero fields select all.
type DeploymentFilter struct {
	Workspace    WorkspaceID
	Name         string // exact; leaves out what is being deleted
	NameContains string // the exact name first; leaves out what is being deleted
	Status       DeploymentStatus
	Type         string
	IDs          []DeploymentID
	Reconciled   *bool // whether a data plane has caught up with what is wanted
	Limit        int
	Offset       int
}

// Deployments, newest first in lists, which leave out what is gone.
type Deployments interface {
	InsertDeployment(Deployment) error
	// Deployment returns one of any workspace.
	Deployment(DeploymentID) (Deployment, error)
	DeploymentBySlug(slug string) (Deployment, error)
	// DeploymentView is Deployment with what is shown beside it, but for its URL.
	DeploymentView(DeploymentID) (DeploymentView, error)
	ListDeployments(DeploymentFilter) ([]DeploymentView, error)
	// CountDeployments counts those of a type that are not being deleted.
	CountDeployments(w WorkspaceID, kind string) (int, error)
	// DeploymentsInStatus lists over all workspaces, oldest first.
	DeploymentsInStatus(DeploymentStatus, int) ([]Deployment, error)
	// DeploymentsAfter lists over all workspaces, in the order of ids, those
	// that no listener runs.
	DeploymentsAfter(DeploymentID, int) ([]Deployment, error)
	// UpdateDeployment writes the row and raises its Version. Observed is left
	// alone: Release writes it.
	UpdateDeployment(*Deployment) error
	// DeleteDeployment removes the row and everything that hangs on it. Its
	// tracing project is kept for itself, unless it was deleted before.
	DeleteDeployment(DeploymentID) error
}

// RevisionFilter selects revisions of a deployment, newest first.
type RevisionFilter struct {
	Deployment DeploymentID
	Status     RevisionStatus
	Reconciled *bool // whether it has ended
	Limit      int
	Offset     int
}

// Revisions and the history of their statuses.
type Revisions interface {
	// InsertRevision writes the row and the first entry of its history.
	InsertRevision(Revision) error
	Revision(DeploymentID, RevisionID) (Revision, error)
	ListRevisions(RevisionFilter) ([]Revision, error)
	// OpenRevisions returns those that have not ended.
	OpenRevisions(DeploymentID) ([]Revision, error)
	// OverdueRevisions returns those in progress whose deadline has passed.
	OverdueRevisions(now time.Time, limit int) ([]Revision, error)
	// NextDeadline is the earliest of those in progress, zero if there is none.
	NextDeadline() (time.Time, error)
	// UpdateRevision writes the row, raises its Version and, where the status
	// differs from was, adds to the history.
	UpdateRevision(r *Revision, was RevisionStatus) error
	History(RevisionID) ([]StatusChange, error)
}

// Instances and the ports that they hold.
type Instances interface {
	InsertInstance(Instance) error
	Instance(InstanceID) (Instance, error)
	ListInstances(DeploymentID) ([]Instance, error)
	UpdateInstance(Instance) error
	DeleteInstance(InstanceID) error
	// FreePort returns the lowest port of the range, from start on and then
	// from its beginning, that no instance holds; ErrNoRow if there is none.
	FreePort(r PortRange, start int) (int, error)
}

// Inventory of what was made for deployments.
type Inventory interface {
	// AddItem writes an item unless it is there; one that was removed is
	// there again, and one that was released is needed again.
	AddItem(Item) error
	ListItems(DeploymentID) ([]Item, error)
	// PlaceItem writes where an item is.
	PlaceItem(d DeploymentID, kind ItemKind, ref, place string) error
	// ReleaseItem writes that the deployment does not need an item any more.
	ReleaseItem(d DeploymentID, kind ItemKind, ref string, at time.Time) error
	// MarkRemoved writes that the thing was removed, MarkShared that it was left
	// to others.
	MarkRemoved(d DeploymentID, kind ItemKind, ref string, at time.Time) error
	MarkShared(d DeploymentID, kind ItemKind, ref string, at time.Time) error
	// MarkVerified writes that a thing which was removed was looked for, and not
	// found.
	MarkVerified(d DeploymentID, kind ItemKind, ref string, at time.Time) error
	// MarkStuck writes that removing it was in vain, or that it is there again,
	// and when to try again (zero: whoever made it minds that).
	MarkStuck(d DeploymentID, kind ItemKind, ref, reason string, retry time.Time) error
	// ItemOwners counts deployments that have the item and have not removed it.
	ItemOwners(kind ItemKind, ref string) (int, error)
}

// Leases, one per deployment, and when a deployment is due: when the time of a
// Wake or Release has come, and when a lease has run out. One that is a
// listener's to run is not due for anybody here.
type Leases interface {
	// Wake makes a deployment due at a time, if it is not due before and nobody
	// holds its lease: who does sees by the generation that something changed.
	Wake(d DeploymentID, at time.Time) error
	// TakeDue takes up to limit leases of deployments that are due and free, those
	// due the longest first. What is being deleted is TakeDueDeletions' to take.
	TakeDue(owner string, now, until time.Time, limit int) ([]Lease, error)
	TakeDueDeletions(owner string, now, until time.Time, limit int) ([]Lease, error)
	// Take takes one lease, due or not; ErrLeased if somebody holds it.
	Take(d DeploymentID, owner string, now, until time.Time) (Lease, error)
	// EndLeases ends all leases of an owner; their deployments are due at once.
	EndLeases(owner string, now time.Time) error
	// Renew prolongs a lease, also one that ran out and that nobody took;
	// ErrLeaseLost if it is over.
	Renew(l Lease, until time.Time) error
	// CheckLease is ErrLeaseLost unless the term is the current one.
	CheckLease(l Lease) error
	// Release ends a lease. If the generation is still seen, it becomes Observed
	// and the deployment is due next (zero: not); else it is due at once.
	Release(l Lease, seen int64, next time.Time) error
	// NextDue is when TakeDue will find a deployment, zero for never, 1970 for at
	// once; NextDueDeletion the same for TakeDueDeletions.
	NextDue() (time.Time, error)
	NextDueDeletion() (time.Time, error)
}

// Uploads of sources.
type Uploads interface {
	InsertUpload(Upload) error
	Upload(UploadID) (Upload, error)
	UploadByObject(d DeploymentID, object string) (Upload, error)
	UpdateUpload(Upload) error
	DeleteUpload(UploadID) error
	ListUploads(DeploymentID) ([]Upload, error)
}

// Logs of builds and agents.
type Logs interface {
	// AppendLogs stores lines; one whose origin and offset are there is left
	// alone, one of a deployment that is gone is dropped.
	AppendLogs([]LogLine) error
	QueryLogs(LogQuery) ([]StoredLine, error)
	// LogEnd is the highest offset stored of an origin, 0 if none.
	LogEnd(d DeploymentID, origin string) (int64, error)
}

// Projects for traces.
type Projects interface {
	InsertProject(TracingProject) error
	Project(ProjectID) (TracingProject, error)
	// ProjectByName does not see hidden ones.
	ProjectByName(WorkspaceID, string) (TracingProject, error)
	// ProjectLeaves says whether a hidden one of the name goes with a deployment
	// that may run still.
	ProjectLeaves(WorkspaceID, string) (bool, error)
	// ListProjects does not see hidden ones.
	ListProjects(ProjectFilter) ([]TracingProject, error)
	// ProjectsDue lists over all workspaces those that are to be looked after.
	ProjectsDue(now time.Time, limit int) ([]TracingProject, error)
	// NextProjectDue is when the next will be, zero for never.
	NextProjectDue() (time.Time, error)
	UpdateProject(TracingProject) error
	DeleteProject(ProjectID) error
}

// SealedVar is a variable whose value is encrypted.
type SealedVar struct {
	Name   string
	Sealed []byte
}

// Secrets are kept in sets that never change: a revision pins one.
type Secrets interface {
	InsertSecretSet(d DeploymentID, id SecretSetID, vars []SealedVar, refs []SecretRef) error
	SecretSet(SecretSetID) ([]SealedVar, []SecretRef, error)
	// SecretNames lists the names of the variables of a set.
	SecretNames(SecretSetID) ([]string, error)
}

// SealedLogin is a Login whose password is encrypted.
type SealedLogin struct {
	Deployment DeploymentID
	Number     int
	Revision   int64 // number of the first revision that was made with it
	Sealed     []byte
	CreatedAt  time.Time
}

// SealedRedis is a RedisServer whose password is encrypted.
type SealedRedis struct {
	Deployment DeploymentID
	Port       int // that no instance and no other has
	Sealed     []byte
}

// Databased is what is written down of databases beside the inventory.
type Databased interface {
	InsertLogin(SealedLogin) error
	// ListLogins lists those of a deployment, the newest last.
	ListLogins(DeploymentID) ([]SealedLogin, error)
	DeleteLogin(d DeploymentID, number int) error
	// InsertRedisNumber gives a deployment a number on the Redis that deployments
	// share; no two have the same.
	InsertRedisNumber(d DeploymentID, number int) error
	RedisNumber(DeploymentID) (int, error)
	// ListRedisNumbers lists all that are given, the lowest first.
	ListRedisNumbers() ([]int, error)
	InsertRedisServer(SealedRedis) error
	RedisServer(DeploymentID) (SealedRedis, error)
	// MoveRedisServer gives it another port.
	MoveRedisServer(d DeploymentID, port int) error
}

// Receipts of requests that took effect under a key.
type Receipts interface {
	// ClaimReceipt returns the receipt that is there for the workspace and key,
	// else it writes r and returns it. Until the transaction ends nobody else
	// claims the same.
	ClaimReceipt(r Receipt) (Receipt, error)
	// CompleteReceipt writes the resource of a receipt that was claimed.
	CompleteReceipt(Receipt) error
	// OldestReceipt is when the oldest receipt was made.
	OldestReceipt() (time.Time, error)
	// DeleteReceipts removes up to limit receipts made before a time, and
	// returns how many.
	DeleteReceipts(before time.Time, limit int) (int, error)
}

// EventsKept is how many events of a deployment are kept at least.
const EventsKept = 500

// StatusEvents of deployments. They go with their deployment.
type StatusEvents interface {
	// AppendEvents gives events of one deployment the next sequences and writes
	// them. Old ones beyond EventsKept go, sooner or later.
	AppendEvents(DeploymentID, []StatusEvent) error
	// EventsAfter returns those that are kept, in their order.
	EventsAfter(d DeploymentID, sequence int64, limit int) ([]StatusEvent, error)
	// EventHead is the last sequence that was given, 0 if none was.
	EventHead(DeploymentID) (int64, error)
}

// Listeners, newest first in lists.
type Listeners interface {
	InsertListener(Listener) error
	// Listener returns one of any workspace.
	Listener(ListenerID) (Listener, error)
	ListenerByComputeID(w WorkspaceID, computeID string) (Listener, error)
	ListListeners(w WorkspaceID, limit, offset int) ([]Listener, error)
	// UpdateListener writes what a PATCH may change.
	UpdateListener(Listener) error
	DeleteListener(ListenerID) error
	// DeploymentsOnListener returns, oldest first, those of which the listener
	// may still run something.
	DeploymentsOnListener(id ListenerID, limit int) ([]Deployment, error)
}

// Measurements of deployments, at each of Resolutions. They go with their
// deployment.
type Measurements interface {
	// AddMeasurements adds to what is kept of a deployment, at every resolution:
	// measurements in the order of time, in slots of the finest one. Those of a
	// deployment that is gone are dropped.
	AddMeasurements(DeploymentID, []Measurement) error
	// ListMeasurements returns those in slots of the step of a resolution from
	// start, inclusive, to end, exclusive, oldest first.
	ListMeasurements(d DeploymentID, step time.Duration, start, end time.Time) ([]Measurement, error)
	// Census counts deployments by workspace and status.
	Census(now time.Time) ([]Census, error)
	// DropMeasurements removes what each resolution is not kept for any more.
	DropMeasurements(now time.Time) error
}

// Deletions that are going on or can be undone, and the receipts of those that
// are over.
type Deletions interface {
	// DeletedDeployments lists a workspace's, those deleted last first.
	DeletedDeployments(w WorkspaceID, limit, offset int) ([]Deployment, error)
	// DeploymentsToPurge lists over all workspaces those whose time is over to be
	// kept aside, and that are not purged yet.
	DeploymentsToPurge(now time.Time, limit int) ([]Deployment, error)
	// NextPurge is when the next will have been, zero for never.
	NextPurge() (time.Time, error)
	// SlugReserved says whether a deleted deployment of another workspace may
	// take a public name back.
	SlugReserved(slug string, w WorkspaceID) (bool, error)
	// RowsOf counts the rows that tell of a deployment, but for its receipt: 0
	// once it is deleted.
	RowsOf(DeploymentID) (int, error)
	// CountLogs counts lines, up to most.
	CountLogs(d DeploymentID, most int) (int, error)
	// DropLogs removes up to limit lines, and returns how many.
	DropLogs(d DeploymentID, limit int) (int, error)
	InsertDeletionReceipt(DeletionReceipt) error
	DeletionReceipt(DeploymentID) (DeletionReceipt, error)
	// DeletionReceipts lists those of a name in a workspace, of all names if it is
	// "", the last first.
	DeletionReceipts(w WorkspaceID, name string, limit, offset int) ([]DeletionReceipt, error)
	// OldestDeletionReceipt says when the oldest was written, ErrNoRow if there is
	// none.
	OldestDeletionReceipt() (time.Time, error)
	// DeleteDeletionReceipts removes up to limit that were written before.
	DeleteDeletionReceipts(before time.Time, limit int) (int, error)
}
