package slipway

import (
	"regexp"
	"strings"
	"time"
)

// Source is where a deployment's revisions come from (contract §3).
type Source string

const (
	SourceGitHub         Source = "github"
	SourceExternalDocker Source = "external_docker"
	SourceInternalDocker Source = "internal_docker"
	SourceInternalSource Source = "internal_source"
	SourceTemplate       Source = "internal_template"
)

// Internal says whether what runs is given to us, by an upload or a push. Such
// a deployment is created before there is anything to run.
func (s Source) Internal() bool {
	return s == SourceInternalDocker || s == SourceInternalSource || s == SourceTemplate
}

// Uploads says whether a revision is built from an upload.
func (s Source) Uploads() bool { return s == SourceInternalSource || s == SourceTemplate }

// DeploymentStatus is the contract's (§3).
type DeploymentStatus string

const (
	AwaitingDatabase    DeploymentStatus = "AWAITING_DATABASE"
	Ready               DeploymentStatus = "READY"
	Unused              DeploymentStatus = "UNUSED"
	AwaitingDelete      DeploymentStatus = "AWAITING_DELETE"
	AwaitingFinalDelete DeploymentStatus = "AWAITING_FINAL_DELETE"
	Kept                DeploymentStatus = "KEPT" // deleted, and can be restored; ours alone: clients never see it
	DeploymentUnknown   DeploymentStatus = "UNKNOWN"
)

// Deployment is an app that is wanted, and what is known of it.
type Deployment struct {
	ID             DeploymentID
	Workspace      WorkspaceID
	Name           string
	DisplayName    string
	Slug           string // public name, kept for life
	Source         Source
	Config         SourceConfig
	RevisionConfig RevisionConfig // what a new revision starts from
	Secrets        SecretSetID    // "" for none
	Project        ProjectID
	Status         DeploymentStatus
	Latest         RevisionID // newest revision, "" before the first
	Active         RevisionID // the one that serves, "" before the first
	Health         Health
	Running        Running
	ProvidedAt     time.Time // its database was made; zero if none was
	Protected      bool      // DELETE is refused
	DeleteProject  bool      // delete the tracing project too
	Deletion       Deletion
	CreatedAt      time.Time
	UpdatedAt      time.Time

	// Generation grows with every change of what is wanted; a data plane that
	// has caught up reports it back.
	Generation int64
	Observed   int64
	// Version is compared at every write of the row.
	Version int64
}

// Running is how the active revision is to run, and how it came to do so. It is
// decided here, while Config holds what clients ask for.
type Running struct {
	Replicas int        // how many instances it is to have, if its size lets it; 0 for the least
	Alone    bool       // its kind runs once, whatever is asked for
	Asleep   bool       // it is to have none until a request comes
	Woken    int        // how often one came
	Since    time.Time  // it passed its gate
	Before   RevisionID // served until then, "" for none: what to go back to
	Handover *Handover  // in progress, nil for none
	Snapshot string     // of the state before its last hand-over, "" for none
	Outdated string     // a snapshot that is to be removed

	Restore *SnapshotRestore // the last, nil for none

	FullSince time.Time // its database takes no changes; zero for that it does
}

// Full is what is to be run once the database is known to take no changes, or to
// take them.
func (r Running) Full(full bool, at time.Time) Running {
	switch {
	case !full:
		r.FullSince = time.Time{}
	case r.FullSince.IsZero():
		r.FullSince = at
	}
	return r
}

// Handover is how far the state of a deployment has come from one instance to
// the next. Each phase is written down before it begins.
type Handover struct {
	From, To InstanceID
	Phase    HandoverPhase
	Snapshot string    // name of what the state was before, "" before it is taken
	Since    time.Time // this phase began
}

// HandoverPhase names what is being done.
type HandoverPhase string

const (
	HandoverWaiting   HandoverPhase = "waiting"      // the new one loads, then both wait for a quiet moment
	HandoverHolding   HandoverPhase = "holding"      // what writes is held, the old one ends its runs and stops
	HandoverSnapshot  HandoverPhase = "snapshotting" // nobody has the state open
	HandoverReleasing HandoverPhase = "releasing"    // the new one opens the state, and is gated
	HandoverReturning HandoverPhase = "returning"    // it failed: the state is put back, the old one starts
)

// FreeTypes are the deployment types that count as free (contract §2).
var FreeTypes = []string{"dev_free", "dev_free_zero"}

// Deleting says whether DELETE has been answered: from then on nothing new
// takes effect for this id, unless it is restored.
func (d Deployment) Deleting() bool {
	return d.Status == AwaitingDelete || d.Status == AwaitingFinalDelete || d.Status == Kept
}

// Cleared says of one that is being deleted that its data plane has nothing left
// that is to go now.
func (d Deployment) Cleared() bool { return d.Deleting() && d.Status != AwaitingDelete }

// SourceConfig is what a client sets on a deployment and a revision does not
// carry. "" and nil mean unset.
type SourceConfig struct {
	IntegrationID  string
	RepoURL        string
	RepoBranch     string
	TemplateID     string
	DeploymentType string
	BuildOnPush    *bool
	CustomURL      string
	Resources      *Resources
	ListenerID     string
	K8sNamespace   *string
	HasListener    bool // listener_config was given
	InstallCommand string
	BuildCommand   string
	AgentServer    AgentServer
	Access         Access
}

// Access is who may ask an agent; "" is AccessKey.
type Access string

const (
	AccessKey    Access = "key"    // whoever has a key of its workspace
	AccessPublic Access = "public" // everybody
)

// Health is an extension beyond the contract's statuses: how what serves is
// doing.
type Health struct {
	State  HealthState
	Reason string
	Since  time.Time
}

// databaseFull is what people are told.
const databaseFull = "Its database holds more than it may and takes no changes: agents read, and what writes fails. " +
	"Delete what is not needed and VACUUM FULL, or start the server with a larger --agent-database-size."

// HealthNow is how what serves does, with its database.
func (d Deployment) HealthNow() Health {
	if d.Running.FullSince.IsZero() || d.Health.State != Healthy {
		return d.Health
	}
	return Health{State: Unhealthy, Reason: databaseFull, Since: d.Running.FullSince}
}

// HealthState is "" before anything has served.
type HealthState string

const (
	Healthy   HealthState = "healthy"
	Restarts  HealthState = "restarting"
	Unhealthy HealthState = "unhealthy"
	Asleep    HealthState = "asleep" // it is well, and nothing runs
)

var deploymentName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)

// CheckName says what is wrong with a deployment's name (contract §3).
func CheckName(name string) error {
	if deploymentName.MatchString(name) {
		return nil
	}
	return Errorf(CodeInvalid, "Invalid deployment name %q: use 1 to 63 lower-case letters, digits, '-' and '_', beginning and ending with a letter or digit.", name)
}

// Slug derives the public name: the name with '_' as '-', and the end of the
// id after it where that is taken.
func Slug(name string, id DeploymentID, taken bool) string {
	slug := strings.ReplaceAll(name, "_", "-")
	if !taken {
		return slug
	}
	return slug[:min(len(slug), 56)] + "-" + string(id[len(id)-6:])
}
