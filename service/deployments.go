package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Create makes a deployment, its tracing project and, where the source needs
// nothing more, its first revision (contract §3).
func (s *Service) Create(ctx context.Context, who slipway.Principal, n slipway.NewDeployment) (slipway.DeploymentView, error) {
	if err := checkNew(&n); err != nil {
		return slipway.DeploymentView{}, err
	}
	if n.Revision.ImageURI != "" { // nothing can have been pushed for it yet
		if _, err := s.images.Pin(ctx, "", n.Revision.ImageURI); err != nil {
			return slipway.DeploymentView{}, wrap("pin image", err)
		}
	}
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		var err error
		if view, err = c.insertDeployment(who.Workspace, n); err != nil {
			return "", err
		}
		if err := c.auditAccess(who, view.Deployment, slipway.AccessKey); err != nil {
			return "", err
		}
		if n.Source != slipway.SourceExternalDocker {
			return string(view.ID), nil
		}
		if _, err := c.insertRevision(&view.Deployment, n.Source); err != nil {
			return "", err
		}
		view, err = c.view(view.ID)
		return string(view.ID), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("create deployment", err))
}

// checkNew applies the rules that the document of the API can not express, and
// fills in what was left out.
func checkNew(n *slipway.NewDeployment) error {
	if err := cmp.Or(slipway.CheckName(n.Name), slipway.CheckVariables(n.Variables), slipway.CheckRefs(n.Refs)); err != nil {
		return err
	}
	if err := cmp.Or(checkConfigPath(&n.Revision.ConfigPath), checkCustomURL(&n.Config.CustomURL), checkCommands(&n.Config.InstallCommand, &n.Config.BuildCommand), checkSource(n)); err != nil {
		return err
	}
	if n.Config.Resources != nil {
		complete, err := n.Config.Resources.Complete()
		if err != nil {
			return err
		}
		n.Config.Resources = &complete
	}
	if n.Config.DeploymentType == "" {
		n.Config.DeploymentType = "prod"
	}
	if n.Source == slipway.SourceExternalDocker && n.Config.BuildOnPush == nil {
		n.Config.BuildOnPush = new(false)
	}
	return nil
}

// checkSource holds a new deployment to what its source needs (contract §3).
func checkSource(n *slipway.NewDeployment) error {
	r := n.Revision
	switch {
	case n.Source == slipway.SourceGitHub:
		return checkGitHub(n)
	case n.Source == slipway.SourceExternalDocker && r.ImageURI == "":
		return required("source_revision_config.image_uri", n.Source)
	case n.Source == slipway.SourceExternalDocker && r.TarballPath != "":
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.source_tarball_path' is not for source '%s'.", n.Source)
	case n.Source == slipway.SourceExternalDocker:
		return slipway.CheckImage(r.ImageURI)
	case r.TarballPath != "":
		return errNoSuchUpload
	case r.ImageURI != "":
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: a deployment of source '%s' is created without 'source_revision_config.image_uri'; set it by an update once the image is pushed.", n.Source)
	}
	return nil
}

func checkGitHub(n *slipway.NewDeployment) error {
	for _, f := range []struct{ name, given string }{
		{"source_config.integration_id", n.Config.IntegrationID},
		{"source_config.repo_url", n.Config.RepoURL},
		{"source_revision_config.repo_ref", n.Revision.RepoRef},
		{"source_revision_config.langgraph_config_path", n.Revision.ConfigPath},
	} {
		if f.given == "" {
			return required(f.name, n.Source)
		}
	}
	if n.Config.BuildOnPush != nil && *n.Config.BuildOnPush && strings.HasPrefix(n.Revision.RepoRef, "refs/tags/") {
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.build_on_push' cannot be used with a tag in 'source_revision_config.repo_ref'.")
	}
	return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: source 'github' needs a GitHub integration, and none is set up on this server.")
}

