package slipway

import "time"

// ItemKind is a kind of thing that is made for a deployment.
type ItemKind string

// What a data plane makes, and removes.
const (
	ItemRoute    ItemKind = "route"    // its name at the gateway
	ItemInstance ItemKind = "instance" // process or container, port and folder
	ItemState    ItemKind = "state"    // the state folder of its kind
	ItemLogin    ItemKind = "login"    // with which its agents sign in to its database
	ItemDatabase ItemKind = "database" // its own, in PostgreSQL; never one that the user supplied
	ItemRedis    ItemKind = "redis"    // its number on a Redis that deployments share, or what one of its own keeps
	ItemBundle   ItemKind = "bundle"   // shared by digest: removed with its last owner
	ItemImage    ItemKind = "image"    // in the engine, shared alike
)

// What the control plane makes, and removes.
const (
	ItemUpload      ItemKind = "upload"          // an uploaded source
	ItemRepository  ItemKind = "repository"      // all that was pushed for the deployment
	ItemCertificate ItemKind = "certificate"     // of its name in a domain, with the key
	ItemLogs        ItemKind = "logs"            // of its builds and agents
	ItemProject     ItemKind = "tracing_project" // stays, unless it is asked for too
	ItemRecords     ItemKind = "records"         // its rows: revisions, variables, keys, measurements, events
)

// OrderOfRemoval is the order in which the things of a deployment go: nobody may
// reach it any more, nothing may run, then what it left, and last the rows that
// tell of it.
var OrderOfRemoval = []ItemKind{
	ItemRoute, ItemInstance, ItemState, ItemLogin, ItemDatabase, ItemRedis, ItemBundle, ItemImage,
	ItemUpload, ItemRepository, ItemCertificate, ItemLogs, ItemProject, ItemRecords,
}

// Serves says whether things of the kind are there for the sake of serving:
// they go at once with a deletion, and a restore makes them anew. All others it
// needs as they were.
func (k ItemKind) Serves() bool { return k == ItemRoute || k == ItemInstance || k == ItemLogin }

// OnDataPlane says whether the data plane made it and must remove it; the rest
// is the control plane's own.
func (k ItemKind) OnDataPlane() bool {
	switch k {
	case ItemRoute, ItemInstance, ItemState, ItemLogin, ItemDatabase, ItemRedis, ItemBundle, ItemImage:
		return true
	}
	return false
}

// Item is one thing made for a deployment. It is written before the thing is
// made, and deletion works from these rows.
type Item struct {
	Deployment DeploymentID
	Kind       ItemKind
	Ref        string // names the thing within its kind
	Place      string // names the server that a database is on; "" while that is not known
	CreatedAt  time.Time
	ReleasedAt time.Time // when the deployment gave it up; zero while it needs it
	RemovedAt  time.Time // zero while it may exist
	VerifiedAt time.Time // when it was looked for after that, and not found
	Shared     bool      // it was left to others that have it too
	Attempts   int       // of removing it, in vain
	LastError  string    // of the last one
	RetryAt    time.Time // the next one, where the control plane makes it
}

// Gone is the item once it was removed, at that time if it was not before, and looked
// for again.
func (i Item) Gone(at time.Time) Item {
	if i.RemovedAt.IsZero() {
		i.RemovedAt = at
	}
	i.VerifiedAt, i.Shared, i.LastError = at, false, ""
	return i
}

// Settled says whether nothing is to be done about the item any more.
func (i Item) Settled() bool { return i.Shared && !i.RemovedAt.IsZero() || !i.VerifiedAt.IsZero() }
