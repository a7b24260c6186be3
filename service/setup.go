package service

import (
	"context"
	"fmt"

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
		ws := slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](c.now), Name: "default", CreatedAt: c.now}
		if err := c.InsertWorkspace(ws); err != nil {
			return err
		}
		return c.insertKey(ws.ID, "admin", token)
	})
	if err == nil && len(workspaces) > 0 {
		err = keep("")
	}
	return wrap("make first workspace", err)
}

// NewAdminKey makes another key for the first workspace. It is for whoever can
// reach the store itself.
func (s *Service) NewAdminKey(ctx context.Context, keep func(token string) error) error {
	token := slipway.NewToken()
	if err := keep(token); err != nil {
		return fmt.Errorf("keep new key: %w", err)
	}
	return wrap("make admin key", s.change(ctx, func(c *change) error {
		workspaces, err := c.ListWorkspaces()
		if err != nil {
			return err
		}
		if len(workspaces) == 0 {
			return slipway.Errorf(slipway.CodeConflict, "There is no workspace yet. Start the server once: it makes one, and its key.")
		}
		return c.insertKey(workspaces[0].ID, "admin", token)
	}))
}

func (c *change) insertKey(ws slipway.WorkspaceID, name, token string) error {
	return c.InsertKey(slipway.Key{
		ID: slipway.NewID[slipway.KeyID](c.now), Workspace: ws, Name: name,
		Hash: slipway.HashToken(token), Scopes: slipway.DefaultScopes(), CreatedAt: c.now,
	})
}
