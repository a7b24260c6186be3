package slipway

import (
	"regexp"
	"time"
)

// Revision is one version of a deployment: what was asked for, the artefact
// made of it, and how far it came. Configuration and secrets are pinned.
type Revision struct {
	ID         RevisionID
	Deployment DeploymentID
	Number     int64 // 1, 2, … within the deployment
	Status     RevisionStatus
	Message    string   // the contract's status_message
	Failure    *Failure // why it failed
	Source     Source
	Config     RevisionConfig
	Secrets    SecretSetID
	Artefact   Artefact // zero before it is built
	// ReturnsFrom is the revision that failed and in whose place this one was
	// made by itself, "" for one that somebody asked for.
	ReturnsFrom RevisionID
	Deadline    time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64
}

// Builds says whether the revision has to be built before it can run.
func (r Revision) Builds() bool { return !r.Artefact.Built() && r.Source.Uploads() }

// Fetches says whether the revision is an image that is still to be fetched.
func (r Revision) Fetches() bool { return !r.Artefact.Built() && !r.Source.Uploads() }

// RevisionConfig is what a client sets for a revision. "" means unset.
type RevisionConfig struct {
	RepoRef        string
	ConfigPath     string // langgraph.json, relative to the root of the source
	ImageURI       string
	TarballPath    string // the object_path of an upload
	SourceDigest   string // SHA-256 of what was uploaded there, hex; set by us
	SourceTree     string // digest of the files in it, hex; set by us, "" if they could not be read
	CommitSHA      string
	InstallCommand string
	BuildCommand   string
	AgentServer    AgentServer
	Resources      *Resources
}

// AgentServer is which server is to run an app; "" leaves that to the kinds of
// agent, whose default is LangGraph's own for the app's language.
type AgentServer string

const (
	AgentServerLangGraph AgentServer = "langgraph"
	AgentServerAegra     AgentServer = "aegra"
)

// Artefact is what a build makes and a driver runs. A bundle is named by a digest
// of everything that went into it; an image by its own.
type Artefact struct {
	Kind    string // agent kind
	Digest  string
	Image   string            // what an engine runs: host/path@sha256:… or the id of an image that was built; "" for a bundle
	Config  string            // langgraph.json within the bundle
	Runtime map[string]string // versions it was built with: node, server, …
	// TakesKeys says that the agent looks at X-Api-Key itself: its app, or its
	// image, asks for that by AuthVariable.
	TakesKeys bool
}

// AuthVariable is LangGraph's: with AuthLangSmith an agent server asks clients
// for their key. A deployment can not set it (contract §3), what it runs can.
const (
	AuthVariable  = "LANGGRAPH_AUTH_TYPE"
	AuthLangSmith = "langsmith"
)

// Built says whether there is an artefact.
func (a Artefact) Built() bool { return a.Digest != "" }

// RevisionStatus is the contract's (§4).
type RevisionStatus string

const (
	Creating        RevisionStatus = "CREATING"
	Queued          RevisionStatus = "QUEUED"
	AwaitingBuild   RevisionStatus = "AWAITING_BUILD"
	Building        RevisionStatus = "BUILDING"
	AwaitingDeploy  RevisionStatus = "AWAITING_DEPLOY"
	Deploying       RevisionStatus = "DEPLOYING"
	Deployed        RevisionStatus = "DEPLOYED"
	CreateFailed    RevisionStatus = "CREATE_FAILED"
	BuildFailed     RevisionStatus = "BUILD_FAILED"
	DeployFailed    RevisionStatus = "DEPLOY_FAILED"
	Skipped         RevisionStatus = "SKIPPED"
	Interrupted     RevisionStatus = "INTERRUPTED"
	RevisionUnknown RevisionStatus = "UNKNOWN"
)

// InProgress says whether the revision occupies its deployment: at most one
// does.
func (s RevisionStatus) InProgress() bool {
	switch s {
	case AwaitingBuild, Building, AwaitingDeploy, Deploying:
		return true
	}
	return false
}

// Waiting says whether the revision has not begun.
func (s RevisionStatus) Waiting() bool { return s == Creating || s == Queued }

// Ended says whether the status is final.
func (s RevisionStatus) Ended() bool { return !s.InProgress() && !s.Waiting() }

// StatusChange is one entry of a revision's history.
type StatusChange struct {
	Status RevisionStatus
	At     time.Time
}

// A reference to an image: host, path, tag, digest.
var imageReference = regexp.MustCompile(`^(?:(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)

// CheckImage refuses what can not be a reference to an image.
func CheckImage(uri string) error {
	if len(uri) <= 1024 && imageReference.MatchString(uri) {
		return nil
	}
	return Errorf(CodeInvalid, "Source configuration error: 'source_revision_config.image_uri' %q is no reference to an image: use host/path:tag or host/path@sha256:….", uri)
}
