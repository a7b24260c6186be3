package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// CreatePushToken refuses sources that nothing is pushed for (contract §2).
func (s *server) CreatePushToken(ctx context.Context, r wire.CreatePushTokenRequestObject) (wire.CreatePushTokenResponseObject, error) {
	d, err := s.Control.Get(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	if d.Source != slipway.SourceInternalDocker {
		return nil, slipway.Errorf(slipway.CodeInvalid, "push token is only available for 'internal_docker' source deployments")
	}
	return nil, notYet("Pushing images")
}
