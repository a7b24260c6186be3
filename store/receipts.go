package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) ClaimReceipt(r slipway.Receipt) (slipway.Receipt, error) {
	row, err := t.q.ClaimReceipt(t.ctx, db.ClaimReceiptParams{
		WorkspaceID: string(r.Workspace), RequestKey: r.Key, Hash: r.Hash, CreatedAt: micros(r.CreatedAt),
	})
	return one(row, err, sure(receipt), "claim receipt", r.Key)
}

func (t Tx) CompleteReceipt(r slipway.Receipt) error {
	rows, err := t.q.CompleteReceipt(t.ctx, db.CompleteReceiptParams{WorkspaceID: string(r.Workspace), RequestKey: r.Key, Resource: r.Resource})
	return hit(rows, err, "complete receipt", r.Key)
}

func (t Tx) OldestReceipt() (time.Time, error) {
	at, err := t.q.OldestReceipt(t.ctx)
	return one(at, err, sure(moment), "oldest receipt", "")
}

func (t Tx) DeleteReceipts(before time.Time, limit int) (int, error) {
	rows, err := t.q.DeleteReceipts(t.ctx, db.DeleteReceiptsParams{Before: micros(before), MaxRows: maxRows(limit)})
	return int(rows), did(err, "delete receipts before", before)
}

func receipt(r db.Receipt) slipway.Receipt {
	return slipway.Receipt{
		Workspace: slipway.WorkspaceID(r.WorkspaceID), Key: r.RequestKey, Hash: r.Hash, Resource: r.Resource, CreatedAt: moment(r.CreatedAt),
	}
}
