package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// ListProjects returns tracing projects of the caller's workspace; to an agent,
// its own.
func (s *Service) ListProjects(ctx context.Context, who slipway.Principal, f slipway.ProjectFilter) ([]slipway.TracingProject, error) {
	f.Workspace, f.Deployment = who.Workspace, who.Deployment
	var found []slipway.TracingProject
	err := s.read(ctx, func(c *change) (err error) {
		found, err = c.Tx.ListProjects(f)
		return err
	})
	return found, wrap("list tracing projects", err)
}

// GetProject returns a tracing project of the caller's workspace, or the agent's
// own.
func (s *Service) GetProject(ctx context.Context, who slipway.Principal, id slipway.ProjectID) (p slipway.TracingProject, err error) {
	err = s.read(ctx, func(c *change) error {
		p, err = c.ownedProject(who, id)
		return err
	})
	return p, wrap("get tracing project", err)
}

// ProjectNamed returns the tracing project of a name, to which traces come, and
// makes it if there is none. Most often that is one look.
func (s *Service) ProjectNamed(ctx context.Context, who slipway.Principal, name string) (slipway.TracingProject, error) {
	p, err := s.projectNamed(ctx, who, name)
	if !errors.Is(err, slipway.ErrNoRow) {
		return p, wrap("look up tracing project", err)
	}
	err = s.read(ctx, func(c *change) error { return c.mayReturn(who.Workspace, name) })
	if err != nil {
		return p, wrap("look up tracing project", err)
	}
	return s.CreateProject(ctx, who, slipway.NewProject{Name: name, Upsert: true})
}

// mayReturn refuses the name of a project that goes with its deployment, as long
// as that may run still: by its last runs the project would come back, and be in
// the way of a new deployment of the name.
func (c *change) mayReturn(w slipway.WorkspaceID, name string) error {
	leaves, err := c.ProjectLeaves(w, name)
	if err == nil && leaves {
		err = slipway.Errorf(slipway.CodeForbidden, "The tracing project %q is being deleted with its deployment. To trace to a new one of the name make it by POST /sessions.", name)
	}
	return err
}

func (s *Service) projectNamed(ctx context.Context, who slipway.Principal, name string) (p slipway.TracingProject, err error) {
	err = s.read(ctx, func(c *change) error {
		if who.Deployment != "" {
			p, err = c.agentsProject(who, name)
		} else {
			p, err = c.ProjectByName(who.Workspace, name)
		}
		return err
	})
	return p, err
}

// CreateProject makes a tracing project, or takes that of the name for it.
func (s *Service) CreateProject(ctx context.Context, who slipway.Principal, n slipway.NewProject) (slipway.TracingProject, error) {
	p := slipway.TracingProject{ID: n.ID, Workspace: who.Workspace, Name: n.Name, CreatedAt: s.now()}
	if err := p.Apply(n.Patch()); err != nil {
		return slipway.TracingProject{}, err
	}
	if n.ID != "" && !slipway.IsID(string(n.ID)) {
		return slipway.TracingProject{}, slipway.Errorf(slipway.CodeInvalid, "Invalid project id %q: use a UUID.", n.ID)
	}
	var made slipway.TracingProject
	err := s.change(ctx, func(c *change) (err error) {
		if who.Deployment != "" {
			made, err = c.agentsProject(who, n.Name)
			return err
		}
		made, err = c.createProject(p, n)
		return err
	})
	return made, wrap("create tracing project", err)
}

func (c *change) createProject(p slipway.TracingProject, n slipway.NewProject) (slipway.TracingProject, error) {
	there, err := c.ProjectByName(p.Workspace, p.Name)
	switch {
	case err == nil && n.Upsert:
		return c.patchProject(there, n.Patch())
	case err == nil:
		return there, projectTaken(p.Name)
	case !errors.Is(err, slipway.ErrNoRow):
		return there, fmt.Errorf("look up tracing project: %w", err)
	}
	if p.ID == "" {
		p.ID = slipway.NewID[slipway.ProjectID](c.now)
	} else if _, err := c.Project(p.ID); !errors.Is(err, slipway.ErrNoRow) {
		return p, cmp.Or(err, slipway.Errorf(slipway.CodeConflict, "Project ID %s is taken. Choose another, or leave it out.", p.ID))
	}
	return p, c.InsertProject(p)
}

