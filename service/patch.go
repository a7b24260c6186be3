package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Patch changes a deployment and, where the change concerns what runs, makes a
// revision of it.
func (s *Service) Patch(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, ch slipway.Change) (slipway.DeploymentView, error) {
	if err := checkChange(ch); err != nil {
		return slipway.DeploymentView{}, err
	}
	if err := s.pin(ctx, who, id, &ch); err != nil {
		return slipway.DeploymentView{}, wrap("pin image", err)
	}
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		if err := c.apply(who, &d, ch); err != nil {
			return "", err
		}
		view, err = c.view(d.ID)
		return string(id), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("patch deployment", err))
}

func checkChange(ch slipway.Change) error {
	if ch.DisplayName != nil && strings.TrimSpace(*ch.DisplayName) == "" {
		return slipway.Errorf(slipway.CodeInvalid, "display_name cannot be empty.")
	}
	if ch.Refs != nil {
		if err := slipway.CheckRefs(*ch.Refs); err != nil {
			return err
		}
	}
	if ch.ImageURI != nil {
		if err := slipway.CheckImage(*ch.ImageURI); err != nil {
			return err
		}
	}
	return cmp.Or(checkConfigPath(ch.ConfigPath), checkCustomURL(ch.CustomURL), checkCommands(ch.InstallCommand, ch.BuildCommand), slipway.CheckVariables(ch.Variables))
}

func checkCommands(install, build *string) error {
	for _, c := range []struct {
		name string
		text *string
	}{{"install_command", install}, {"build_command", build}} {
		if c.text == nil {
			continue
		}
		if err := slipway.CheckCommand(c.name, *c.text); err != nil {
			return err
		}
	}
	return nil
}

// checkCustomURL keeps to addresses that a browser may be sent to.
func checkCustomURL(address *string) error {
	if address == nil || *address == "" {
		return nil
	}
	if u, err := url.Parse(*address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.custom_url' must be an http or https URL.")
	}
	return nil
}

// checkConfigPath keeps langgraph_config_path within the source.
func checkConfigPath(path *string) error {
	if path == nil {
		return nil
	}
	for part := range strings.SplitSeq(*path, "/") {
		if part == ".." || strings.ContainsRune(part, 0) {
			return slipway.Errorf(slipway.CodeInvalid, "Invalid langgraph_config_path %q: it must lie within the source.", *path)
		}
	}
	if strings.HasPrefix(*path, "/") {
		return slipway.Errorf(slipway.CodeInvalid, "Invalid langgraph_config_path %q: it must be relative to the root of the source.", *path)
	}
	return nil
}

func (c *change) apply(who slipway.Principal, d *slipway.Deployment, ch slipway.Change) error {
	if err := unchanged(d.Config, ch.Immutable); err != nil {
		return err
	}
	source, err := c.revisionSource(d, ch)
	if err != nil {
		return err
	}
	if err := c.takeSource(d, source, ch); err != nil {
		return err
	}
	if len(ch.Variables) > 0 || ch.Refs != nil {
		if err := c.patchSecrets(d, ch); err != nil {
			return err
		}
	}
	revise, opens := revises(ch, *d), differs(ch.Access, d.Config.Access)
	before := *d
	if err := merge(ch, d); err != nil {
		return err
	}
	if err := errors.Join(c.auditAccess(who, *d, before.Config.Access), c.auditProtection(who, *d, before.Protected)); err != nil {
		return err
	}
	switch {
	case revise:
	case opens:
		return c.want(d) // its route is another
	default:
		return c.keep(d)
	}
	if err := checkRevisable(d, source); err != nil {
		return err
	}
	_, err = c.insertRevision(d, source)
	return err
}

// takeSource makes the deployment's next revision one of what was given: an
// internal deployment has an upload or an image, and never both.
func (c *change) takeSource(d *slipway.Deployment, source slipway.Source, ch slipway.Change) error {
	if ch.TarballPath != nil {
		u, err := c.uploaded(d.ID, *ch.TarballPath)
		if err != nil {
			return err
		}
		d.RevisionConfig.SourceDigest, d.RevisionConfig.SourceTree = u.Digest, u.Tree
	}
	set(&d.RevisionConfig.TarballPath, ch.TarballPath)
	set(&d.RevisionConfig.ImageURI, ch.ImageURI)
	if !source.Uploads() {
		d.RevisionConfig.TarballPath, d.RevisionConfig.SourceDigest, d.RevisionConfig.SourceTree = "", "", ""
	} else {
		d.RevisionConfig.ImageURI = ""
	}
	return nil
}

// revises says whether the change makes a revision (contract §3). Clients
// disagree on the two commands: a changed value makes one. Before an internal
// deployment has been given something to run, settings are only kept.
func revises(ch slipway.Change, d slipway.Deployment) bool {
	switch first := d.Latest == "" && d.Source.Internal(); {
	case ch.AlwaysRevise, first && ch.RevisionSource != "":
		return true
	case first:
		return ch.TarballPath != nil || ch.ImageURI != nil
	case ch.RepoRef != nil, ch.ConfigPath != nil, ch.ImageURI != nil, ch.TarballPath != nil:
		return true
	case ch.Resources != nil, len(ch.Variables) > 0, ch.Refs != nil:
		return true
	}
	return differs(ch.InstallCommand, d.Config.InstallCommand) || differs(ch.BuildCommand, d.Config.BuildCommand) ||
		differs(ch.AgentServer, d.Config.AgentServer)
}

