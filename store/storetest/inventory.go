package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func testInventory(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	full := slipway.Item{
		Deployment: d.ID, Kind: slipway.ItemBundle, Ref: "digest", CreatedAt: at(1),
		ReleasedAt: at(1.5), RemovedAt: at(2), VerifiedAt: at(3), Shared: true, Attempts: 4, LastError: "busy", RetryAt: at(4), Place: "db:5432",
	}
	filled(t, reflect.ValueOf(full), "Item")
	items := func() []slipway.Item {
		return read(w, func(tx slipway.Tx) ([]slipway.Item, error) { return tx.ListItems(d.ID) })
	}
	owners := func() int {
		return read(w, func(tx slipway.Tx) (int, error) { return tx.ItemOwners(slipway.ItemBundle, "digest") })
	}
	add := func(i slipway.Item) { w.update(func(tx slipway.Tx) error { return tx.AddItem(i) }) }

	add(full)
	equal(t, "items", items(), []slipway.Item{full})
	equal(t, "owners of a removed one", owners(), 0)
	again := slipway.Item{Deployment: d.ID, Kind: slipway.ItemBundle, Ref: "digest", CreatedAt: at(5), Place: "db:5432"}
	add(again)
	equal(t, "there again", items(), []slipway.Item{again})
	later := again
	later.CreatedAt = at(6)
	add(later)
	equal(t, "added twice", items(), []slipway.Item{again})
	add(slipway.Item{Deployment: other.ID, Kind: slipway.ItemBundle, Ref: "digest", CreatedAt: at(5)})
	add(slipway.Item{Deployment: other.ID, Kind: slipway.ItemState, Ref: "digest", CreatedAt: at(5)})
	equal(t, "owners", owners(), 2)

	w.update(func(tx slipway.Tx) error { return tx.PlaceItem(d.ID, slipway.ItemBundle, "digest", "elsewhere") })
	again.Place = "elsewhere"
	equal(t, "placed", items(), []slipway.Item{again})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.PlaceItem(d.ID, slipway.ItemState, "no", "here") })

	release := func(tx slipway.Tx) error { return tx.ReleaseItem(d.ID, slipway.ItemBundle, "digest", at(6)) }
	w.update(release)
	released := again
	released.ReleasedAt = at(6)
	equal(t, "released", items(), []slipway.Item{released})
	equal(t, "owners, one of whom gave it up", owners(), 2)
	add(again)
	equal(t, "needed again", items(), []slipway.Item{again})

	stuck := func(tx slipway.Tx) error {
		return tx.MarkStuck(d.ID, slipway.ItemBundle, "digest", "in use\x00", at(9))
	}
	w.update(stuck)
	w.update(stuck)
	again.Attempts, again.LastError, again.RetryAt = 2, "in use\uFFFD", at(9)
	equal(t, "stuck", items(), []slipway.Item{again})
	for _, seconds := range []float64{7, 8} {
		w.update(func(tx slipway.Tx) error { return tx.MarkRemoved(d.ID, slipway.ItemBundle, "digest", at(seconds)) })
	}
	again.RemovedAt, again.LastError = at(7), ""
	equal(t, "removed", items(), []slipway.Item{again})
	for _, seconds := range []float64{8, 9} {
		w.update(func(tx slipway.Tx) error { return tx.MarkVerified(d.ID, slipway.ItemBundle, "digest", at(seconds)) })
	}
	again.VerifiedAt = at(8)
	equal(t, "verified", items(), []slipway.Item{again})
	equal(t, "owners left", owners(), 1)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.ReleaseItem(d.ID, slipway.ItemState, "no", at(1)) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.MarkRemoved(d.ID, slipway.ItemState, "no", at(1)) })
	w.update(func(tx slipway.Tx) error {
		return tx.MarkStuck(d.ID, slipway.ItemBundle, "digest", "it is there", at(10))
	})
	again.RemovedAt, again.VerifiedAt, again.Attempts, again.LastError, again.RetryAt = time.Time{}, time.Time{}, 3, "it is there", at(10)
	equal(t, "found again", items(), []slipway.Item{again})
	w.update(func(tx slipway.Tx) error { return tx.MarkVerified(d.ID, slipway.ItemBundle, "digest", at(11)) })
	equal(t, "verified, and not removed", items(), []slipway.Item{again})
	w.update(func(tx slipway.Tx) error { return tx.MarkShared(d.ID, slipway.ItemBundle, "digest", at(12)) })
	again.RemovedAt, again.Shared, again.LastError = at(12), true, ""
	equal(t, "left to others", items(), []slipway.Item{again})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.MarkVerified(d.ID, slipway.ItemState, "no", at(1)) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.MarkShared(d.ID, slipway.ItemState, "no", at(1)) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.MarkStuck(d.ID, slipway.ItemState, "no", "", at(1)) })
}
