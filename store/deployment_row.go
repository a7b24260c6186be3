package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func deploymentRow(d slipway.Deployment) db.InsertDeploymentParams {
	return db.InsertDeploymentParams{
		ID:                 string(d.ID),
		WorkspaceID:        string(d.Workspace),
		Name:               d.Name,
		DisplayName:        d.DisplayName,
		Slug:               d.Slug,
		Source:             string(d.Source),
		DeploymentType:     d.Config.DeploymentType,
		RepoURL:            d.Config.RepoURL,
		ListenerID:         d.Config.ListenerID,
		Config:             encode(sourceConfigRecord(d.Config)),
		RevisionConfig:     encode(revisionConfigRecord(d.RevisionConfig)),
		SecretSetID:        string(d.Secrets),
		ProjectID:          string(d.Project),
		Status:             string(d.Status),
		LatestRevisionID:   string(d.Latest),
		ActiveRevisionID:   string(d.Active),
		HealthState:        string(d.Health.State),
		HealthReason:       d.Health.Reason,
		HealthSince:        micros(d.Health.Since),
		DeleteProject:      d.DeleteProject,
		CreatedAt:          micros(d.CreatedAt),
		UpdatedAt:          micros(d.UpdatedAt),
		Generation:         d.Generation,
		Version:            d.Version,
		ObservedGeneration: d.Observed,
		Running:            encodeRunning(d.Running),
		Protected:          d.Protected,
		DeletedAt:          micros(d.Deletion.At),
		DeletedBy:          d.Deletion.By,
		GoneAt:             micros(d.Deletion.GoneAt),
		PurgeAt:            micros(d.Deletion.PurgeAt),
		Purge:              d.Deletion.Purge,
		ReservedSlug:       d.Deletion.Slug,
		FinalSnapshot:      d.Deletion.Snapshot,
		ProvidedAt:         micros(d.ProvidedAt),
	}
}

// deploymentChange is what an update writes: all but the identity, the time of
// creation and what belongs to the lease.
func deploymentChange(r db.InsertDeploymentParams) db.UpdateDeploymentParams {
	return db.UpdateDeploymentParams{
		ID:               r.ID,
		Name:             r.Name,
		DisplayName:      r.DisplayName,
		Slug:             r.Slug,
		Source:           r.Source,
		DeploymentType:   r.DeploymentType,
		RepoURL:          r.RepoURL,
		ListenerID:       r.ListenerID,
		Config:           r.Config,
		RevisionConfig:   r.RevisionConfig,
		SecretSetID:      r.SecretSetID,
		ProjectID:        r.ProjectID,
		Status:           r.Status,
		LatestRevisionID: r.LatestRevisionID,
		ActiveRevisionID: r.ActiveRevisionID,
		HealthState:      r.HealthState,
		HealthReason:     r.HealthReason,
		HealthSince:      r.HealthSince,
		DeleteProject:    r.DeleteProject,
		UpdatedAt:        r.UpdatedAt,
		Generation:       r.Generation,
		Version:          r.Version,
		Running:          r.Running,
		Protected:        r.Protected,
		DeletedAt:        r.DeletedAt,
		DeletedBy:        r.DeletedBy,
		GoneAt:           r.GoneAt,
		PurgeAt:          r.PurgeAt,
		Purge:            r.Purge,
		ReservedSlug:     r.ReservedSlug,
		FinalSnapshot:    r.FinalSnapshot,
		ProvidedAt:       r.ProvidedAt,
	}
}

