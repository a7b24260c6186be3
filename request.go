package slipway

// DeploymentView is a deployment with what the contract shows beside its own row.
type DeploymentView struct {
	Deployment
	URL       string
	Serving   int             // instances of the active revision that serve
	Newest    *NewestRevision // nil before the first
	Variables []string        // names of its secrets; values stay where they are
	Refs      []SecretRef
	Values    map[string]string // of its secrets in clear, only for who may read them
}

// NewestRevision is what a deployment shows of its newest revision.
type NewestRevision struct {
	ID      RevisionID
	Status  RevisionStatus
	Message string
}

// NewDeployment is what a client asks to be made.
type NewDeployment struct {
	Name      string
	Source    Source
	Config    SourceConfig
	Revision  RevisionConfig
	Variables []EnvVar
	Refs      []SecretRef
}

// RevisionView is a revision with the history of its statuses.
type RevisionView struct {
	Revision
	History []StatusChange
}

// Change is what a PATCH asks for. nil is what was left out or null: neither
// changes anything (contract §3).
type Change struct {
	RevisionSource Source // "" for the deployment's own
	DisplayName    *string
	BuildOnPush    *bool
	CustomURL      *string
	Resources      *Resources // replaces the whole
	InstallCommand *string
	BuildCommand   *string
	AgentServer    *AgentServer
	Access         *Access
	Protected      *bool // makes no revision
	RepoRef        *string
	ConfigPath     *string
	ImageURI       *string
	TarballPath    *string
	Variables      []EnvVar // empty: unchanged
	Refs           *[]SecretRef
	Immutable      SourceConfig // given values of what may not change
	AlwaysRevise   bool         // POST …/revisions makes a revision in any case
}
