package slipway

import "time"

// ItemKind is a kind of thing that is made for a deployment.
type ItemKind string

const (
	ItemRoute    ItemKind = "route"    // its name at the gateway
	ItemInstance ItemKind = "instance" // process or container, port and folder
	ItemState    ItemKind = "state"    // the state folder of its kind
	ItemBundle   ItemKind = "bundle"   // shared by digest: removed with its last owner
	ItemImage    ItemKind = "image"    // in the engine, shared alike
	ItemUpload   ItemKind = "upload"   // an uploaded source
	ItemProject  ItemKind = "tracing_project"
	ItemLogs     ItemKind = "logs"
	// ItemRepository is all that was pushed for the deployment.
	ItemRepository ItemKind = "repository"
)

// Item is one thing made for a deployment. It is written before the thing is
// made, and deletion works from these rows.
type Item struct {
	Deployment DeploymentID
	Kind       ItemKind
	Ref        string // names the thing within its kind
	CreatedAt  time.Time
	ReleasedAt time.Time // when the deployment gave it up; zero while it needs it
	RemovedAt  time.Time // zero while it may exist
	VerifiedAt time.Time // when its absence was seen
	Attempts   int       // of removing it
	LastError  string
}

// OnDataPlane says whether the data plane made it and must remove it; the rest
// is the control plane's own.
func (k ItemKind) OnDataPlane() bool {
	switch k {
	case ItemRoute, ItemInstance, ItemState, ItemBundle, ItemImage:
		return true
	}
	return false
}
