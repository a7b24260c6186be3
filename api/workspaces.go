package api

import (
	"context"

	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) ListWorkspaces(context.Context, wire.ListWorkspacesRequestObject) (wire.ListWorkspacesResponseObject, error) {
	return nil, notYet("Listing workspaces")
}

func (s *server) CreateWorkspace(context.Context, wire.CreateWorkspaceRequestObject) (wire.CreateWorkspaceResponseObject, error) {
	return nil, notYet("Creating a workspace")
}

func (s *server) GetWorkspace(context.Context, wire.GetWorkspaceRequestObject) (wire.GetWorkspaceResponseObject, error) {
	return nil, notYet("Reading a workspace")
}

func (s *server) PatchWorkspace(context.Context, wire.PatchWorkspaceRequestObject) (wire.PatchWorkspaceResponseObject, error) {
	return nil, notYet("Renaming a workspace")
}

func (s *server) DeleteWorkspace(context.Context, wire.DeleteWorkspaceRequestObject) (wire.DeleteWorkspaceResponseObject, error) {
	return nil, notYet("Deleting a workspace")
}
