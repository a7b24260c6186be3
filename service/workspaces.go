package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
)

// ListWorkspaces returns those that the caller may know of, newest first.
func (s *Service) ListWorkspaces(ctx context.Context, who slipway.Principal, p slipway.Page) ([]slipway.Workspace, error) {
	var found []slipway.Workspace
	err := s.read(ctx, func(c *change) error {
		all, err := c.ListWorkspaces()
		found = slices.DeleteFunc(all, func(w slipway.Workspace) bool { return !who.Sees(w.ID) })
		return err
	})
	slices.Reverse(found)
	return page(found, p), wrap("list workspaces", err)
}

// page cuts a page out of a list that is short by nature.
func page[T any](all []T, p slipway.Page) []T {
	all = all[min(p.Offset, len(all)):]
	if p.Limit > 0 {
		all = all[:min(p.Limit, len(all))]
	}
	return all
}

// GetWorkspace returns a workspace that the caller may know of.
func (s *Service) GetWorkspace(ctx context.Context, who slipway.Principal, id slipway.WorkspaceID) (slipway.Workspace, error) {
	var w slipway.Workspace
	err := s.read(ctx, func(c *change) (err error) {
		w, err = c.visible(who, id)
		return err
	})
	return w, wrap("get workspace", err)
}

// Organisation names the installation: by its first workspace, which stays.
func (s *Service) Organisation(ctx context.Context) (id slipway.WorkspaceID, err error) {
	err = s.read(ctx, func(c *change) error {
		home, err := c.home()
		id = home.ID
		return err
	})
	return id, wrap("look up the installation", err)
}

// CreateWorkspace is for administrators of the installation.
func (s *Service) CreateWorkspace(ctx context.Context, who slipway.Principal, name string) (slipway.Workspace, error) {
	if err := slipway.CheckTitle(name); err != nil {
		return slipway.Workspace{}, err
	}
	if err := administers(who, "create workspaces"); err != nil {
		return slipway.Workspace{}, err
	}
	var w slipway.Workspace
	err := s.once(ctx, who, func(c *change) (string, error) {
		w = slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](c.now), Name: name, CreatedAt: c.now}
		if err := c.InsertWorkspace(w); err != nil {
			return "", err
		}
		return string(w.ID), c.audit(who, w.ID, slipway.AuditWorkspaceCreated, string(w.ID))
	}, showWorkspace(who, &w))
	return w, wrap("create workspace", err)
}

// RenameWorkspace is for administrators of the workspace.
func (s *Service) RenameWorkspace(ctx context.Context, who slipway.Principal, id slipway.WorkspaceID, name string) (slipway.Workspace, error) {
	if err := slipway.CheckTitle(name); err != nil {
		return slipway.Workspace{}, err
	}
	var w slipway.Workspace
	err := s.once(ctx, who, func(c *change) (made string, err error) {
		if w, err = c.visible(who, id); err != nil {
			return "", err
		}
		w.Name = name
		return string(id), c.Tx.RenameWorkspace(id, name)
	}, showWorkspace(who, &w))
	return w, wrap("rename workspace", err)
}

// showWorkspace reads a workspace by its id.
func showWorkspace(who slipway.Principal, w *slipway.Workspace) func(*change, string) error {
	return func(c *change, id string) (err error) {
		*w, err = c.visible(who, slipway.WorkspaceID(id))
		return err
	}
}

// DeleteWorkspace removes a workspace that owns nothing any more, and its keys.
func (s *Service) DeleteWorkspace(ctx context.Context, who slipway.Principal, id slipway.WorkspaceID) error {
	return wrap("delete workspace", s.change(ctx, func(c *change) error {
		w, err := c.visible(who, id)
		if err != nil {
			return err
		}
		if err := administers(who, "delete workspaces"); err != nil {
			return err
		}
		if err := c.deletable(w); err != nil {
			return err
		}
		c.access = true
		if err := c.Tx.DeleteWorkspace(id); err != nil {
			return err
		}
		return c.audit(who, id, slipway.AuditWorkspaceDeleted, string(id))
	}))
}

// deletable says what keeps a workspace.
func (c *change) deletable(w slipway.Workspace) error {
	if w.Home {
		return slipway.Errorf(slipway.CodeConflict, "Workspace ID %s is the first of this installation and cannot be deleted.", w.ID)
	}
	left, err := c.WorkspaceRemains(w.ID)
	if err != nil {
		return err
	}
	if left == (slipway.Remains{}) {
		return nil
	}
	return slipway.Errorf(slipway.CodeConflict, "Workspace ID %s is not empty: it has %s. Delete them first; a deleted deployment is kept aside to be restored until it is purged by DELETE /v1/deleted-deployments/{id}; a tracing project goes with its deployment if delete_tracing_project=true is given, or by DELETE /api/v1/sessions/{id}.", w.ID, remaining(left))
}

// remaining puts into words what is left in a workspace.
func remaining(left slipway.Remains) string {
	var parts []string
	for _, kind := range []struct {
		n    int
		name string
	}{{left.Deployments, "deployment"}, {left.Deleted, "deleted deployment"}, {left.Listeners, "listener"}, {left.Projects, "tracing project"}} {
		switch {
		case kind.n == 1:
			parts = append(parts, "1 "+kind.name)
		case kind.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", kind.n, kind.name))
		}
	}
	if left.Leaving > 0 {
		parts = append(parts, fmt.Sprintf("traces that are being removed, of projects that were deleted: %d", left.Leaving))
	}
	return strings.Join(parts, ", ")
}

// visible reads a workspace; one that the caller may not know of is as absent as
// one that never was.
func (c *change) visible(who slipway.Principal, id slipway.WorkspaceID) (slipway.Workspace, error) {
	w, err := c.Workspace(id)
	if errors.Is(err, slipway.ErrNoRow) || err == nil && !who.Sees(id) {
		return slipway.Workspace{}, slipway.Errorf(slipway.CodeNotFound, "Workspace ID %s not found.", id)
	}
	return w, err
}

func administers(who slipway.Principal, what string) error {
	if who.Administers() {
		return nil
	}
	return slipway.Errorf(slipway.CodeForbidden, "Only an administrator of the installation can %s: a key of the organisation, or of the first workspace, with the scope 'admin'.", what)
}
