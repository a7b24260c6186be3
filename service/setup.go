package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// Bootstrap makes the first workspace and a key for it, unless there is one.
// Keep gets the token before its hash is committed: after a crash in between
// the next start makes another, and never is there a key that nobody knows. If
// another server was faster on the same store, keep gets "": what it keeps is no
// key.
func (s *Service) Bootstrap(ctx context.Context, keep func(token string) error) error {
	var workspaces []slipway.Workspace
	err := s.read(ctx, func(c *change) (err error) {
		workspaces, err = c.ListWorkspaces()
		return err
	})
	if err != nil || len(workspaces) > 0 {
		return wrap("look for a workspace", err)
	}
	token := slipway.NewToken()
	if err := keep(token); err != nil {
		return fmt.Errorf("keep first key: %w", err)
	}
	err = s.change(ctx, func(c *change) error {
		if workspaces, err = c.ListWorkspaces(); err != nil || len(workspaces) > 0 {
			return err
		}
		ws := slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](c.now), Name: "default", Home: true, CreatedAt: c.now}
		if err := c.InsertWorkspace(ws); err != nil {
			return err
		}
		return c.insertKey(slipway.NewKey{Name: "admin", Workspace: ws.ID, Scopes: slipway.DefaultScopes()}, token)
	})
	if err == nil && len(workspaces) > 0 {
		err = keep("")
	}
	return wrap("make first workspace", err)
}

// NewAdminKey makes a key without asking whether its maker may: it is for
// whoever can reach the store itself. What n leaves out is that of the first key.
func (s *Service) NewAdminKey(ctx context.Context, n slipway.NewKey, keep func(token string) error) error {
	if n.Scopes == nil {
		n.Scopes = slipway.DefaultScopes()
	}
	if err := slipway.CheckTitle(n.Name); err != nil {
		return err
	}
	token := slipway.NewToken()
	if err := keep(token); err != nil {
		return fmt.Errorf("keep new key: %w", err)
	}
	return wrap("make admin key", s.change(ctx, func(c *change) error {
		home, err := c.home()
		if err != nil {
			return err
		}
		if !n.Organisation {
			n.Workspace = cmp.Or(n.Workspace, home.ID)
			if _, err := c.visible(slipway.Principal{Organisation: true}, n.Workspace); err != nil {
				return err
			}
		}
		return c.insertKey(n, token)
	}))
}

// home is the first workspace.
func (c *change) home() (slipway.Workspace, error) {
	workspaces, err := c.ListWorkspaces()
	if err != nil {
		return slipway.Workspace{}, err
	}
	at := slices.IndexFunc(workspaces, func(w slipway.Workspace) bool { return w.Home })
	if at < 0 {
		return slipway.Workspace{}, slipway.Errorf(slipway.CodeConflict, "There is no workspace yet. Start the server once: it makes one, and its key.")
	}
	return workspaces[at], nil
}

// insertKey writes a key that was made on the server's own machine.
func (c *change) insertKey(n slipway.NewKey, token string) error {
	k := slipway.Key{
		ID: slipway.NewID[slipway.KeyID](c.now), Workspace: n.Workspace, Name: n.Name,
		Hash: slipway.HashToken(token), Scopes: n.Scopes, CreatedAt: c.now, ExpiresAt: n.ExpiresAt,
	}
	if err := c.InsertKey(k); err != nil {
		return err
	}
	return c.audit(slipway.Principal{Subject: slipway.LocalSubject}, k.Workspace, slipway.AuditKeyCreated, string(k.ID))
}
