package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func (w *world) take(d slipway.DeploymentID, owner string, now, until float64) (l slipway.Lease) {
	w.Helper()
	w.update(func(tx slipway.Tx) (err error) {
		l, err = tx.Take(d, owner, at(now), at(until))
		return err
	})
	return l
}

func (w *world) takeDue(owner string, now, until float64, limit int) (leases []slipway.Lease) {
	w.Helper()
	w.update(func(tx slipway.Tx) (err error) {
		leases, err = tx.TakeDue(owner, at(now), at(until), limit)
		return err
	})
	return leases
}

func (w *world) wake(d slipway.DeploymentID, seconds float64) {
	w.Helper()
	w.update(func(tx slipway.Tx) error { return tx.Wake(d, at(seconds)) })
}

func (w *world) release(l slipway.Lease, seen int64, next time.Time) {
	w.Helper()
	w.update(func(tx slipway.Tx) error { return tx.Release(l, seen, next) })
}

func leaseOps(l slipway.Lease) map[string]func(slipway.Tx) error {
	return map[string]func(slipway.Tx) error{
		"renew":   func(tx slipway.Tx) error { return tx.Renew(l, at(99)) },
		"check":   func(tx slipway.Tx) error { return tx.CheckLease(l) },
		"release": func(tx slipway.Tx) error { return tx.Release(l, 1, time.Time{}) },
	}
}

func testLeaseLife(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	l := w.take(d.ID, "a", 1, 10)
	equal(t, "lease", l, slipway.Lease{Deployment: d.ID, Owner: "a", Term: 1, Until: at(10)})
	w.refused(slipway.ErrLeased, func(tx slipway.Tx) error {
		_, err := tx.Take(d.ID, "b", at(9.9), at(20))
		return err
	})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error {
		_, err := tx.Take("no", "b", at(1), at(2))
		return err
	})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.Wake("no", at(1)) })
	w.update(func(tx slipway.Tx) error { return tx.CheckLease(l) })
	w.update(func(tx slipway.Tx) error { return tx.Renew(l, at(15)) })
	equal(t, "not due while held", w.takeDue("b", 14, 30, 9), []slipway.Lease{})

	taken := w.take(d.ID, "b", 15, 20)
	equal(t, "term", taken.Term, int64(2))
	for _, lost := range []slipway.Lease{l, {Deployment: d.ID, Owner: "a", Term: 2}, {Deployment: d.ID, Owner: "b", Term: 3}, {Deployment: "no", Owner: "b", Term: 2}} {
		for name, op := range leaseOps(lost) {
			if err := w.store.Update(t.Context(), op); !errors.Is(err, slipway.ErrLeaseLost) {
				t.Errorf("%s of %+v: %v", name, lost, err)
			}
		}
	}
	w.update(func(tx slipway.Tx) error { return tx.Renew(taken, at(25)) }) // ran out, but nobody took it
	w.release(taken, 1, time.Time{})
	for name, op := range leaseOps(taken) {
		if err := w.store.Update(t.Context(), op); !errors.Is(err, slipway.ErrLeaseLost) {
			t.Errorf("%s after the release: %v", name, err)
		}
	}
	equal(t, "term after a release", w.take(d.ID, "b", 16, 20).Term, int64(3))
}

func testLeaseDue(t *testing.T, w *world) {
	a, b, c, idle := w.deployment("a", 0).ID, w.deployment("b", 0).ID, w.deployment("c", 0).ID, w.deployment("idle", 0).ID
	equal(t, "never due", read(w, slipway.Tx.NextDue).IsZero(), true)
	w.wake(a, 3)
	w.wake(b, 2)
	w.wake(b, 9) // no later than before
	w.wake(c, 5)
	w.wake(c, 4)
	equal(t, "next due", read(w, slipway.Tx.NextDue), at(2))
	due := func(now float64, limit int) (ids []slipway.DeploymentID) {
		for _, l := range w.takeDue("x", now, now+100, limit) {
			equal(t, "lease", l, slipway.Lease{Deployment: l.Deployment, Owner: "x", Term: 1, Until: at(now + 100)})
			ids = append(ids, l.Deployment)
		}
		return ids
	}
	equal(t, "before", due(1.9, 9), []slipway.DeploymentID(nil))
	equal(t, "earliest first", due(3, 1), []slipway.DeploymentID{b})
	equal(t, "in order", due(4, 9), []slipway.DeploymentID{a, c})
	equal(t, "when the first lease runs out", read(w, slipway.Tx.NextDue), at(103))
	expired := w.takeDue("y", 103, 200, 9)
	equal(t, "expired", expired, []slipway.Lease{{Deployment: b, Owner: "y", Term: 2, Until: at(200)}})

	w.take(idle, "x", 4, 50) // seen by a data plane, not due
	equal(t, "a holder died", read(w, slipway.Tx.NextDue), at(50))
	w.wake(idle, 0)
	equal(t, "awake, but held", read(w, slipway.Tx.NextDue), at(50))
	equal(t, "zero time", func() bool { w.wake(a, 0); return read(w, slipway.Tx.NextDue).IsZero() }(), false)
}