func (c *change) insertDeployment(ws slipway.WorkspaceID, n slipway.NewDeployment) (slipway.DeploymentView, error) {
	id := slipway.NewID[slipway.DeploymentID](c.now)
	if err := c.place(ws, &n); err != nil {
		return slipway.DeploymentView{}, err
	}
	project, made, err := c.freeProject(ws, n.Name)
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	slug, err := c.freeSlug(ws, n.Name, id)
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	status, err := slipway.AwaitingDatabase.After(slipway.Provide) // what needs a database says so when it is deployed
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	n.Revision.InstallCommand, n.Revision.BuildCommand, n.Revision.AgentServer = n.Config.InstallCommand, n.Config.BuildCommand, n.Config.AgentServer
	n.Revision.Resources = n.Config.Resources
	d := slipway.Deployment{
		ID: id, Workspace: ws, Name: n.Name, Slug: slug, Source: n.Source, Config: n.Config, RevisionConfig: n.Revision,
		Project: project.ID, Status: status, CreatedAt: c.now, UpdatedAt: c.now,
	}
	secrets, err := c.newSecrets("", n.Variables, n.Refs)
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	d.Secrets = secrets.id
	if err := c.InsertDeployment(d); err != nil {
		return slipway.DeploymentView{}, fmt.Errorf("insert deployment: %w", err)
	}
	if err := c.insertSecrets(id, secrets); err != nil {
		return slipway.DeploymentView{}, err
	}
	for _, kind := range []slipway.ItemKind{slipway.ItemLogs, slipway.ItemRecords} {
		if err := c.AddItem(slipway.Item{Deployment: id, Kind: kind, Ref: string(id), CreatedAt: c.now}); err != nil {
			return slipway.DeploymentView{}, fmt.Errorf("write inventory: %w", err)
		}
	}
	return slipway.DeploymentView{Deployment: d, Variables: secrets.names(), Refs: secrets.refs}, c.attachProject(id, project, made)
}

// freeProject returns the tracing project that an earlier deployment of the
// name left, or one to be made. A name that is in use is refused: its project
// tells, since no deployment that lives is without one.
func (c *change) freeProject(ws slipway.WorkspaceID, name string) (p slipway.TracingProject, made bool, err error) {
	p, err = c.ProjectByName(ws, name)
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return slipway.TracingProject{ID: slipway.NewID[slipway.ProjectID](c.now), Workspace: ws, Name: name, CreatedAt: c.now}, false, nil
	case err != nil:
		return p, false, fmt.Errorf("look up tracing project: %w", err)
	case !p.Kept:
		return p, false, nameTaken(name)
	}
	return p, true, nil
}

// attachProject gives a deployment its tracing project.
func (c *change) attachProject(d slipway.DeploymentID, p slipway.TracingProject, made bool) error {
	p.Deployment, p.Kept = d, false
	if c.service.config.Tracing.Make != nil {
		p.DueAt, p.Attempts, c.dying = c.now, 0, true
	}
	write := c.InsertProject
	if made {
		write = c.UpdateProject
	}
	if err := write(p); err != nil {
		return fmt.Errorf("attach tracing project: %w", err)
	}
	return c.AddItem(slipway.Item{Deployment: d, Kind: slipway.ItemProject, Ref: string(p.ID), CreatedAt: c.now})
}

// nameTaken has the contract's text (§3).
func nameTaken(name string) error {
	return slipway.Errorf(slipway.CodeConflict, "Deployments create a tracing project in LangSmith with the same name as the deployment. There already exists a project in LangSmith named: %s.", name)
}

// freeSlug returns the public name of a new deployment: its name, unless a
// deployment has that, or one of another workspace may take it back. What looks
// like an id is a deployment's: it is reached by it, and has it for its public
// name while it is being deleted. That is also what is left where the name with
// the end of the id is another's.
func (c *change) freeSlug(ws slipway.WorkspaceID, name string, id slipway.DeploymentID) (string, error) {
	for _, taken := range []bool{false, true} {
		slug := slipway.Slug(name, id, taken)
		free, err := c.slugIsFree(ws, slug)
		if err != nil || free {
			return slug, err
		}
	}
	return string(id), nil
}

func (c *change) slugIsFree(ws slipway.WorkspaceID, slug string) (bool, error) {
	if slipway.IsID(slug) {
		return false, nil
	}
	switch _, err := c.DeploymentBySlug(slug); {
	case err == nil:
		return false, nil
	case !errors.Is(err, slipway.ErrNoRow):
		return false, fmt.Errorf("look up public name: %w", err)
	}
	reserved, err := c.SlugReserved(slug, ws)
	return !reserved, err
}

