package api

import (
	"context"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// Keys are managed through this. Creating one returns its token too.
type Keys interface {
	ListKeys(context.Context, slipway.Principal, slipway.Page) ([]slipway.Key, error)
	CreateKey(context.Context, slipway.Principal, slipway.NewKey) (slipway.Key, string, error)
	GetKey(context.Context, slipway.Principal, slipway.KeyID) (slipway.Key, error)
	RevokeKey(context.Context, slipway.Principal, slipway.KeyID) error
}

func (s *server) ListAPIKeys(ctx context.Context, r wire.ListAPIKeysRequestObject) (wire.ListAPIKeysResponseObject, error) {
	page := slipway.Page{Limit: valueOr(r.Params.Limit, defaultLimit), Offset: value(r.Params.Offset)}
	found, err := s.Control.ListKeys(ctx, principal(ctx), page)
	if err != nil {
		return nil, err
	}
	list := wire.APIKeysList{Resources: make([]wire.APIKey, len(found)), Offset: page.Offset + len(found)}
	for i, k := range found {
		list.Resources[i] = presentKey(k)
	}
	return wire.ListAPIKeys200JSONResponse(list), nil
}

func (s *server) CreateAPIKey(ctx context.Context, r wire.CreateAPIKeyRequestObject) (wire.CreateAPIKeyResponseObject, error) {
	n, err := newKey(*r.Body)
	if err != nil {
		return nil, err
	}
	k, token, err := s.Control.CreateKey(ctx, principal(ctx), n)
	if err != nil {
		return nil, err
	}
	shown := presentKey(k)
	return wire.CreateAPIKey201JSONResponse{
		ID: shown.ID, Name: shown.Name, WorkspaceID: shown.WorkspaceID, Scopes: shown.Scopes, DeploymentID: shown.DeploymentID,
		CreatedAt: shown.CreatedAt, ExpiresAt: shown.ExpiresAt, RevokedAt: shown.RevokedAt, LastUsedAt: shown.LastUsedAt, Key: token,
	}, nil
}

func (s *server) GetAPIKey(ctx context.Context, r wire.GetAPIKeyRequestObject) (wire.GetAPIKeyResponseObject, error) {
	k, err := s.Control.GetKey(ctx, principal(ctx), slipway.KeyID(r.KeyID))
	if err != nil {
		return nil, err
	}
	return wire.GetAPIKey200JSONResponse(presentKey(k)), nil
}

func (s *server) RevokeAPIKey(ctx context.Context, r wire.RevokeAPIKeyRequestObject) (wire.RevokeAPIKeyResponseObject, error) {
	if err := s.Control.RevokeKey(ctx, principal(ctx), slipway.KeyID(r.KeyID)); err != nil {
		return nil, err
	}
	return wire.RevokeAPIKey204Response{}, nil
}

// newKey is what a body asks for. Scopes that are left out differ from none.
func newKey(b wire.APIKeyCreateRequest) (slipway.NewKey, error) {
	n := slipway.NewKey{Name: b.Name, Workspace: slipway.WorkspaceID(value(b.WorkspaceID)), Organisation: value(b.Organization)}
	if b.ExpiresAt != nil {
		n.ExpiresAt = b.ExpiresAt.Time
	}
	if b.Scopes == nil {
		return n, nil
	}
	scopes, err := slipway.ParseScopes(*b.Scopes)
	n.Scopes = append([]slipway.Scope{}, scopes...)
	return n, err
}

func presentKey(k slipway.Key) wire.APIKey {
	out := wire.APIKey{
		ID: string(k.ID), Name: k.Name, WorkspaceID: orNull(string(k.Workspace)), DeploymentID: orNull(string(k.Deployment)),
		Scopes: make([]string, len(k.Scopes)), CreatedAt: wire.NewTime(k.CreatedAt),
		ExpiresAt: timeOrNull(k.ExpiresAt), RevokedAt: timeOrNull(k.RevokedAt), LastUsedAt: timeOrNull(k.LastUsedAt),
	}
	for i, scope := range k.Scopes {
		out.Scopes[i] = string(scope)
	}
	return out
}

func timeOrNull(t time.Time) *wire.Time {
	if t.IsZero() {
		return nil
	}
	return new(wire.NewTime(t))
}
