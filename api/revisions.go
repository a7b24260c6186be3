package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) ListRevisions(ctx context.Context, r wire.ListRevisionsRequestObject) (wire.ListRevisionsResponseObject, error) {
	f := slipway.RevisionFilter{
		Deployment: slipway.DeploymentID(r.DeploymentID), Status: slipway.RevisionStatus(value(r.Params.Status)),
		Reconciled: r.Params.RemoteReconciled,
		Limit:      valueOr(r.Params.Limit, defaultLimit), Offset: value(r.Params.Offset),
	}
	found, err := s.Control.ListRevisions(ctx, principal(ctx), f)
	if err != nil {
		return nil, err
	}
	list := wire.RevisionsList{Resources: make([]wire.Revision, len(found)), Offset: f.Offset + len(found)}
	for i, rev := range found {
		list.Resources[i] = presentRevision(rev)
	}
	return wire.ListRevisions200JSONResponse(list), nil
}

func (s *server) GetRevision(ctx context.Context, r wire.GetRevisionRequestObject) (wire.GetRevisionResponseObject, error) {
	rev, err := s.Control.GetRevision(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), slipway.RevisionID(r.RevisionID))
	if err != nil {
		return nil, err
	}
	return wire.GetRevision200JSONResponse(presentRevision(rev)), nil
}

// CreateRevision is PATCH that makes a revision in any case (contract §2).
func (s *server) CreateRevision(ctx context.Context, r wire.CreateRevisionRequestObject) (wire.CreateRevisionResponseObject, error) {
	b, id := *r.Body, slipway.DeploymentID(r.DeploymentID)
	ch := change(b.RevisionSource, b.SourceConfig, &b.SourceRevisionConfig, b.Secrets, b.SecretReferences)
	rev, err := s.Control.Revise(ctx, principal(ctx), id, ch)
	if err != nil {
		return nil, err
	}
	return wire.CreateRevision201JSONResponse(presentRevision(rev)), nil
}

func (s *server) RedeployRevision(ctx context.Context, r wire.RedeployRevisionRequestObject) (wire.RedeployRevisionResponseObject, error) {
	d, err := s.Control.Redeploy(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), slipway.RevisionID(r.RevisionID))
	if err != nil {
		return nil, err
	}
	return wire.RedeployRevision200JSONResponse{Body: presentDeployment(d), Headers: wire.RedeployRevision200ResponseHeaders{ETag: quoted(d)}}, nil
}

func (s *server) InterruptRevision(ctx context.Context, r wire.InterruptRevisionRequestObject) (wire.InterruptRevisionResponseObject, error) {
	err := s.Control.Interrupt(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), slipway.RevisionID(r.RevisionID))
	if err != nil {
		return nil, err
	}
	return wire.InterruptRevision204Response{}, nil
}

func (s *server) InterruptRevisionByOldName(ctx context.Context, r wire.InterruptRevisionByOldNameRequestObject) (wire.InterruptRevisionByOldNameResponseObject, error) {
	err := s.Control.Interrupt(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), slipway.RevisionID(r.RevisionID))
	if err != nil {
		return nil, err
	}
	return wire.InterruptRevisionByOldName204Response{}, nil
}
