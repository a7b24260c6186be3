package api

import (
	"context"

	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) ListAPIKeys(context.Context, wire.ListAPIKeysRequestObject) (wire.ListAPIKeysResponseObject, error) {
	return nil, notYet("Listing API keys")
}

func (s *server) CreateAPIKey(context.Context, wire.CreateAPIKeyRequestObject) (wire.CreateAPIKeyResponseObject, error) {
	return nil, notYet("Creating an API key")
}

func (s *server) GetAPIKey(context.Context, wire.GetAPIKeyRequestObject) (wire.GetAPIKeyResponseObject, error) {
	return nil, notYet("Reading an API key")
}

func (s *server) RevokeAPIKey(context.Context, wire.RevokeAPIKeyRequestObject) (wire.RevokeAPIKeyResponseObject, error) {
	return nil, notYet("Revoking an API key")
}