// UpdateProject changes a tracing project of the caller's workspace.
func (s *Service) UpdateProject(ctx context.Context, who slipway.Principal, id slipway.ProjectID, patch slipway.ProjectPatch) (p slipway.TracingProject, err error) {
	err = s.change(ctx, func(c *change) error {
		if p, err = c.managedProject(who, id); err != nil {
			return err
		}
		p, err = c.patchProject(p, patch)
		return err
	})
	return p, wrap("update tracing project", err)
}

// patchProject writes what a patch changes, if it changes anything.
func (c *change) patchProject(p slipway.TracingProject, patch slipway.ProjectPatch) (slipway.TracingProject, error) {
	was := p
	if err := p.Apply(patch); err != nil {
		return was, err
	}
	switch {
	case p == was:
		return p, nil
	case p.Name == was.Name:
		return p, c.Tx.UpdateProject(p)
	case p.Deployment != "":
		return was, slipway.Errorf(slipway.CodeConflict, "Project ID %s belongs to deployment ID %s and has its name.", p.ID, p.Deployment)
	}
	if _, err := c.ProjectByName(p.Workspace, p.Name); !errors.Is(err, slipway.ErrNoRow) {
		return was, cmp.Or(err, projectTaken(p.Name))
	}
	return p, c.Tx.UpdateProject(p)
}

// DeleteProject removes a tracing project that stands alone: nobody sees it from
// now on, and its runs go afterwards.
func (s *Service) DeleteProject(ctx context.Context, who slipway.Principal, id slipway.ProjectID) error {
	return wrap("delete tracing project", s.change(ctx, func(c *change) error {
		p, err := c.managedProject(who, id)
		if err != nil {
			return err
		}
		if p.Deployment != "" {
			return slipway.Errorf(slipway.CodeConflict, "Project ID %s belongs to deployment ID %s: it goes with that by DELETE /v2/deployments/%s?delete_tracing_project=true.", id, p.Deployment, p.Deployment)
		}
		p.Kept, p.Hidden, p.DueAt, p.Attempts = false, true, c.now, 0
		c.dying = true
		return c.Tx.UpdateProject(p)
	}))
}

// ownedProject reads a tracing project that is there for the caller. Any other is
// as absent as one that never was.
func (c *change) ownedProject(who slipway.Principal, id slipway.ProjectID) (slipway.TracingProject, error) {
	p, err := c.Project(id)
	if err == nil && !p.Hidden && p.Workspace == who.Workspace && (who.Deployment == "" || who.Deployment == p.Deployment) {
		return p, nil
	}
	if err == nil || errors.Is(err, slipway.ErrNoRow) {
		err = slipway.Errorf(slipway.CodeNotFound, "Project ID %s not found.", id)
	}
	return slipway.TracingProject{}, err
}

// managedProject is ownedProject for what changes it: agents may not.
func (c *change) managedProject(who slipway.Principal, id slipway.ProjectID) (slipway.TracingProject, error) {
	if who.Deployment != "" {
		return slipway.TracingProject{}, slipway.Errorf(slipway.CodeForbidden, "This API key belongs to an agent and cannot change tracing projects.")
	}
	return c.ownedProject(who, id)
}

// agentsProject returns the tracing project of the agent that asks, which is the
// only one that is there for it.
func (c *change) agentsProject(who slipway.Principal, name string) (slipway.TracingProject, error) {
	own, err := c.Tx.ListProjects(slipway.ProjectFilter{Workspace: who.Workspace, Deployment: who.Deployment})
	switch {
	case err != nil:
		return slipway.TracingProject{}, fmt.Errorf("look up the agent's tracing project: %w", err)
	case len(own) == 0:
		return slipway.TracingProject{}, slipway.Errorf(slipway.CodeNotFound, "The deployment of this API key has no tracing project.")
	case own[0].Name != name:
		return slipway.TracingProject{}, slipway.Errorf(slipway.CodeForbidden, "This API key belongs to an agent and is good for the tracing project %q only. To trace to another give the deployment a key of the workspace as LANGSMITH_API_KEY.", own[0].Name)
	}
	return own[0], nil
}

func projectTaken(name string) error {
	return slipway.Errorf(slipway.CodeConflict, "There already exists a tracing project named: %s.", name)
}