func testLeaseRelease(t *testing.T, w *world) {
	for i, c := range []struct {
		name string
		seen int64
		next time.Time
		wake float64   // during the lease, 0: none
		due  time.Time // afterwards
	}{
		{"idle", 1, time.Time{}, 0, time.Time{}},
		{"again later", 1, at(30), 0, at(30)},
		{"changed meanwhile", 0, at(30), 0, time.Unix(0, 0).UTC()},
		{"woken meanwhile", 1, time.Time{}, 40, time.Time{}},
		{"woken for before", 1, at(30), 20, at(30)},
		{"woken, and changed meanwhile", 0, time.Time{}, 40, time.Unix(0, 0).UTC()},
	} {
		d := w.deployment(fmt.Sprint("app", i), 0)
		w.wake(d.ID, 1)
		l := w.take(d.ID, "x", 1, 10)
		if c.wake != 0 {
			w.wake(d.ID, c.wake)
		}
		w.release(l, c.seen, c.next)
		equal(t, c.name, read(w, slipway.Tx.NextDue), c.due)
		equal(t, c.name+": observed", read(w, getDeployment(d.ID)).Observed, c.seen)
		w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	}
}

// What is being deleted is taken by itself, and is in the way of nothing else.
func testDeletionsAreTakenByThemselves(t *testing.T, w *world) {
	deleted, wanted := w.deployment("deleted", 0), w.deployment("wanted", 0)
	deleted.Status, deleted.Deletion = slipway.AwaitingDelete, slipway.Deletion{At: at(1), Purge: true}
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&deleted) })
	takeDeletions := func(now, until float64) (leases []slipway.Lease) {
		w.update(func(tx slipway.Tx) (err error) {
			leases, err = tx.TakeDueDeletions("x", at(now), at(until), 9)
			return err
		})
		return leases
	}
	equal(t, "next deletion, before", read(w, slipway.Tx.NextDueDeletion).IsZero(), true)
	w.wake(deleted.ID, 2)
	w.wake(wanted.ID, 3)
	equal(t, "next due", read(w, slipway.Tx.NextDue), at(3))
	equal(t, "next deletion", read(w, slipway.Tx.NextDueDeletion), at(2))
	equal(t, "taken", w.takeDue("x", 4, 10, 9), []slipway.Lease{{Deployment: wanted.ID, Owner: "x", Term: 1, Until: at(10)}})
	equal(t, "deletions before their time", takeDeletions(1.9, 20), []slipway.Lease{})
	equal(t, "deletions", takeDeletions(4, 20), []slipway.Lease{{Deployment: deleted.ID, Owner: "x", Term: 1, Until: at(20)}})
	equal(t, "when the lease of what lives runs out", read(w, slipway.Tx.NextDue), at(10))
	equal(t, "when that of a deletion does", read(w, slipway.Tx.NextDueDeletion), at(20))
	equal(t, "expired", w.takeDue("x", 30, 40, 9), []slipway.Lease{{Deployment: wanted.ID, Owner: "x", Term: 2, Until: at(40)}})
	equal(t, "expired deletions", takeDeletions(30, 40), []slipway.Lease{{Deployment: deleted.ID, Owner: "x", Term: 2, Until: at(40)}})
}

// Many race for the same leases, one by one and in lots: each has one taker.
func testLeaseRace(t *testing.T, w *world) {
	const takers, deployments = 12, 10
	var ids []slipway.DeploymentID
	for i := range deployments {
		ids = append(ids, w.deployment(fmt.Sprint("app", i), 0).ID)
		w.wake(ids[i], 1)
	}
	var mu sync.Mutex
	taken := map[slipway.DeploymentID]int{}
	count := func(leases ...slipway.Lease) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range leases {
			taken[l.Deployment]++
		}
	}
	race := func(owner string, i int) error {
		var leases []slipway.Lease
		err := w.store.Update(t.Context(), func(tx slipway.Tx) (err error) {
			if i%2 == 0 {
				leases, err = tx.TakeDue(owner, at(2), at(100), 3)
				return err
			}
			l, err := tx.Take(ids[i%deployments], owner, at(2), at(100))
			leases = []slipway.Lease{l}
			return err
		})
		if err == nil {
			count(leases...)
		} else if !errors.Is(err, slipway.ErrLeased) {
			return err
		}
		return nil
	}
	var g sync.WaitGroup
	for n := range takers {
		g.Go(func() {
			for i := range deployments {
				if err := race(fmt.Sprint("owner", n), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	for _, id := range ids {
		equal(t, "takers", taken[id], 1)
	}
}
