package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertRevision(r slipway.Revision) error {
	if err := t.q.InsertRevision(t.ctx, db.InsertRevisionParams(revisionRow(r))); err != nil {
		return did(err, "insert revision", r.ID)
	}
	return t.addHistory(r, r.CreatedAt)
}

func (t Tx) addHistory(r slipway.Revision, at time.Time) error {
	err := t.q.InsertStatusChange(t.ctx, db.InsertStatusChangeParams{
		RevisionID: string(r.ID), Version: r.Version, Status: string(r.Status), At: micros(at),
	})
	return did(err, "add to history of revision", r.ID)
}

func (t Tx) Revision(d slipway.DeploymentID, id slipway.RevisionID) (slipway.Revision, error) {
	row, err := t.q.GetRevision(t.ctx, db.GetRevisionParams{ID: string(id), DeploymentID: string(d)})
	return one(row, err, revision, "revision", id)
}

func (t Tx) ListRevisions(f slipway.RevisionFilter) ([]slipway.Revision, error) {
	rows, err := t.q.ListRevisions(t.ctx, db.ListRevisionsParams{
		DeploymentID: string(f.Deployment), Status: null(f.Status), Reconciled: nullBool(f.Reconciled),
		MaxRows: maxRows(f.Limit), Skip: int64(f.Offset),
	})
	return many(rows, err, revision, "list revisions of", f.Deployment)
}

func (t Tx) OpenRevisions(d slipway.DeploymentID) ([]slipway.Revision, error) {
	rows, err := t.q.ListOpenRevisions(t.ctx, string(d))
	return many(rows, err, revision, "list open revisions of", d)
}

func (t Tx) OverdueRevisions(now time.Time, limit int) ([]slipway.Revision, error) {
	rows, err := t.q.ListOverdueRevisions(t.ctx, db.ListOverdueRevisionsParams{Now: micros(now), MaxRows: maxRows(limit)})
	return many(rows, err, revision, "list revisions overdue at", now)
}

func (t Tx) NextDeadline() (time.Time, error) {
	at, err := t.q.NextDeadline(t.ctx)
	return moment(at), did(err, "next", "deadline")
}

func (t Tx) UpdateRevision(r *slipway.Revision, was slipway.RevisionStatus) error {
	rows, err := t.q.UpdateRevision(t.ctx, revisionChange(revisionRow(*r)))
	if err != nil {
		return did(err, "update revision", r.ID)
	}
	if rows == 0 {
		_, err := t.Revision(r.Deployment, r.ID)
		return stale(err, "update revision", r.ID)
	}
	r.Version++
	if r.Status == was {
		return nil
	}
	return t.addHistory(*r, r.UpdatedAt)
}

func (t Tx) History(id slipway.RevisionID) ([]slipway.StatusChange, error) {
	rows, err := t.q.ListHistory(t.ctx, string(id))
	return many(rows, err, sure(statusChange), "history of revision", id)
}

func statusChange(r db.RevisionHistory) slipway.StatusChange {
	return slipway.StatusChange{Status: slipway.RevisionStatus(r.Status), At: moment(r.At)}
}
