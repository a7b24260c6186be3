package api

import (
	"context"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) ListListeners(ctx context.Context, r wire.ListListenersRequestObject) (wire.ListListenersResponseObject, error) {
	limit, offset := valueOr(r.Params.Limit, defaultLimit), value(r.Params.Offset)
	found, err := s.Control.ListListeners(ctx, principal(ctx), limit, offset)
	if err != nil {
		return nil, err
	}
	list := wire.ListenersList{Resources: make([]wire.Listener, len(found)), Offset: offset + len(found)}
	for i, l := range found {
		list.Resources[i] = presentListener(l)
	}
	return wire.ListListeners200JSONResponse(list), nil
}

func (s *server) CreateListener(ctx context.Context, r wire.CreateListenerRequestObject) (wire.CreateListenerResponseObject, error) {
	l, err := s.Control.CreateListener(ctx, principal(ctx), slipway.Listener{
		Version: r.Body.Version, ComputeType: r.Body.ComputeType, ComputeID: r.Body.ComputeID,
		Namespaces: value(r.Body.ComputeConfig.K8SNamespaces),
	})
	if err != nil {
		return nil, err
	}
	return wire.CreateListener201JSONResponse(presentListener(l)), nil
}

func (s *server) GetListener(ctx context.Context, r wire.GetListenerRequestObject) (wire.GetListenerResponseObject, error) {
	l, err := s.Control.GetListener(ctx, principal(ctx), slipway.ListenerID(r.ListenerID))
	if err != nil {
		return nil, err
	}
	return wire.GetListener200JSONResponse(presentListener(l)), nil
}

func (s *server) PatchListener(ctx context.Context, r wire.PatchListenerRequestObject) (wire.PatchListenerResponseObject, error) {
	ch := slipway.ListenerChange{Version: r.Body.Version}
	if c := r.Body.ComputeConfig; c != nil {
		ch.Namespaces = value(c.K8SNamespaces)
	}
	l, err := s.Control.PatchListener(ctx, principal(ctx), slipway.ListenerID(r.ListenerID), ch)
	if err != nil {
		return nil, err
	}
	return wire.PatchListener200JSONResponse(presentListener(l)), nil
}

func (s *server) DeleteListener(ctx context.Context, r wire.DeleteListenerRequestObject) (wire.DeleteListenerResponseObject, error) {
	if err := s.Control.DeleteListener(ctx, principal(ctx), slipway.ListenerID(r.ListenerID)); err != nil {
		return nil, err
	}
	return wire.DeleteListener204Response{}, nil
}

// presentListener tells namespaces that are not known, null, from none, [].
func presentListener(l slipway.Listener) wire.Listener {
	out := wire.Listener{
		ID: string(l.ID), Version: l.Version, ComputeType: l.ComputeType, ComputeID: l.ComputeID,
		CreatedAt: wire.NewTime(l.CreatedAt), UpdatedAt: wire.NewTime(l.UpdatedAt),
	}
	if l.Namespaces != nil {
		out.ComputeConfig.K8SNamespaces = &l.Namespaces
	}
	return out
}
