package api

import (
	"context"

	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) ListListeners(context.Context, wire.ListListenersRequestObject) (wire.ListListenersResponseObject, error) {
	return nil, notYet("Listing listeners")
}

func (s *server) CreateListener(context.Context, wire.CreateListenerRequestObject) (wire.CreateListenerResponseObject, error) {
	return nil, notYet("Registering a listener")
}

func (s *server) GetListener(context.Context, wire.GetListenerRequestObject) (wire.GetListenerResponseObject, error) {
	return nil, notYet("Reading a listener")
}

func (s *server) PatchListener(context.Context, wire.PatchListenerRequestObject) (wire.PatchListenerResponseObject, error) {
	return nil, notYet("Changing a listener")
}

func (s *server) DeleteListener(context.Context, wire.DeleteListenerRequestObject) (wire.DeleteListenerResponseObject, error) {
	return nil, notYet("Removing a listener")
}
