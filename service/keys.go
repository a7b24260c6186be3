package service

import (
	"context"
	"errors"

	"github.com/slipwayhq/slipway"
)

// keyScopes are those of a key for which none were named.
var keyScopes = []slipway.Scope{slipway.ScopeRead, slipway.ScopeDeploy, slipway.ScopeDelete}

// ListKeys returns the keys of the caller's workspace; to an administrator of
// the installation, all.
func (s *Service) ListKeys(ctx context.Context, who slipway.Principal, p slipway.Page) ([]slipway.Key, error) {
	f := slipway.KeyFilter{Workspace: who.Workspace, Limit: p.Limit, Offset: p.Offset}
	if who.Administers() {
		f.Workspace = ""
	}
	var found []slipway.Key
	err := s.read(ctx, func(c *change) (err error) {
		found, err = c.Tx.ListKeys(f)
		return err
	})
	return found, wrap("list keys", err)
}

// GetKey returns a key that the caller manages.
func (s *Service) GetKey(ctx context.Context, who slipway.Principal, id slipway.KeyID) (slipway.Key, error) {
	var k slipway.Key
	err := s.read(ctx, func(c *change) (err error) {
		k, err = c.managed(who, id)
		return err
	})
	return k, wrap("get key", err)
}

// CreateKey makes a key. Its token is returned here and kept nowhere.
func (s *Service) CreateKey(ctx context.Context, who slipway.Principal, n slipway.NewKey) (slipway.Key, string, error) {
	if err := s.checkKey(who, &n); err != nil {
		return slipway.Key{}, "", err
	}
	token := slipway.NewToken()
	var k slipway.Key
	err := s.once(ctx, who, func(c *change) (string, error) {
		if !n.Organisation {
			if _, err := c.visible(who, n.Workspace); err != nil {
				return "", err
			}
		}
		k = slipway.Key{
			ID: slipway.NewID[slipway.KeyID](c.now), Workspace: n.Workspace, Name: n.Name, Hash: slipway.HashToken(token),
			Scopes: n.Scopes, CreatedAt: c.now, ExpiresAt: n.ExpiresAt,
		}
		if err := c.InsertKey(k); err != nil {
			return "", err
		}
		return string(k.ID), c.audit(who, k.Workspace, slipway.AuditKeyCreated, string(k.ID))
	}, tokenIsGone)
	if err != nil {
		return slipway.Key{}, "", wrap("create key", err)
	}
	return k, token, nil
}

// tokenIsGone answers a request that made a key and comes again.
func tokenIsGone(_ *change, id string) error {
	return slipway.Errorf(slipway.CodeConflict, "A request with this Idempotency-Key made API key ID %s before. Its token was in that answer and is kept nowhere: revoke the key and send a new request with a new Idempotency-Key.", id)
}

// checkKey holds a new key to what its maker may give, and fills in what was
// left out.
func (s *Service) checkKey(who slipway.Principal, n *slipway.NewKey) error {
	if err := slipway.CheckTitle(n.Name); err != nil {
		return err
	}
	if n.Scopes == nil {
		n.Scopes = keyScopes
	}
	if len(n.Scopes) == 0 {
		return slipway.Errorf(slipway.CodeInvalid, "A key needs at least one scope.")
	}
	for _, scope := range n.Scopes {
		if !who.May(scope) {
			return slipway.Errorf(slipway.CodeForbidden, "This API key lacks the scope '%s' and cannot give it.", scope)
		}
	}
	n.ExpiresAt = n.ExpiresAt.UTC()
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.now()) {
		return slipway.Errorf(slipway.CodeInvalid, "expires_at must lie in the future.")
	}
	return checkReach(who, n)
}

// checkReach decides where a new key is good.
func checkReach(who slipway.Principal, n *slipway.NewKey) error {
	switch {
	case n.Organisation && n.Workspace != "":
		return slipway.Errorf(slipway.CodeInvalid, "A key is either of a workspace or of the organisation: leave one of workspace_id and organization out.")
	case n.Organisation:
		return administers(who, "make keys of the organisation")
	case n.Workspace == "":
		n.Workspace = who.Workspace
	}
	if n.Workspace == "" {
		return slipway.Errorf(slipway.CodeInvalid, "Name the workspace of the key by workspace_id or the header 'X-Tenant-ID', or set organization.")
	}
	return nil
}

// RevokeKey ends a key, at once on this server. It may be asked for again.
func (s *Service) RevokeKey(ctx context.Context, who slipway.Principal, id slipway.KeyID) error {
	return wrap("revoke key", s.change(ctx, func(c *change) error {
		k, err := c.managed(who, id)
		if err != nil || !k.RevokedAt.IsZero() {
			return err
		}
		if err := c.dispensable(k); err != nil {
			return err
		}
		c.access = true
		if err := c.Tx.RevokeKey(id, c.now); err != nil {
			return err
		}
		return c.audit(who, k.Workspace, slipway.AuditKeyRevoked, string(id))
	}))
}

// dispensable refuses to revoke the last key by which others can be made.
func (c *change) dispensable(k slipway.Key) error {
	home, err := c.home()
	if err != nil || !k.Valid(c.now) || !k.Administers(home.ID) {
		return err
	}
	if n, err := c.CountAdminKeys(c.now); err != nil || n > 1 {
		return err
	}
	return slipway.Errorf(slipway.CodeConflict, "API key ID %s is the last valid admin key of this installation. Make another first, by POST /v1/api-keys or by 'slipway admin key' on the server's machine.", k.ID)
}

// managed reads a key that the caller manages; any other is as absent as one
// that never was.
func (c *change) managed(who slipway.Principal, id slipway.KeyID) (slipway.Key, error) {
	k, err := c.Key(id)
	if errors.Is(err, slipway.ErrNoRow) || err == nil && !who.Administers() && (k.Workspace == "" || k.Workspace != who.Workspace) {
		return slipway.Key{}, slipway.Errorf(slipway.CodeNotFound, "API key ID %s not found.", id)
	}
	return k, err
}
