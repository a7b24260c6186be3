package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertListener(l slipway.Listener) error {
	return did(t.q.InsertListener(t.ctx, db.InsertListenerParams(listenerRow(l))), "insert listener", l.ID)
}

func (t Tx) Listener(id slipway.ListenerID) (slipway.Listener, error) {
	row, err := t.q.GetListener(t.ctx, string(id))
	return one(row, err, listener, "listener", id)
}

func (t Tx) ListenerByComputeID(w slipway.WorkspaceID, computeID string) (slipway.Listener, error) {
	row, err := t.q.GetListenerByComputeID(t.ctx, db.GetListenerByComputeIDParams{WorkspaceID: string(w), ComputeID: computeID})
	return one(row, err, listener, "listener by compute id", computeID)
}

func (t Tx) ListListeners(w slipway.WorkspaceID, limit, offset int) ([]slipway.Listener, error) {
	rows, err := t.q.ListListeners(t.ctx, db.ListListenersParams{WorkspaceID: string(w), MaxRows: maxRows(limit), Skip: int64(offset)})
	return many(rows, err, listener, "list listeners of", w)
}

func (t Tx) UpdateListener(l slipway.Listener) error {
	row := listenerRow(l)
	rows, err := t.q.UpdateListener(t.ctx, db.UpdateListenerParams{ID: row.ID, Config: row.Config, UpdatedAt: row.UpdatedAt})
	return hit(rows, err, "update listener", l.ID)
}

func (t Tx) DeleteListener(id slipway.ListenerID) error {
	rows, err := t.q.DeleteListener(t.ctx, string(id))
	return hit(rows, err, "delete listener", id)
}

func (t Tx) DeploymentsOnListener(id slipway.ListenerID, limit int) ([]slipway.Deployment, error) {
	rows, err := t.q.ListDeploymentsOnListener(t.ctx, db.ListDeploymentsOnListenerParams{ListenerID: string(id), MaxRows: maxRows(limit)})
	return many(rows, err, deployment, "list deployments on listener", id)
}

// listenerRecord is what no query looks into.
type listenerRecord struct {
	Version    *string  `json:"version,omitempty"`
	Namespaces []string `json:"namespaces"`
}

func listenerRow(l slipway.Listener) db.Listener {
	return db.Listener{
		ID:          string(l.ID),
		WorkspaceID: string(l.Workspace),
		ComputeType: l.ComputeType,
		ComputeID:   l.ComputeID,
		Config:      encode(listenerRecord{Version: l.Version, Namespaces: l.Namespaces}),
		CreatedAt:   micros(l.CreatedAt),
		UpdatedAt:   micros(l.UpdatedAt),
	}
}

func listener(r db.Listener) (slipway.Listener, error) {
	config, err := decode[listenerRecord](r.Config)
	if err != nil {
		return slipway.Listener{}, err
	}
	return slipway.Listener{
		ID:          slipway.ListenerID(r.ID),
		Workspace:   slipway.WorkspaceID(r.WorkspaceID),
		Version:     config.Version,
		ComputeType: r.ComputeType,
		ComputeID:   r.ComputeID,
		Namespaces:  config.Namespaces,
		CreatedAt:   moment(r.CreatedAt),
		UpdatedAt:   moment(r.UpdatedAt),
	}, nil
}
