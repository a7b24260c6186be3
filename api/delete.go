package api

import (
	"context"
	"net/http"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) DeleteDeployment(ctx context.Context, r wire.DeleteDeploymentRequestObject) (wire.DeleteDeploymentResponseObject, error) {
	remove := s.Control.Delete
	if value(r.Params.Force) {
		remove = s.Control.ForceDelete
	}
	if err := remove(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), deleteOptions(r.Params.DeleteTracingProject, r.Params.Now)); err != nil {
		return nil, err
	}
	return wire.DeleteDeployment204Response{}, nil
}

func deleteOptions(tracing, now *bool) slipway.DeleteOptions {
	return slipway.DeleteOptions{TracingProject: value(tracing), Now: value(now)}
}

// DeleteDeployments answers 200 if all are being deleted now, 207 if some are,
// and as for a single one if none is (contract §2).
func (s *server) DeleteDeployments(ctx context.Context, r wire.DeleteDeploymentsRequestObject) (wire.DeleteDeploymentsResponseObject, error) {
	ids := make([]slipway.DeploymentID, len(r.Params.DeploymentIds))
	for i, id := range r.Params.DeploymentIds {
		ids[i] = slipway.DeploymentID(id)
	}
	refusals, err := s.Control.DeleteMany(ctx, principal(ctx), ids)
	if err != nil {
		return nil, err
	}
	answer := wire.DeploymentsDeleted{Results: make([]wire.DeploymentDeleted, len(ids))}
	deleted := 0
	for i, refusal := range refusals {
		answer.Results[i] = presentDeleted(ids[i], refusal)
		if refusal == nil {
			deleted++
		}
	}
	switch deleted {
	case len(ids):
		return wire.DeleteDeployments200JSONResponse(answer), nil
	case 0:
		return nil, refusals[0]
	default:
		return wire.DeleteDeployments207JSONResponse(answer), nil
	}
}

func presentDeleted(id slipway.DeploymentID, refusal error) wire.DeploymentDeleted {
	if refusal == nil {
		return wire.DeploymentDeleted{DeploymentID: string(id), Status: http.StatusNoContent}
	}
	return wire.DeploymentDeleted{DeploymentID: string(id), Status: statusOf[slipway.CodeOf(refusal)], Detail: new(refusal.Error())}
}
