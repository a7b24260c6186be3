package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Patch changes a deployment and, where the change concerns what runs, makes a
// revision of it.
func (s *Service) Patch(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, ch slipway.Change) (slipway.DeploymentView, error) {
	if err := checkChange(ch); err != nil {
		return slipway.DeploymentView{}, err
	}
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		if err := c.apply(&d, ch); err != nil {
			return "", err
		}
		view, err = c.view(d)
		return string(id), err
	}, showDeployment(who, &view))
	return view, wrap("patch deployment", err)
}

func checkChange(ch slipway.Change) error {
	if ch.DisplayName != nil && strings.TrimSpace(*ch.DisplayName) == "" {
		return slipway.Errorf(slipway.CodeInvalid, "display_name cannot be empty.")
	}
	if err := checkConfigPath(ch.ConfigPath); err != nil {
		return err
	}
	return slipway.CheckVariables(ch.Variables)
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

func (c *change) apply(d *slipway.Deployment, ch slipway.Change) error {
	if err := unchanged(d.Config, ch.Immutable); err != nil {
		return err
	}
	source, err := revisionSource(d.Source, ch.RevisionSource)
	if err != nil {
		return err
	}
	if ch.TarballPath != nil {
		if d.RevisionConfig.SourceDigest, err = c.uploaded(d.ID, *ch.TarballPath); err != nil {
			return err
		}
	}
	if len(ch.Variables) > 0 || ch.Refs != nil {
		if err := c.patchSecrets(d, ch); err != nil {
			return err
		}
	}
	revise := revises(ch, *d)
	merge(ch, d)
	if !revise {
		return c.want(d)
	}
	if err := checkRevisable(d, source); err != nil {
		return err
	}
	_, err = c.insertRevision(d, source)
	return err
}

// revises says whether the change makes a revision. Clients disagree on the two
// commands: a changed value makes one.
func revises(ch slipway.Change, d slipway.Deployment) bool {
	switch {
	case ch.AlwaysRevise:
		return true
	case ch.RepoRef != nil, ch.ConfigPath != nil, ch.ImageURI != nil, ch.TarballPath != nil:
		return true
	case ch.Resources != nil, len(ch.Variables) > 0, ch.Refs != nil:
		return true
	}
	return differs(ch.InstallCommand, d.Config.InstallCommand) || differs(ch.BuildCommand, d.Config.BuildCommand)
}

func differs(given *string, current string) bool { return given != nil && *given != current }

// merge writes what was given over what is there.
func merge(ch slipway.Change, d *slipway.Deployment) {
	set(&d.DisplayName, ch.DisplayName)
	set(&d.Config.CustomURL, ch.CustomURL)
	set(&d.Config.Resources, ch.Resources)
	set(&d.Config.InstallCommand, ch.InstallCommand)
	set(&d.Config.BuildCommand, ch.BuildCommand)
	set(&d.RevisionConfig.RepoRef, ch.RepoRef)
	set(&d.RevisionConfig.ConfigPath, ch.ConfigPath)
	set(&d.RevisionConfig.ImageURI, ch.ImageURI)
	set(&d.RevisionConfig.TarballPath, ch.TarballPath)
	d.RevisionConfig.InstallCommand, d.RevisionConfig.BuildCommand = d.Config.InstallCommand, d.Config.BuildCommand
	d.RevisionConfig.Resources = d.Config.Resources
	if ch.BuildOnPush != nil {
		d.Config.BuildOnPush = ch.BuildOnPush
	}
}

func set(field, given *string) {
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
	vars := ch.Variables
	if len(vars) == 0 {
		if vars, err = c.variables(d.Secrets); err != nil {
			return err
		}
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
	} {
		if f.given != "" && f.given != f.have {
			return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.%s' cannot be changed after a deployment is created.", f.name)
		}
	}
	return nil
}

// revisionSource allows the two internal sources to stand for one another
// (contract §3).
func revisionSource(have, given slipway.Source) (slipway.Source, error) {
	internal := func(s slipway.Source) bool {
		return s == slipway.SourceInternalDocker || s == slipway.SourceInternalSource || s == slipway.SourceTemplate
	}
	switch {
	case given == "" || given == have:
		return have, nil
	case internal(have) && internal(given):
		return given, nil
	}
	return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: a deployment of source '%s' cannot have a revision of source '%s'.", have, given)
}

// uploaded returns the digest of an upload. It refuses any path but one that was
// handed out for this deployment and has been filled (contract §5).
func (c *change) uploaded(d slipway.DeploymentID, object string) (string, error) {
	u, err := c.UploadByObject(d, object)
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.source_tarball_path' must be the object_path of an upload made for this deployment.")
	case err != nil:
		return "", fmt.Errorf("look up upload: %w", err)
	case u.Digest == "":
		return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: nothing has been uploaded to %s yet.", object)
	}
	return u.Digest, nil
}

// checkRevisable refuses a revision that has nothing to be made of.
func checkRevisable(d *slipway.Deployment, source slipway.Source) error {
	switch {
	case source == slipway.SourceInternalSource && d.RevisionConfig.TarballPath == "":
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.source_tarball_path' is required for source 'internal_source'.")
	case source == slipway.SourceInternalDocker && d.RevisionConfig.ImageURI == "":
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.image_uri' is required for source 'internal_docker'.")
	}
	return nil
}
