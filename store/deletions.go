package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) DeletedDeployments(w slipway.WorkspaceID, limit, offset int) ([]slipway.Deployment, error) {
	rows, err := t.q.ListDeletedDeployments(t.ctx, db.ListDeletedDeploymentsParams{WorkspaceID: string(w), MaxRows: maxRows(limit), Skip: int64(offset)})
	return many(rows, err, deployment, "list deleted deployments of", w)
}

func (t Tx) DeploymentsToPurge(now time.Time, limit int) ([]slipway.Deployment, error) {
	rows, err := t.q.ListOverdueDeployments(t.ctx, db.ListOverdueDeploymentsParams{Now: micros(now), MaxRows: maxRows(limit)})
	return many(rows, err, deployment, "list deployments to purge at", now)
}

func (t Tx) NextPurge() (time.Time, error) {
	at, err := t.q.NextPurge(t.ctx)
	return one(at, err, sure(moment), "next", "purge")
}

func (t Tx) SlugReserved(slug string, w slipway.WorkspaceID) (bool, error) {
	n, err := t.q.CountReservations(t.ctx, db.CountReservationsParams{Slug: slug, WorkspaceID: string(w)})
	return n > 0, did(err, "count reservations of", slug)
}

func (t Tx) RowsOf(d slipway.DeploymentID) (int, error) {
	n, err := t.q.CountRowsOfDeployment(t.ctx, string(d))
	return int(n), did(err, "count rows of deployment", d)
}

func (t Tx) CountLogs(d slipway.DeploymentID, most int) (int, error) {
	n, err := t.q.CountLogLines(t.ctx, db.CountLogLinesParams{DeploymentID: string(d), MaxRows: maxRows(most)})
	return int(n), did(err, "count log lines of deployment", d)
}

func (t Tx) DropLogs(d slipway.DeploymentID, limit int) (int, error) {
	rows, err := t.q.DeleteLogLines(t.ctx, db.DeleteLogLinesParams{DeploymentID: string(d), MaxRows: maxRows(limit)})
	return int(rows), did(err, "drop logs of deployment", d)
}

func (t Tx) InsertDeletionReceipt(r slipway.DeletionReceipt) error {
	return did(t.q.InsertDeletion(t.ctx, db.InsertDeletionParams{
		DeploymentID: string(r.Deployment), WorkspaceID: string(r.Workspace), Name: r.Name, DoneAt: micros(r.DoneAt), Receipt: encode(deletionRecordOf(r)),
	}), "insert receipt of deletion", r.Deployment)
}

func (t Tx) DeletionReceipt(d slipway.DeploymentID) (slipway.DeletionReceipt, error) {
	row, err := t.q.GetDeletion(t.ctx, string(d))
	return one(row, err, deletionReceipt, "receipt of deletion", d)
}

func (t Tx) DeletionReceipts(w slipway.WorkspaceID, name string, limit, offset int) ([]slipway.DeletionReceipt, error) {
	if name == "" {
		rows, err := t.q.ListDeletions(t.ctx, db.ListDeletionsParams{WorkspaceID: string(w), MaxRows: maxRows(limit), Skip: int64(offset)})
		return many(rows, err, deletionReceipt, "list receipts of deletions of", w)
	}
	rows, err := t.q.ListDeletionsNamed(t.ctx, db.ListDeletionsNamedParams{WorkspaceID: string(w), Name: name, MaxRows: maxRows(limit), Skip: int64(offset)})
	return many(rows, err, deletionReceipt, "list receipts of deletions named", name)
}

func (t Tx) OldestDeletionReceipt() (time.Time, error) {
	at, err := t.q.OldestDeletion(t.ctx)
	return one(at, err, sure(moment), "oldest receipt of", "a deletion")
}

func (t Tx) DeleteDeletionReceipts(before time.Time, limit int) (int, error) {
	rows, err := t.q.DeleteDeletions(t.ctx, db.DeleteDeletionsParams{Before: micros(before), MaxRows: maxRows(limit)})
	return int(rows), did(err, "delete receipts of deletions before", before)
}

// deletionRecord has the fields of slipway.DeletionReceipt.
type deletionRecord struct {
	Deployment slipway.DeploymentID  `json:"deployment"`
	Workspace  slipway.WorkspaceID   `json:"workspace"`
	Name       string                `json:"name"`
	State      slipway.DeletionState `json:"state"`
	At         time.Time             `json:"at,omitzero"`
	By         string                `json:"by,omitempty"`
	ByName     string                `json:"by_name,omitempty"`
	GoneAt     time.Time             `json:"gone_at,omitzero"`
	PurgeAt    time.Time             `json:"purge_at,omitzero"`
	DoneAt     time.Time             `json:"done_at,omitzero"`
	Items      []itemRecord          `json:"items,omitempty"`
	Keep       []keptRecord          `json:"keep,omitempty"`
	Snapshot   string                `json:"snapshot,omitempty"`
}

// itemRecord has the fields of slipway.Item.
type itemRecord struct {
	Deployment slipway.DeploymentID `json:"-"` // the receipt's
	Kind       slipway.ItemKind     `json:"kind"`
	Ref        string               `json:"ref"`
	Place      string               `json:"place,omitempty"`
	CreatedAt  time.Time            `json:"created_at,omitzero"`
	ReleasedAt time.Time            `json:"released_at,omitzero"`
	RemovedAt  time.Time            `json:"removed_at,omitzero"`
	VerifiedAt time.Time            `json:"verified_at,omitzero"`
	Shared     bool                 `json:"shared,omitempty"`
	Attempts   int                  `json:"attempts,omitempty"`
	LastError  string               `json:"last_error,omitempty"`
	RetryAt    time.Time            `json:"retry_at,omitzero"`
}

// keptRecord has the fields of slipway.KeptItem.
type keptRecord struct {
	Kind  slipway.ItemKind `json:"kind"`
	Ref   string           `json:"ref"`
	Since time.Time        `json:"since,omitzero"`
	Why   string           `json:"why"`
}

func deletionRecordOf(r slipway.DeletionReceipt) deletionRecord {
	record := deletionRecord{
		Deployment: r.Deployment, Workspace: r.Workspace, Name: r.Name, State: r.State, At: r.At, By: r.By, ByName: r.ByName,
		GoneAt: r.GoneAt, PurgeAt: r.PurgeAt, DoneAt: r.DoneAt, Snapshot: r.Snapshot,
	}
	for _, i := range r.Items {
		record.Items = append(record.Items, itemRecord(i))
	}
	for _, k := range r.Keep {
		record.Keep = append(record.Keep, keptRecord(k))
	}
	return record
}

func deletionReceipt(text string) (slipway.DeletionReceipt, error) {
	record, err := decode[deletionRecord](text)
	r := slipway.DeletionReceipt{
		Deployment: record.Deployment, Workspace: record.Workspace, Name: record.Name, State: record.State, At: record.At, By: record.By, ByName: record.ByName,
		GoneAt: record.GoneAt, PurgeAt: record.PurgeAt, DoneAt: record.DoneAt, Snapshot: record.Snapshot,
	}
	for _, i := range record.Items {
		i.Deployment = record.Deployment
		r.Items = append(r.Items, slipway.Item(i))
	}
	for _, k := range record.Keep {
		r.Keep = append(r.Keep, slipway.KeptItem(k))
	}
	return r, err
}