// Get returns a deployment of the caller's workspace.
func (s *Service) Get(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.DeploymentView, error) {
	var view slipway.DeploymentView
	err := s.read(ctx, func(c *change) error { return showDeployment(who, &view)(c, string(id)) })
	return s.show(ctx, who, view, wrap("get deployment", err))
}

// showDeployment reads a deployment of the caller's workspace by its id.
func showDeployment(who slipway.Principal, view *slipway.DeploymentView) func(*change, string) error {
	return func(c *change, id string) error {
		found, err := c.DeploymentView(slipway.DeploymentID(id))
		if err := ownedBy(who, slipway.DeploymentID(id), found.Deployment, err); err != nil {
			return err
		}
		c.address(&found)
		*view = found
		return nil
	}
}

// List returns deployments of the caller's workspace.
func (s *Service) List(ctx context.Context, who slipway.Principal, f slipway.DeploymentFilter) ([]slipway.DeploymentView, error) {
	f.Workspace = who.Workspace
	var views []slipway.DeploymentView
	err := s.read(ctx, func(c *change) error {
		found, err := c.ListDeployments(f)
		for i := range found {
			c.address(&found[i])
		}
		views = found
		return err
	})
	if err != nil {
		return nil, wrap("list deployments", err)
	}
	return views, s.reveal(ctx, who, views, "")
}

// CountFree counts the free deployments of the caller's workspace (contract §2).
func (s *Service) CountFree(ctx context.Context, who slipway.Principal) (int, error) {
	n := 0
	err := s.read(ctx, func(c *change) error {
		for _, kind := range slipway.FreeTypes {
			more, err := c.CountDeployments(who.Workspace, kind)
			if err != nil {
				return err
			}
			n += more
		}
		return nil
	})
	return n, wrap("count free deployments", err)
}

// read runs fn on one consistent state.
func (s *Service) read(ctx context.Context, fn func(*change) error) error {
	return s.store.View(ctx, func(tx slipway.Tx) error {
		return fn(&change{Tx: tx, ctx: ctx, service: s, now: s.now()})
	})
}

// owned reads a deployment; another workspace's is as absent as one that never
// was, or is gone.
func (c *change) owned(who slipway.Principal, id slipway.DeploymentID) (slipway.Deployment, error) {
	d, err := c.Deployment(id)
	return d, ownedBy(who, id, d, err)
}

// ownedBy is the error of reading a deployment that was found.
func ownedBy(who slipway.Principal, id slipway.DeploymentID, found slipway.Deployment, err error) error {
	if err == nil && found.Deletion.Gone() {
		return notFound(id)
	}
	return inWorkspace(who, id, found, err)
}

// ownedRow is owned for what concerns a deletion: it finds also what is gone for
// clients, as long as there is a row.
func (c *change) ownedRow(who slipway.Principal, id slipway.DeploymentID) (slipway.Deployment, error) {
	d, err := c.Deployment(id)
	return d, inWorkspace(who, id, d, err)
}

func inWorkspace(who slipway.Principal, id slipway.DeploymentID, found slipway.Deployment, err error) error {
	if errors.Is(err, slipway.ErrNoRow) || err == nil && found.Workspace != who.Workspace {
		return notFound(id)
	}
	return err
}

func notFound(id slipway.DeploymentID) error {
	return slipway.Errorf(slipway.CodeNotFound, "Deployment ID %s not found.", id)
}

// live is owned for what changes a deployment: one that is being deleted takes
// nothing new, and a request may demand that it is as its sender has read it.
func (c *change) live(who slipway.Principal, id slipway.DeploymentID) (slipway.Deployment, error) {
	d, err := c.owned(who, id)
	if err == nil && d.Deleting() {
		err = slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is being deleted.", id)
	}
	if err == nil {
		err = slipway.CheckTag(c.ctx, d)
	}
	return d, err
}

// view reads a deployment as it is shown.
func (c *change) view(id slipway.DeploymentID) (slipway.DeploymentView, error) {
	v, err := c.DeploymentView(id)
	c.address(&v)
	return v, wrap("read deployment", err)
}

// address fills in where a deployment that serves is reached.
func (c *change) address(v *slipway.DeploymentView) {
	if v.Active != "" {
		v.URL = c.service.config.URL(v.Slug)
	}
}

// wrap says what was being done, around an error that is ours; one for the
// caller is passed as it is.
func wrap(doing string, err error) error {
	if err == nil || slipway.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
