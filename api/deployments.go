package api

import (
	"context"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// defaultLimit is the length of a page where the client names none.
const defaultLimit = 20

func (s *server) CreateDeployment(ctx context.Context, r wire.CreateDeploymentRequestObject) (wire.CreateDeploymentResponseObject, error) {
	d, err := s.Control.Create(ctx, principal(ctx), newDeployment(*r.Body))
	if err != nil {
		return nil, err
	}
	return wire.CreateDeployment201JSONResponse{Body: presentDeployment(d), Headers: wire.CreateDeployment201ResponseHeaders{ETag: quoted(d)}}, nil
}

func (s *server) GetDeployment(ctx context.Context, r wire.GetDeploymentRequestObject) (wire.GetDeploymentResponseObject, error) {
	d, err := s.Control.Get(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.GetDeployment200JSONResponse{Body: presentDeployment(d), Headers: wire.GetDeployment200ResponseHeaders{ETag: quoted(d)}}, nil
}

func (s *server) ListDeployments(ctx context.Context, r wire.ListDeploymentsRequestObject) (wire.ListDeploymentsResponseObject, error) {
	p := r.Params
	if p.AgentID != nil || p.AgentEnvironment != nil {
		return nil, slipway.Errorf(slipway.CodeInvalid, "Agent filters are not available for this tenant.")
	}
	f := deploymentFilter(p)
	found, err := s.list(ctx, p, f)
	if err != nil {
		return nil, err
	}
	list := wire.DeploymentsList{Resources: make([]wire.Deployment, len(found)), Offset: f.Offset + len(found)}
	for i, d := range found {
		list.Resources[i] = presentDeployment(d)
	}
	return wire.ListDeployments200JSONResponse(list), nil
}

// list finds nothing where a filter asks for what no deployment has here: tags,
// and versions of images.
func (s *server) list(ctx context.Context, p wire.ListDeploymentsParams, f slipway.DeploymentFilter) ([]slipway.DeploymentView, error) {
	if value(p.TagValueIds) != "" || value(p.ImageVersion) != "" {
		return nil, nil
	}
	return s.Control.List(ctx, principal(ctx), f)
}

func deploymentFilter(p wire.ListDeploymentsParams) slipway.DeploymentFilter {
	f := slipway.DeploymentFilter{
		Name: value(p.Name), NameContains: value(p.NameContains), Status: slipway.DeploymentStatus(value(p.Status)),
		Type: value(p.DeploymentType), Reconciled: p.RemoteReconciled, Limit: valueOr(p.Limit, defaultLimit), Offset: value(p.Offset),
	}
	for id := range strings.SplitSeq(value(p.DeploymentIds), ",") {
		if id = strings.ToLower(strings.TrimSpace(id)); id != "" {
			f.IDs = append(f.IDs, slipway.DeploymentID(id))
		}
	}
	return f
}

func (s *server) CountFreeDeployments(ctx context.Context, _ wire.CountFreeDeploymentsRequestObject) (wire.CountFreeDeploymentsResponseObject, error) {
	n, err := s.Control.CountFree(ctx, principal(ctx))
	return wire.CountFreeDeployments200JSONResponse{Count: n}, err
}

func (s *server) PatchDeployment(ctx context.Context, r wire.PatchDeploymentRequestObject) (wire.PatchDeploymentResponseObject, error) {
	b := *r.Body
	ch := change(b.RevisionSource, b.SourceConfig, b.SourceRevisionConfig, b.Secrets, b.SecretReferences)
	ch.DisplayName, ch.Protected = b.DisplayName, b.DeletionProtection
	d, err := s.Control.Patch(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), ch)
	if err != nil {
		return nil, err
	}
	return wire.PatchDeployment200JSONResponse{Body: presentDeployment(d), Headers: wire.PatchDeployment200ResponseHeaders{ETag: quoted(d)}}, nil
}

// value is what a pointer points to, or the zero value.
func value[T any](p *T) T {
	var zero T
	return valueOr(p, zero)
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// orNull is a pointer to v, or nil where v is unset and prints as null.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