func differs[T comparable](given *T, current T) bool { return given != nil && *given != current }

// merge writes what was given over what is there.
func merge(ch slipway.Change, d *slipway.Deployment) error {
	set(&d.DisplayName, ch.DisplayName)
	set(&d.Config.CustomURL, ch.CustomURL)
	set(&d.Config.InstallCommand, ch.InstallCommand)
	set(&d.Config.BuildCommand, ch.BuildCommand)
	set(&d.Config.AgentServer, ch.AgentServer)
	set(&d.Config.Access, ch.Access)
	set(&d.Protected, ch.Protected)
	set(&d.RevisionConfig.RepoRef, ch.RepoRef)
	set(&d.RevisionConfig.ConfigPath, ch.ConfigPath)
	d.RevisionConfig.InstallCommand, d.RevisionConfig.BuildCommand = d.Config.InstallCommand, d.Config.BuildCommand
	d.RevisionConfig.AgentServer = d.Config.AgentServer
	if ch.BuildOnPush != nil {
		d.Config.BuildOnPush = ch.BuildOnPush
	}
	if ch.Resources != nil {
		complete, err := ch.Resources.Complete()
		if err != nil {
			return err
		}
		d.Config.Resources = &complete
	}
	d.RevisionConfig.Resources = d.Config.Resources
	return nil
}

func set[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

// patchSecrets replaces the variables, the references, or both: what is not
// given stays.
func (c *change) patchSecrets(d *slipway.Deployment, ch slipway.Change) error {
	_, refs, err := c.sealed(d.Secrets)
	if err != nil {
		return err
	}
	old, err := c.variables(d.Secrets)
	if err != nil {
		return err
	}
	vars := old
	if len(ch.Variables) > 0 {
		vars = slipway.KeepDatabases(old, ch.Variables)
	}
	if ch.Refs != nil {
		refs = *ch.Refs
	}
	return c.replaceSecrets(d, vars, refs)
}

// unchanged refuses values for what is fixed at creation (contract §3). What
// equals the present value is no change.
func unchanged(have, given slipway.SourceConfig) error {
	for _, f := range []struct{ name, have, given string }{
		{"integration_id", have.IntegrationID, given.IntegrationID},
		{"repo_url", have.RepoURL, given.RepoURL},
		{"deployment_type", have.DeploymentType, given.DeploymentType},
		{"listener_id", have.ListenerID, given.ListenerID},
		{"listener_config.k8s_namespace", deref(have.K8sNamespace), deref(given.K8sNamespace)},
	} {
		if f.given != "" && f.given != f.have {
			return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.%s' cannot be changed after a deployment is created.", f.name)
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// revisionSource is what the next revision is made from. The internal sources
// may stand for one another (contract §3); where none is named, what was given
// tells, else it stays as it was.
func (c *change) revisionSource(d *slipway.Deployment, ch slipway.Change) (slipway.Source, error) {
	switch given := ch.RevisionSource; {
	case given == d.Source, given != "" && given.Internal() && d.Source.Internal():
		return given, nil
	case given != "":
		return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: a deployment of source '%s' cannot have a revision of source '%s'.", d.Source, given)
	case d.Source.Internal() && ch.TarballPath != nil:
		return slipway.SourceInternalSource, nil
	case d.Source.Internal() && ch.ImageURI != nil:
		return slipway.SourceInternalDocker, nil
	case d.Latest == "":
		return d.Source, nil
	}
	newest, err := c.Revision(d.ID, d.Latest)
	return newest.Source, wrap("read latest revision", err)
}

var errNoSuchUpload = slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.source_tarball_path' must be the object_path of an upload made for this deployment.")

// uploaded returns an upload by its object path. It refuses any path but one that was
// handed out for this deployment and has been filled (contract §5).
func (c *change) uploaded(d slipway.DeploymentID, object string) (slipway.Upload, error) {
	u, err := c.UploadByObject(d, object)
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return u, errNoSuchUpload
	case err != nil:
		return u, fmt.Errorf("look up upload: %w", err)
	case u.Digest == "":
		return u, slipway.Errorf(slipway.CodeInvalid, "Source configuration error: nothing has been uploaded to %s yet.", object)
	}
	return u, nil
}

// checkRevisable refuses a revision that has nothing to be made of.
func checkRevisable(d *slipway.Deployment, source slipway.Source) error {
	switch {
	case source.Uploads() && d.RevisionConfig.TarballPath == "":
		return required("source_revision_config.source_tarball_path", source)
	case !source.Uploads() && d.RevisionConfig.ImageURI == "":
		return required("source_revision_config.image_uri", source)
	}
	return nil
}

func required(field string, source slipway.Source) error {
	return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: '%s' is required for source '%s'.", field, source)
}
