package api

import (
	"context"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// Deletions are foreseen, followed, undone and finished through this. A list
// takes a limit and an offset.
type Deletions interface {
	DeletionPlan(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeletionPlan, error)
	DeletionReceipt(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeletionReceipt, error)
	// DeletionReceipts lists those of a name, of all names if it is "".
	DeletionReceipts(ctx context.Context, who slipway.Principal, name string, limit, offset int) ([]slipway.DeletionReceipt, error)
	ListDeleted(ctx context.Context, who slipway.Principal, limit, offset int) ([]slipway.DeletionReceipt, error)
	Restore(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, name string) (slipway.DeploymentView, error)
	// RestoreSnapshot has data come from one that was deleted.
	RestoreSnapshot(ctx context.Context, who slipway.Principal, id, from slipway.DeploymentID, replace bool) (slipway.DeploymentView, error)
	// CancelSnapshotRestore ends that while nothing was replaced.
	CancelSnapshotRestore(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.DeploymentView, error)
	Purge(context.Context, slipway.Principal, slipway.DeploymentID) error
	Leftovers(slipway.Principal) ([]slipway.Leftover, error)
}

func (s *server) PlanDeletion(ctx context.Context, r wire.PlanDeletionRequestObject) (wire.PlanDeletionResponseObject, error) {
	p, err := s.Control.DeletionPlan(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.PlanDeletion200JSONResponse(presentPlan(p.With(deleteOptions(r.Params.DeleteTracingProject, r.Params.Now)))), nil
}

func (s *server) RestoreDeployment(ctx context.Context, r wire.RestoreDeploymentRequestObject) (wire.RestoreDeploymentResponseObject, error) {
	name := ""
	if r.Body != nil {
		name = value(r.Body.Name)
	}
	d, err := s.Control.Restore(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID), name)
	if err != nil {
		return nil, err
	}
	return wire.RestoreDeployment200JSONResponse{Body: presentDeployment(d), Headers: wire.RestoreDeployment200ResponseHeaders{ETag: quoted(d)}}, nil
}

func (s *server) ListDeletedDeployments(ctx context.Context, r wire.ListDeletedDeploymentsRequestObject) (wire.ListDeletedDeploymentsResponseObject, error) {
	limit, offset := valueOr(r.Params.Limit, defaultLimit), value(r.Params.Offset)
	found, err := s.Control.ListDeleted(ctx, principal(ctx), limit, offset)
	if err != nil {
		return nil, err
	}
	list := wire.DeletedDeploymentsList{Resources: make([]wire.DeletedDeployment, len(found)), Offset: offset + len(found)}
	for i, d := range found {
		list.Resources[i] = presentTombstone(d)
	}
	return wire.ListDeletedDeployments200JSONResponse(list), nil
}

func (s *server) PurgeDeployment(ctx context.Context, r wire.PurgeDeploymentRequestObject) (wire.PurgeDeploymentResponseObject, error) {
	if err := s.Control.Purge(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID)); err != nil {
		return nil, err
	}
	return wire.PurgeDeployment204Response{}, nil
}

func (s *server) GetDeletion(ctx context.Context, r wire.GetDeletionRequestObject) (wire.GetDeletionResponseObject, error) {
	d, err := s.Control.DeletionReceipt(ctx, principal(ctx), slipway.DeploymentID(r.DeploymentID))
	if err != nil {
		return nil, err
	}
	return wire.GetDeletion200JSONResponse(presentReceipt(d)), nil
}

func (s *server) ListDeletions(ctx context.Context, r wire.ListDeletionsRequestObject) (wire.ListDeletionsResponseObject, error) {
	limit, offset := valueOr(r.Params.Limit, defaultLimit), value(r.Params.Offset)
	found, err := s.Control.DeletionReceipts(ctx, principal(ctx), value(r.Params.Name), limit, offset)
	if err != nil {
		return nil, err
	}
	list := wire.DeletionsList{Resources: make([]wire.Deletion, len(found)), Offset: offset + len(found)}
	for i, d := range found {
		list.Resources[i] = presentReceipt(d)
	}
	return wire.ListDeletions200JSONResponse(list), nil
}

func (s *server) ListLeftovers(ctx context.Context, _ wire.ListLeftoversRequestObject) (wire.ListLeftoversResponseObject, error) {
	found, err := s.Control.Leftovers(principal(ctx))
	if err != nil {
		return nil, err
	}
	list := wire.LeftoversList{Resources: make([]wire.Leftover, len(found))}
	for i, l := range found {
		list.Resources[i] = wire.Leftover{
			Kind: string(l.Kind), Ref: l.Ref, DeploymentID: orNull(string(l.Deployment)), What: l.What,
			Since: timeOrNull(l.Since), FoundAt: wire.NewTime(l.FoundAt), Kept: orNull(l.Kept),
		}
	}
	return wire.ListLeftovers200JSONResponse(list), nil
}

func presentPlan(p slipway.DeletionPlan) wire.DeletionPlan {
	out := wire.DeletionPlan{
		DeploymentID: string(p.Deployment.ID), Name: p.Deployment.Name, Protected: p.Deployment.Protected,
		KeptFor: int(p.KeptFor / time.Second), FinalSnapshot: p.Snapshot, Remove: make([]wire.PlannedItem, len(p.Remove)), Keep: presentKept(p.Keep),
	}
	for i, item := range p.Remove {
		out.Remove[i] = wire.PlannedItem{Kind: string(item.Kind), Ref: item.Ref, Since: wire.NewTime(item.CreatedAt)}
	}
	return out
}

func presentKept(kept []slipway.KeptItem) []wire.KeptItem {
	out := make([]wire.KeptItem, len(kept))
	for i, k := range kept {
		out[i] = wire.KeptItem{Kind: string(k.Kind), Ref: k.Ref, Since: timeOrNull(k.Since), Reason: k.Why}
	}
	return out
}

func presentTombstone(d slipway.DeletionReceipt) wire.DeletedDeployment {
	return wire.DeletedDeployment{
		ID: string(d.Deployment), Name: d.Name, TenantID: string(d.Workspace), State: string(d.State),
		DeletedAt: wire.NewTime(d.At), DeletedBy: orNull(d.By), DeletedByName: orNull(d.ByName), GoneAt: timeOrNull(d.GoneAt), PurgeAt: wire.NewTime(d.PurgeAt),
	}
}

func presentReceipt(d slipway.DeletionReceipt) wire.Deletion {
	out := wire.Deletion{
		DeploymentID: string(d.Deployment), Name: d.Name, TenantID: string(d.Workspace), State: string(d.State),
		DeletedAt: wire.NewTime(d.At), DeletedBy: orNull(d.By), DeletedByName: orNull(d.ByName), GoneAt: timeOrNull(d.GoneAt), PurgeAt: wire.NewTime(d.PurgeAt),
		DoneAt: timeOrNull(d.DoneAt), Items: make([]wire.DeletionItem, len(d.Items)), Keep: presentKept(d.Keep), Snapshot: orNull(d.Snapshot),
	}
	for i, item := range d.Items {
		out.Items[i] = wire.DeletionItem{
			Kind: string(item.Kind), Ref: item.Ref, Since: wire.NewTime(item.CreatedAt), RemovedAt: timeOrNull(item.RemovedAt),
			VerifiedAt: timeOrNull(item.VerifiedAt), Attempts: item.Attempts, Error: orNull(item.LastError),
		}
	}
	return out
}
