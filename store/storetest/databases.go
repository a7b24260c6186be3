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

func testRedisServers(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	server := func(tx slipway.Tx) (slipway.SealedRedis, error) { return tx.RedisServer(d.ID) }
	absent(w, server)
	first := slipway.SealedRedis{Deployment: d.ID, Port: 100, Sealed: []byte{0, 255}}
	filled(t, reflect.ValueOf(first), "SealedRedis")
	w.update(func(tx slipway.Tx) error { return tx.InsertRedisServer(first) })
	equal(t, "server", read(w, server), first)
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRedisServer(first) })
	second := slipway.SealedRedis{Deployment: other.ID, Port: 100, Sealed: []byte{1}}
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertRedisServer(second) })
	second.Port = 101
	w.update(func(tx slipway.Tx) error { return tx.InsertRedisServer(second) })

	free := func() int {
		return read(w, func(tx slipway.Tx) (int, error) {
			return tx.FreePort(slipway.PortRange{First: 100, Last: 105}, 100)
		})
	}
	equal(t, "free", free(), 102)
	if err := w.onPort(d.ID, 102); err != nil {
		t.Fatal(err)
	}
	equal(t, "free beside an instance", free(), 103)
	w.update(func(tx slipway.Tx) error { return tx.MoveRedisServer(d.ID, 103) })
	equal(t, "server that has moved", read(w, server).Port, 103)
	equal(t, "free where it was", free(), 100)
	w.refused(nil, func(tx slipway.Tx) error { return tx.MoveRedisServer(d.ID, 101) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	absent(w, server)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.MoveRedisServer(d.ID, 104) })
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
