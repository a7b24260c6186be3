package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) RotateDatabasePassword(ctx context.Context, r wire.RotateDatabasePasswordRequestObject) (wire.RotateDatabasePasswordResponseObject, error) {
	d, err := s.Control.RotatePassword(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.RotateDatabasePassword200JSONResponse{Body: presentDeployment(d), Headers: wire.RotateDatabasePassword200ResponseHeaders{ETag: quoted(d)}}, nil
}
