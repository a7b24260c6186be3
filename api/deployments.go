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
	return wire.CreateDeployment201JSONResponse{Body: presentDeployment(d)}, nil
}

func (s *server) GetDeployment(ctx context.Context, r wire.GetDeploymentRequestObject) (wire.GetDeploymentResponseObject, error) {
	d, err := s.Control.Get(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.GetDeployment200JSONResponse{Body: presentDeployment(d)}, nil
}

func (s *server) ListDeployments(ctx context.Context, r wire.ListDeploymentsRequestObject) (wire.ListDeploymentsResponseObject, error) {
	p := r.Params
	if p.AgentID != nil || p.AgentEnvironment != nil {
		return nil, slipway.Errorf(slipway.CodeInvalid, "Agent filters are not available for this tenant.")
	}
	f := slipway.DeploymentFilter{
		Name: value(p.Name), NameContains: value(p.NameContains), Status: slipway.DeploymentStatus(value(p.Status)),
		Type: value(p.DeploymentType), Limit: valueOr(p.Limit, defaultLimit), Offset: value(p.Offset),
	}
	for id := range strings.SplitSeq(value(p.DeploymentIds), ",") {
		if id = strings.ToLower(strings.TrimSpace(id)); id != "" {
			f.IDs = append(f.IDs, slipway.DeploymentID(id))
		}
	}
	found, err := s.Control.List(ctx, principal(ctx), f)
	if err != nil {
		return nil, err
	}
	list := wire.DeploymentsList{Resources: make([]wire.Deployment, len(found)), Offset: f.Offset + len(found)}
	for i, d := range found {
		list.Resources[i] = presentDeployment(d)
	}
	return wire.ListDeployments200JSONResponse(list), nil
}

func (s *server) PatchDeployment(ctx context.Context, r wire.PatchDeploymentRequestObject) (wire.PatchDeploymentResponseObject, error) {
	b := *r.Body
	ch := change(b.RevisionSource, b.SourceConfig, b.SourceRevisionConfig, b.Secrets, b.SecretReferences)
	ch.DisplayName = b.DisplayName
	d, err := s.Control.Patch(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), ch)
	if err != nil {
		return nil, err
	}
	return wire.PatchDeployment200JSONResponse{Body: presentDeployment(d)}, nil
}

func (s *server) DeleteDeployment(ctx context.Context, r wire.DeleteDeploymentRequestObject) (wire.DeleteDeploymentResponseObject, error) {
	id := slipway.DeploymentID(r.DeploymentID)
	remove := func() error {
		return s.Control.Delete(ctx, principal(ctx), id, value(r.Params.DeleteTracingProject))
	}
	if value(r.Params.Force) {
		remove = func() error { return s.Control.ForceDelete(ctx, principal(ctx), id) }
	}
	if err := remove(); err != nil {
		return nil, err
	}
	return wire.DeleteDeployment204Response{}, nil
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

func (s *server) DeleteDeployments(context.Context, wire.DeleteDeploymentsRequestObject) (wire.DeleteDeploymentsResponseObject, error) {
	return nil, notYet("Deleting several deployments")
}

func (s *server) CountFreeDeployments(context.Context, wire.CountFreeDeploymentsRequestObject) (wire.CountFreeDeploymentsResponseObject, error) {
	return nil, notYet("Counting free deployments")
}
