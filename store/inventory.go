package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) AddItem(i slipway.Item) error {
	return did(t.q.AddItem(t.ctx, db.AddItemParams(itemRow(i))), "add item to", i.Deployment)
}

func (t Tx) ListItems(d slipway.DeploymentID) ([]slipway.Item, error) {
	rows, err := t.q.ListItems(t.ctx, string(d))
	return many(rows, err, sure(item), "list items of", d)
}

func (t Tx) PlaceItem(d slipway.DeploymentID, kind slipway.ItemKind, ref, place string) error {
	rows, err := t.q.PlaceItem(t.ctx, db.PlaceItemParams{DeploymentID: string(d), Kind: string(kind), Ref: ref, Place: place})
	return hit(rows, err, "place "+string(kind), ref)
}

func (t Tx) ReleaseItem(d slipway.DeploymentID, kind slipway.ItemKind, ref string, at time.Time) error {
	rows, err := t.q.ReleaseItem(t.ctx, db.ReleaseItemParams{
		DeploymentID: string(d), Kind: string(kind), Ref: ref, At: micros(at),
	})
	return hit(rows, err, "release "+string(kind), ref)
}

func (t Tx) MarkRemoved(d slipway.DeploymentID, kind slipway.ItemKind, ref string, at time.Time) error {
	return t.markGone(d, kind, ref, at, false)
}

func (t Tx) MarkShared(d slipway.DeploymentID, kind slipway.ItemKind, ref string, at time.Time) error {
	return t.markGone(d, kind, ref, at, true)
}

func (t Tx) markGone(d slipway.DeploymentID, kind slipway.ItemKind, ref string, at time.Time, shared bool) error {
	rows, err := t.q.MarkItemRemoved(t.ctx, db.MarkItemRemovedParams{
		DeploymentID: string(d), Kind: string(kind), Ref: ref, At: micros(at), Shared: shared,
	})
	return hit(rows, err, "mark removed "+string(kind), ref)
}

func (t Tx) MarkVerified(d slipway.DeploymentID, kind slipway.ItemKind, ref string, at time.Time) error {
	rows, err := t.q.MarkItemVerified(t.ctx, db.MarkItemVerifiedParams{
		DeploymentID: string(d), Kind: string(kind), Ref: ref, At: micros(at),
	})
	return hit(rows, err, "mark verified "+string(kind), ref)
}

func (t Tx) MarkStuck(d slipway.DeploymentID, kind slipway.ItemKind, ref, reason string, retry time.Time) error {
	rows, err := t.q.MarkItemStuck(t.ctx, db.MarkItemStuckParams{
		DeploymentID: string(d), Kind: string(kind), Ref: ref, LastError: reason, RetryAt: micros(retry),
	})
	return hit(rows, err, "mark stuck "+string(kind), ref)
}

func (t Tx) ItemOwners(kind slipway.ItemKind, ref string) (int, error) {
	n, err := t.q.CountItemOwners(t.ctx, db.CountItemOwnersParams{Kind: string(kind), Ref: ref})
	return int(n), did(err, "count owners of "+string(kind), ref)
}

func itemRow(i slipway.Item) db.Inventory {
	return db.Inventory{
		DeploymentID: string(i.Deployment),
		Kind:         string(i.Kind),
		Ref:          i.Ref,
		CreatedAt:    micros(i.CreatedAt),
		ReleasedAt:   micros(i.ReleasedAt),
		RemovedAt:    micros(i.RemovedAt),
		VerifiedAt:   micros(i.VerifiedAt),
		Shared:       i.Shared,
		Attempts:     int64(i.Attempts),
		LastError:    i.LastError,
		RetryAt:      micros(i.RetryAt),
		Place:        i.Place,
	}
}

func item(r db.Inventory) slipway.Item {
	return slipway.Item{
		Deployment: slipway.DeploymentID(r.DeploymentID),
		Kind:       slipway.ItemKind(r.Kind),
		Ref:        r.Ref,
		CreatedAt:  moment(r.CreatedAt),
		ReleasedAt: moment(r.ReleasedAt),
		RemovedAt:  moment(r.RemovedAt),
		VerifiedAt: moment(r.VerifiedAt),
		Shared:     r.Shared,
		Attempts:   int(r.Attempts),
		LastError:  r.LastError,
		RetryAt:    moment(r.RetryAt),
		Place:      r.Place,
	}
}
