package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertAuditEvent(e slipway.AuditEvent) error {
	err := t.q.InsertAuditEvent(t.ctx, db.InsertAuditEventParams{
		ID: string(e.ID), At: micros(e.At), WorkspaceID: string(e.Workspace), KeyID: string(e.Key),
		Subject: text(e.Subject), Action: string(e.Action), Target: string(e.Target),
	})
	return did(err, "insert audit event", e.ID)
}

func (t Tx) ListAuditEvents(limit, offset int) ([]slipway.AuditEvent, error) {
	rows, err := t.q.ListAuditEvents(t.ctx, db.ListAuditEventsParams{MaxRows: maxRows(limit), Skip: int64(offset)})
	return many(rows, err, sure(auditEvent), "list", "audit events")
}

func auditEvent(r db.AuditEvent) slipway.AuditEvent {
	return slipway.AuditEvent{
		ID: slipway.AuditID(r.ID), At: moment(r.At), Workspace: slipway.WorkspaceID(r.WorkspaceID), Key: slipway.KeyID(r.KeyID),
		Subject: r.Subject, Action: slipway.AuditAction(r.Action), Target: r.Target,
	}
}