func deployment(r db.Deployment) (slipway.Deployment, error) {
	config, err := decode[sourceConfigRecord](r.Config)
	if err != nil {
		return slipway.Deployment{}, err
	}
	revisionConfig, err := decode[revisionConfigRecord](r.RevisionConfig)
	if err != nil {
		return slipway.Deployment{}, err
	}
	running, err := decodeRunning(r.Running)
	if err != nil {
		return slipway.Deployment{}, err
	}
	config.DeploymentType, config.RepoURL, config.ListenerID = r.DeploymentType, r.RepoURL, r.ListenerID
	return slipway.Deployment{
		ID:             slipway.DeploymentID(r.ID),
		Workspace:      slipway.WorkspaceID(r.WorkspaceID),
		Name:           r.Name,
		DisplayName:    r.DisplayName,
		Slug:           r.Slug,
		Source:         slipway.Source(r.Source),
		Config:         slipway.SourceConfig(config),
		RevisionConfig: slipway.RevisionConfig(revisionConfig),
		Secrets:        slipway.SecretSetID(r.SecretSetID),
		Project:        slipway.ProjectID(r.ProjectID),
		Status:         slipway.DeploymentStatus(r.Status),
		Latest:         slipway.RevisionID(r.LatestRevisionID),
		Active:         slipway.RevisionID(r.ActiveRevisionID),
		Health:         slipway.Health{State: slipway.HealthState(r.HealthState), Reason: r.HealthReason, Since: moment(r.HealthSince)},
		Running:        running,
		ProvidedAt:     moment(r.ProvidedAt),
		Protected:      r.Protected,
		DeleteProject:  r.DeleteProject,
		Deletion: slipway.Deletion{
			At: moment(r.DeletedAt), By: r.DeletedBy, GoneAt: moment(r.GoneAt), PurgeAt: moment(r.PurgeAt), Purge: r.Purge, Slug: r.ReservedSlug,
			Snapshot: r.FinalSnapshot,
		},
		CreatedAt:  moment(r.CreatedAt),
		UpdatedAt:  moment(r.UpdatedAt),
		Generation: r.Generation,
		Observed:   r.ObservedGeneration,
		Version:    r.Version,
	}, nil
}

// runningRecord has the fields of slipway.Running.
type runningRecord struct {
	Replicas int                `json:"replicas,omitempty"`
	Alone    bool               `json:"alone,omitempty"`
	Asleep   bool               `json:"asleep,omitempty"`
	Woken    int                `json:"woken,omitempty"`
	Since    time.Time          `json:"since,omitzero"`
	Before   slipway.RevisionID `json:"before,omitempty"`
	Handover *slipway.Handover  `json:"handover,omitempty"`
	Snapshot string             `json:"snapshot,omitempty"`
	Outdated string             `json:"outdated,omitempty"`

	Restore *slipway.SnapshotRestore `json:"restore,omitempty"`

	FullSince time.Time `json:"full_since,omitzero"`
}

// encodeRunning leaves the column empty for what has nothing to say, as rows
// have it that were there before it.
func encodeRunning(r slipway.Running) string {
	if r == (slipway.Running{}) {
		return ""
	}
	r.Since, r.FullSince = moment(micros(r.Since)), moment(micros(r.FullSince)) // like all other times
	return encode(runningRecord(r))
}

func decodeRunning(text string) (slipway.Running, error) {
	if text == "" {
		return slipway.Running{}, nil
	}
	record, err := decode[runningRecord](text)
	return slipway.Running(record), err
}

// sourceConfigRecord has the fields of slipway.SourceConfig, so that one that
// is added there is missed here by the compiler. Three have columns.
type sourceConfigRecord struct {
	IntegrationID  string              `json:"integration_id,omitempty"`
	RepoURL        string              `json:"-"`
	RepoBranch     string              `json:"repo_branch,omitempty"`
	TemplateID     string              `json:"template_id,omitempty"`
	DeploymentType string              `json:"-"`
	BuildOnPush    *bool               `json:"build_on_push,omitempty"`
	CustomURL      string              `json:"custom_url,omitempty"`
	Resources      *slipway.Resources  `json:"resource_spec,omitempty"`
	ListenerID     string              `json:"-"`
	K8sNamespace   *string             `json:"k8s_namespace,omitempty"`
	HasListener    bool                `json:"has_listener,omitempty"`
	InstallCommand string              `json:"install_command,omitempty"`
	BuildCommand   string              `json:"build_command,omitempty"`
	AgentServer    slipway.AgentServer `json:"agent_server,omitempty"`
	Access         slipway.Access      `json:"access,omitempty"`
}

// revisionConfigRecord has the fields of slipway.RevisionConfig.
type revisionConfigRecord struct {
	RepoRef        string              `json:"repo_ref,omitempty"`
	ConfigPath     string              `json:"config_path,omitempty"`
	ImageURI       string              `json:"image_uri,omitempty"`
	TarballPath    string              `json:"tarball_path,omitempty"`
	SourceDigest   string              `json:"source_digest,omitempty"`
	SourceTree     string              `json:"source_tree,omitempty"`
	CommitSHA      string              `json:"commit_sha,omitempty"`
	InstallCommand string              `json:"install_command,omitempty"`
	BuildCommand   string              `json:"build_command,omitempty"`
	AgentServer    slipway.AgentServer `json:"agent_server,omitempty"`
	Resources      *slipway.Resources  `json:"resource_spec,omitempty"`
}
