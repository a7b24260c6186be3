package slipway

import (
	"regexp"
	"slices"
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

// DeploymentStatus is the contract's (§3).
type DeploymentStatus string

const (
	AwaitingDatabase    DeploymentStatus = "AWAITING_DATABASE"
	Ready               DeploymentStatus = "READY"
	Unused              DeploymentStatus = "UNUSED"
	AwaitingDelete      DeploymentStatus = "AWAITING_DELETE"
	AwaitingFinalDelete DeploymentStatus = "AWAITING_FINAL_DELETE"
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
	DeleteProject  bool // delete the tracing project too
	CreatedAt      time.Time
	UpdatedAt      time.Time

	// Generation grows with every change of what is wanted; a data plane that
	// has caught up reports it back.
	Generation int64
	Observed   int64
	// Version is compared at every write of the row.
	Version int64
}

// Deleting says whether DELETE has been answered: from then on nothing new
// takes effect for this id.
func (d Deployment) Deleting() bool {
	return d.Status == AwaitingDelete || d.Status == AwaitingFinalDelete
}

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
	Resources      string // the contract's ResourceSpec as canonical JSON
	ListenerID     string
	K8sNamespace   *string
	HasListener    bool // listener_config was given
	InstallCommand string
	BuildCommand   string
}

// Health is an extension beyond the contract's statuses: how what serves is
// doing.
type Health struct {
	State  HealthState
	Reason string
	Since  time.Time
}

// HealthState is "" before anything has served.
type HealthState string

const (
	Healthy   HealthState = "healthy"
	Restarts  HealthState = "restarting"
	Unhealthy HealthState = "unhealthy"
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

// EnvVar is one variable of an agent.
type EnvVar struct {
	Name, Value string
	// Public values may be quoted in reasons; all others are masked.
	Public bool
}

// MaskedValue stands for a secret value in answers; sent back, it means
// "unchanged".
const MaskedValue = "********"

// SecretRef names a secret kept by a cluster.
type SecretRef struct{ Name, SecretName, SecretKey string }

// Variables that a client may not set: they are ours (contract §3).
var reservedVars = strings.Fields(`
	LANGCHAIN_TRACING_V2 LANGSMITH_TRACING_V2 LANGCHAIN_ENDPOINT LANGCHAIN_PROJECT LANGSMITH_PROJECT LANGSMITH_LANGGRAPH_GIT_REPO
	LANGGRAPH_GIT_REPO_PATH LANGCHAIN_API_KEY LANGSMITH_CONTROL_PLANE_API_KEY POSTGRES_URI POSTGRES_PASSWORD DATABASE_URI
	LANGSMITH_LANGGRAPH_GIT_REF LANGSMITH_LANGGRAPH_GIT_REF_SHA LANGGRAPH_AUTH_TYPE LANGSMITH_AUTH_ENDPOINT LANGSMITH_TENANT_ID
	LANGSMITH_AUTH_VERIFY_TENANT_ID LANGSMITH_HOST_PROJECT_ID LANGSMITH_HOST_PROJECT_NAME LANGSMITH_HOST_REVISION_ID LOG_JSON
	LOG_DICT_TRACEBACKS REDIS_URI LANGCHAIN_CALLBACKS_BACKGROUND DD_TRACE_PSYCOPG_ENABLED DD_TRACE_REDIS_ENABLED
	LANGSMITH_DEPLOYMENT_NAME LANGGRAPH_CLOUD_LICENSE_KEY PATH PORT`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckVariables refuses names that are reserved or that no process could have.
func CheckVariables(vars []EnvVar) error {
	for _, v := range vars {
		switch {
		case !variableName.MatchString(v.Name):
			return Errorf(CodeInvalid, "Invalid environment variable name %q: use letters, digits and '_', not beginning with a digit.", v.Name)
		case slices.Contains(reservedVars, v.Name), strings.HasPrefix(v.Name, "SLIPWAY_"):
			return Errorf(CodeInvalid, "Environment variable '%s' is reserved and cannot be set.", v.Name)
		case strings.ContainsRune(v.Value, 0):
			return Errorf(CodeInvalid, "The value of environment variable '%s' contains a null byte.", v.Name)
		}
	}
	return nil
}
