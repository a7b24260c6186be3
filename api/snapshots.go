package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) RestoreSnapshot(ctx context.Context, r wire.RestoreSnapshotRequestObject) (wire.RestoreSnapshotResponseObject, error) {
	d, err := s.Control.RestoreSnapshot(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), slipway.DeploymentID(r.Body.From), value(r.Body.Replace))
	if err != nil {
		return nil, err
	}
	return wire.RestoreSnapshot200JSONResponse{Body: presentDeployment(d), Headers: wire.RestoreSnapshot200ResponseHeaders{ETag: quoted(d)}}, nil
}

func (s *server) CancelSnapshotRestore(ctx context.Context, r wire.CancelSnapshotRestoreRequestObject) (wire.CancelSnapshotRestoreResponseObject, error) {
	d, err := s.Control.CancelSnapshotRestore(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.CancelSnapshotRestore200JSONResponse{Body: presentDeployment(d), Headers: wire.CancelSnapshotRestore200ResponseHeaders{ETag: quoted(d)}}, nil
}

func presentSnapshotRestore(r *slipway.SnapshotRestore) *wire.SnapshotRestore {
	if r == nil {
		return nil
	}
	return &wire.SnapshotRestore{From: string(r.From), State: string(r.Phase), Reason: orNull(r.Reason), Since: wire.NewTime(r.Since)}
}
