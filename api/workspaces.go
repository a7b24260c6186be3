package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// Workspaces are managed through this. A list takes a limit and an offset.
type Workspaces interface {
	ListWorkspaces(context.Context, slipway.Principal, slipway.Page) ([]slipway.Workspace, error)
	CreateWorkspace(ctx context.Context, who slipway.Principal, name string) (slipway.Workspace, error)
	GetWorkspace(context.Context, slipway.Principal, slipway.WorkspaceID) (slipway.Workspace, error)
	RenameWorkspace(ctx context.Context, who slipway.Principal, id slipway.WorkspaceID, name string) (slipway.Workspace, error)
	DeleteWorkspace(context.Context, slipway.Principal, slipway.WorkspaceID) error
}

func (s *server) ListWorkspaces(ctx context.Context, r wire.ListWorkspacesRequestObject) (wire.ListWorkspacesResponseObject, error) {
	page := slipway.Page{Limit: valueOr(r.Params.Limit, defaultLimit), Offset: value(r.Params.Offset)}
	found, err := s.Control.ListWorkspaces(ctx, principal(ctx), page)
	if err != nil {
		return nil, err
	}
	list := wire.WorkspacesList{Resources: make([]wire.Workspace, len(found)), Offset: page.Offset + len(found)}
	for i, w := range found {
		list.Resources[i] = presentWorkspace(w)
	}
	return wire.ListWorkspaces200JSONResponse(list), nil
}

func (s *server) CreateWorkspace(ctx context.Context, r wire.CreateWorkspaceRequestObject) (wire.CreateWorkspaceResponseObject, error) {
	w, err := s.Control.CreateWorkspace(ctx, principal(ctx), r.Body.Name)
	if err != nil {
		return nil, err
	}
	return wire.CreateWorkspace201JSONResponse(presentWorkspace(w)), nil
}

func (s *server) GetWorkspace(ctx context.Context, r wire.GetWorkspaceRequestObject) (wire.GetWorkspaceResponseObject, error) {
	w, err := s.Control.GetWorkspace(ctx, principal(ctx), slipway.WorkspaceID(r.WorkspaceID))
	if err != nil {
		return nil, err
	}
	return wire.GetWorkspace200JSONResponse(presentWorkspace(w)), nil
}

// PatchWorkspace renames; without a name it shows what there is.
func (s *server) PatchWorkspace(ctx context.Context, r wire.PatchWorkspaceRequestObject) (wire.PatchWorkspaceResponseObject, error) {
	id := slipway.WorkspaceID(r.WorkspaceID)
	var w slipway.Workspace
	var err error
	if r.Body.Name == nil {
		w, err = s.Control.GetWorkspace(ctx, principal(ctx), id)
	} else {
		w, err = s.Control.RenameWorkspace(ctx, principal(ctx), id, *r.Body.Name)
	}
	if err != nil {
		return nil, err
	}
	return wire.PatchWorkspace200JSONResponse(presentWorkspace(w)), nil
}

func (s *server) DeleteWorkspace(ctx context.Context, r wire.DeleteWorkspaceRequestObject) (wire.DeleteWorkspaceResponseObject, error) {
	if err := s.Control.DeleteWorkspace(ctx, principal(ctx), slipway.WorkspaceID(r.WorkspaceID)); err != nil {
		return nil, err
	}
	return wire.DeleteWorkspace204Response{}, nil
}

func presentWorkspace(w slipway.Workspace) wire.Workspace {
	return wire.Workspace{ID: string(w.ID), Name: w.Name, CreatedAt: wire.NewTime(w.CreatedAt)}
}
