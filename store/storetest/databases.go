package storetest

import (
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

func testLogins(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	first := slipway.SealedLogin{Deployment: d.ID, Number: 1, Revision: 7, Sealed: []byte{0, 255}, CreatedAt: at(1)}
	filled(t, reflect.ValueOf(first), "SealedLogin")
	second, stranger := first, first
	second.Number, stranger.Deployment = 10, other.ID
	for _, l := range []slipway.SealedLogin{second, first, stranger} {
		w.update(func(tx slipway.Tx) error { return tx.InsertLogin(l) })
	}
	logins := func() []slipway.SealedLogin {
		return read(w, func(tx slipway.Tx) ([]slipway.SealedLogin, error) { return tx.ListLogins(d.ID) })
	}
	equal(t, "logins", logins(), []slipway.SealedLogin{first, second})
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertLogin(first) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteLogin(d.ID, 1) })
	equal(t, "logins that are left", logins(), []slipway.SealedLogin{second})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteLogin(d.ID, 1) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	equal(t, "logins of what is gone", len(logins()), 0)
}

func testRedisNumbers(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	number := func(tx slipway.Tx) (int, error) { return tx.RedisNumber(d.ID) }
	absent(w, number)
	w.update(func(tx slipway.Tx) error { return tx.InsertRedisNumber(other.ID, 12) })
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRedisNumber(d.ID, 12) })
	w.update(func(tx slipway.Tx) error { return tx.InsertRedisNumber(d.ID, 3) })
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRedisNumber(d.ID, 4) })
	equal(t, "number", read(w, number), 3)
	all := func() []int { return read(w, func(tx slipway.Tx) ([]int, error) { return tx.ListRedisNumbers() }) }
	equal(t, "numbers", all(), []int{3, 12})
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	equal(t, "numbers that are left", all(), []int{12})
}
