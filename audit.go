package slipway

import "time"

// AuditEvent is a deed that somebody may have to answer for. It outlives what
// it is about.
type AuditEvent struct {
	ID        AuditID
	At        time.Time
	Workspace WorkspaceID // "" if it is about no single one
	Key       KeyID       // whose deed; "" for whom the identity provider vouches, and on the server's own machine
	Subject   string      // of the identity provider, or LocalSubject
	Action    AuditAction
	Target    string // id of what it was done to
}

// LocalSubject is who has the server's own machine.
const LocalSubject = "local"

// AuditAction is what was done.
type AuditAction string

const (
	AuditSecretsRead       AuditAction = "secrets.read" // values were shown in clear
	AuditKeyCreated        AuditAction = "key.created"
	AuditKeyRevoked        AuditAction = "key.revoked"
	AuditWorkspaceCreated  AuditAction = "workspace.created"
	AuditWorkspaceDeleted  AuditAction = "workspace.deleted"
	AuditOpened            AuditAction = "deployment.opened" // everybody may ask its agent
	AuditClosed            AuditAction = "deployment.closed" // only keys of its workspace may, again
	AuditDeleted           AuditAction = "deployment.deleted"
	AuditForced            AuditAction = "deployment.forced" // it is gone for clients before its end
	AuditRestored          AuditAction = "deployment.restored"
	AuditPurged            AuditAction = "deployment.purged" // what was kept aside goes before its time
	AuditProtected         AuditAction = "deployment.protected"
	AuditUnprotected       AuditAction = "deployment.unprotected"
	AuditPasswordRotated   AuditAction = "database.password_rotated"
	AuditSnapshotRestored  AuditAction = "snapshot.restored"  // its data takes the place of the deployment's
	AuditSnapshotCancelled AuditAction = "snapshot.cancelled" // it does not
)
