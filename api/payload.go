package api

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// newDeployment reads the body of a create.
func newDeployment(b wire.DeploymentCreateRequest) slipway.NewDeployment {
	return slipway.NewDeployment{
		Name: b.Name, Source: slipway.Source(b.Source),
		Config: sourceConfig(b.SourceConfig), Revision: revisionConfig(b.SourceRevisionConfig),
		Variables: variables(&b.Secrets), Refs: value(references(b.SecretReferences)),
	}
}

func sourceConfig(c wire.SourceConfigRequest) slipway.SourceConfig {
	config := slipway.SourceConfig{
		IntegrationID: value(c.IntegrationID), RepoURL: value(c.RepoURL), DeploymentType: value(c.DeploymentType),
		BuildOnPush: c.BuildOnPush, CustomURL: value(c.CustomURL), Resources: resources(c.ResourceSpec),
		ListenerID: value(c.ListenerID), InstallCommand: value(c.InstallCommand), BuildCommand: value(c.BuildCommand),
		AgentServer: slipway.AgentServer(value(c.AgentServer)), Access: slipway.Access(value(c.Access)),
	}
	if c.ListenerConfig != nil {
		config.HasListener, config.K8sNamespace = true, c.ListenerConfig.K8SNamespace
	}
	return config
}

func revisionConfig(c wire.SourceRevisionConfigRequest) slipway.RevisionConfig {
	return slipway.RevisionConfig{
		RepoRef: value(c.RepoRef), ConfigPath: value(c.LanggraphConfigPath),
		ImageURI: value(c.ImageURI), TarballPath: value(c.SourceTarballPath),
	}
}

// change reads what PATCH and POST …/revisions have in common.
func change(source *string, c *wire.SourceConfigRequest, r *wire.SourceRevisionConfigRequest, secrets *[]wire.Secret, refs *[]wire.SecretReference) slipway.Change {
	ch := slipway.Change{RevisionSource: slipway.Source(value(source)), Variables: variables(secrets), Refs: references(refs)}
	if c != nil {
		ch.Immutable = sourceConfig(*c)
		ch.BuildOnPush, ch.CustomURL, ch.Resources = c.BuildOnPush, c.CustomURL, resources(c.ResourceSpec)
		ch.InstallCommand, ch.BuildCommand, ch.AgentServer = c.InstallCommand, c.BuildCommand, (*slipway.AgentServer)(c.AgentServer)
		ch.Access = (*slipway.Access)(c.Access)
	}
	if r != nil {
		ch.RepoRef, ch.ConfigPath, ch.ImageURI, ch.TarballPath = r.RepoRef, r.LanggraphConfigPath, r.ImageURI, r.SourceTarballPath
	}
	return ch
}

func variables(secrets *[]wire.Secret) []slipway.EnvVar {
	given := value(secrets)
	vars := make([]slipway.EnvVar, len(given))
	for i, s := range given {
		vars[i] = slipway.EnvVar{Name: s.Name, Value: s.Value}
	}
	return vars
}

func references(given *[]wire.SecretReference) *[]slipway.SecretRef {
	if given == nil {
		return nil
	}
	refs := make([]slipway.SecretRef, len(*given))
	for i, r := range *given {
		refs[i] = slipway.SecretRef{Name: r.Name, SecretName: r.SecretName, SecretKey: r.SecretKey}
	}
	return &refs
}
