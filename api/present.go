package api

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func presentDeployment(d slipway.DeploymentView) wire.Deployment {
	out := wire.Deployment{
		ID: string(d.ID), TenantID: string(d.Workspace), Name: d.Name, DisplayName: orNull(d.DisplayName),
		Source: string(d.Source), SourceConfig: presentSource(d), SourceRevisionConfig: presentRevisionConfig(d.RevisionConfig),
		Status: string(d.Status), Health: presentHealth(d.HealthNow()), Scale: presentScale(d), Secrets: presentVariables(d), SecretReferences: presentRefs(d.Refs),
		LatestRevisionID: orNull(string(d.Deployment.Latest)), ActiveRevisionID: orNull(string(d.Active)),
		TracerSessionID: orNull(string(d.Project)), URL: orNull(d.URL), DeletionProtection: d.Protected,
		SnapshotRestore: presentSnapshotRestore(d.Running.Restore),
		CreatedAt:       wire.NewTime(d.CreatedAt), UpdatedAt: wire.NewTime(d.UpdatedAt),
	}
	if d.Newest != nil {
		out.LatestRevisionStatus = orNull(string(d.Newest.Status))
		out.LatestRevisionStatusMessage = orNull(d.Newest.Message)
	}
	return out
}

// presentSource fills custom_url with the public address once there is one:
// command lines print nothing else (contract §3).
func presentSource(d slipway.DeploymentView) wire.SourceConfig {
	c := d.Config
	out := wire.SourceConfig{
		IntegrationID: orNull(c.IntegrationID), RepoURL: orNull(c.RepoURL), RepoBranch: orNull(c.RepoBranch), TemplateID: orNull(c.TemplateID),
		DeploymentType: orNull(c.DeploymentType), BuildOnPush: c.BuildOnPush, CustomURL: orNull(c.CustomURL), ResourceSpec: presentResources(c.Resources),
		ListenerID: orNull(c.ListenerID), InstallCommand: orNull(c.InstallCommand), BuildCommand: orNull(c.BuildCommand),
		AgentServer: orNull(string(c.AgentServer)), Access: orNull(string(c.Access)),
	}
	if out.CustomURL == nil {
		out.CustomURL = orNull(d.URL)
	}
	if c.HasListener {
		out.ListenerConfig = &wire.ListenerConfig{K8SNamespace: c.K8sNamespace}
	}
	return out
}

func presentRevisionConfig(c slipway.RevisionConfig) wire.SourceRevisionConfig {
	return wire.SourceRevisionConfig{
		RepoRef: orNull(c.RepoRef), LanggraphConfigPath: orNull(c.ConfigPath), ImageURI: orNull(c.ImageURI),
		SourceTarballPath: orNull(c.TarballPath), RepoCommitSha: orNull(c.CommitSHA),
	}
}

// presentVariables shows every name, and a value only to who may read it
// (contract §3).
func presentVariables(d slipway.DeploymentView) []wire.Secret {
	out := make([]wire.Secret, len(d.Variables))
	for i, name := range d.Variables {
		out[i] = wire.Secret{Name: name, Value: slipway.MaskedValue}
		if value, clear := d.Values[name]; clear {
			out[i].Value = value
		}
	}
	return out
}

func presentRefs(refs []slipway.SecretRef) *[]wire.SecretReference {
	if refs == nil {
		return nil
	}
	out := make([]wire.SecretReference, len(refs))
	for i, r := range refs {
		out[i] = wire.SecretReference{Name: r.Name, SecretName: r.SecretName, SecretKey: r.SecretKey}
	}
	return &out
}

func presentScale(d slipway.DeploymentView) *wire.DeploymentScale {
	if d.Active == "" {
		return nil
	}
	s := d.Scale()
	return &wire.DeploymentScale{
		Replicas: d.Serving, Wanted: s.Wanted, Min: s.Min, Max: s.Max,
		Asleep: d.Running.Asleep, Woken: d.Running.Woken, Reason: orNull(s.Reason),
	}
}

func presentHealth(h slipway.Health) *wire.DeploymentHealth {
	if h.State == "" {
		return nil
	}
	since := wire.NewTime(h.Since)
	return &wire.DeploymentHealth{State: string(h.State), Reason: orNull(h.Reason), Since: &since}
}

func presentRevision(r slipway.RevisionView) wire.Revision {
	out := wire.Revision{
		ID: string(r.ID), Status: string(r.Status), StatusMessage: orNull(r.Message), Failure: presentFailure(r.Failure),
		Source: string(r.Source), SourceRevisionConfig: presentRevisionConfig(r.Config), RepoCommitSha: orNull(r.Config.CommitSHA),
		ReturnedFrom:  orNull(string(r.ReturnsFrom)),
		Artefact:      presentArtefact(r.Artefact),
		StatusHistory: make([]wire.StatusChange, len(r.History)), CreatedAt: wire.NewTime(r.CreatedAt), UpdatedAt: wire.NewTime(r.UpdatedAt),
	}
	for i, h := range r.History {
		out.StatusHistory[i] = wire.StatusChange{Status: string(h.Status), At: wire.NewTime(h.At)}
	}
	return out
}

func presentArtefact(a slipway.Artefact) *wire.RevisionArtefact {
	if !a.Built() {
		return nil
	}
	out := &wire.RevisionArtefact{Kind: a.Kind, Digest: a.Digest, Image: orNull(a.Image), BuiltWith: a.Runtime}
	if out.BuiltWith == nil {
		out.BuiltWith = map[string]string{}
	}
	return out
}

func presentFailure(f *slipway.Failure) *wire.RevisionFailure {
	if f == nil {
		return nil
	}
	return &wire.RevisionFailure{Phase: f.Phase, Step: orNull(f.Step), Code: f.Code, Exit: f.Exit, Hint: orNull(f.Hint)}
}
