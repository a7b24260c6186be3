package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

// leaseModel says what the leases of a few deployments should be. It is told
// the time, like the store, and asks the store to do what it does itself.
type leaseModel struct {
	w     *world
	now   float64
	rows  []*leaseRow
	known []slipway.Lease // every lease that was ever given
}

// leaseRow is one deployment in the model; times are seconds, -1 for none.
type leaseRow struct {
	d           slipway.Deployment
	next, until float64
	owner       string
	term        int64
}

func (r *leaseRow) held() bool { return r.until >= 0 }

// due is when it is due and free.
func (r *leaseRow) due() float64 {
	if r.held() {
		return r.until
	}
	return r.next
}

func (r *leaseRow) holds(l slipway.Lease) bool {
	return r.held() && l.Deployment == r.d.ID && l.Owner == r.owner && l.Term == r.term
}

func testLeaseModel(t *testing.T, w *world) {
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		m := &leaseModel{w: w, now: 10}
		for i := range 3 {
			d := w.deployment(fmt.Sprint("app", round, "-", i), 0)
			m.rows = append(m.rows, &leaseRow{d: d, next: -1, until: -1})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"pass":    func(rt *rapid.T) { m.now += rapid.SampledFrom([]float64{0.5, 1, 3}).Draw(rt, "seconds") },
			"wake":    m.wake,
			"change":  m.change,
			"takeDue": m.takeDue,
			"take":    m.take,
			"renew":   m.renew,
			"release": m.release,
		})
		w.update(func(tx slipway.Tx) error {
			for _, r := range m.rows {
				if err := tx.DeleteDeployment(r.d.ID); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (m *leaseModel) row(rt *rapid.T) *leaseRow { return rapid.SampledFrom(m.rows).Draw(rt, "row") }

// times are halves of a second apart from -2 to 5 s from now, and after atOnce.
func (m *leaseModel) time(rt *rapid.T) float64 {
	return max(1, m.now+float64(rapid.IntRange(-4, 10).Draw(rt, "time"))/2)
}

func (m *leaseModel) lease(rt *rapid.T) slipway.Lease {
	if len(m.known) == 0 {
		rt.Skip("no lease yet")
	}
	return rapid.SampledFrom(m.known).Draw(rt, "lease")
}

// find returns the row of a lease.
func (m *leaseModel) find(l slipway.Lease) *leaseRow {
	return m.rows[slices.IndexFunc(m.rows, func(r *leaseRow) bool { return r.d.ID == l.Deployment })]
}

func (m *leaseModel) update(rt *rapid.T, want error, fn func(slipway.Tx) error) {
	err := m.w.store.Update(m.w.Context(), fn)
	if !errors.Is(err, want) || want == nil && err != nil {
		rt.Fatalf("error is %v, want %v", err, want)
	}
}

func (m *leaseModel) wake(rt *rapid.T) {
	r, s := m.row(rt), m.time(rt)
	m.update(rt, nil, func(tx slipway.Tx) error { return tx.Wake(r.d.ID, at(s)) })
	if !r.held() && (r.next < 0 || s < r.next) {
		r.next = s
	}
}

func (m *leaseModel) change(rt *rapid.T) {
	r := m.row(rt)
	r.d.Generation++
	m.update(rt, nil, func(tx slipway.Tx) error { return tx.UpdateDeployment(&r.d) })
}

// given is what the model does when a lease is given.
func (m *leaseModel) given(r *leaseRow, owner string, until float64) slipway.Lease {
	r.owner, r.until, r.next, r.term = owner, until, -1, r.term+1
	l := slipway.Lease{Deployment: r.d.ID, Owner: owner, Term: r.term, Until: at(until)}
	m.known = append(m.known, l)
	return l
}

func (m *leaseModel) take(rt *rapid.T) {
	r, owner, until := m.row(rt), rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "owner"), m.now+2
	var want error
	if r.held() && r.until > m.now {
		want = slipway.ErrLeased
	}
	var got slipway.Lease
	m.update(rt, want, func(tx slipway.Tx) (err error) {
		got, err = tx.Take(r.d.ID, owner, at(m.now), at(until))
		return err
	})
	if want == nil {
		equal(rt, "lease", got, m.given(r, owner, until))
	}
}

func (m *leaseModel) takeDue(rt *rapid.T) {
	due := slices.DeleteFunc(slices.Clone(m.rows), func(r *leaseRow) bool { return r.due() < 0 || r.due() > m.now })
	slices.SortFunc(due, func(a, b *leaseRow) int {
		if a.due() != b.due() {
			return int(2 * (a.due() - b.due()))
		}
		return slices.Compare([]byte(a.d.ID), []byte(b.d.ID))
	})
	limit := rapid.IntRange(1, 3).Draw(rt, "limit")
	want := []slipway.Lease{}
	for _, r := range due[:min(limit, len(due))] {
		want = append(want, m.given(r, "c", m.now+2))
	}
	var got []slipway.Lease
	m.update(rt, nil, func(tx slipway.Tx) (err error) {
		got, err = tx.TakeDue("c", at(m.now), at(m.now+2), limit)
		return err
	})
	equal(rt, "leases", got, want)
}

func (m *leaseModel) renew(rt *rapid.T) {
	l, until := m.lease(rt), m.now+3
	r := m.find(l)
	var want error
	if !r.holds(l) {
		want = slipway.ErrLeaseLost
	}
	m.update(rt, want, func(tx slipway.Tx) error { return tx.Renew(l, at(until)) })
	if want == nil {
		r.until = until
	}
}

func (m *leaseModel) release(rt *rapid.T) {
	l, next := m.lease(rt), -1.0
	r := m.find(l)
	seen := r.d.Generation - int64(rapid.IntRange(0, 1).Draw(rt, "behind"))
	var nextAt time.Time
	if rapid.Bool().Draw(rt, "again") {
		next = m.time(rt)
		nextAt = at(next)
	}
	if !r.holds(l) {
		m.update(rt, slipway.ErrLeaseLost, func(tx slipway.Tx) error { return tx.Release(l, seen, nextAt) })
		return
	}
	m.update(rt, nil, func(tx slipway.Tx) error { return tx.Release(l, seen, nextAt) })
	r.until, r.owner = -1, ""
	switch {
	case seen != r.d.Generation:
		r.next = atOnce
	default:
		r.next = next
	}
	if seen == r.d.Generation {
		r.d.Observed = seen
	}
}

// atOnce is the time of what is due at once, in the model.
const atOnce = 0.0

// check compares what can be seen of the leases.
func (m *leaseModel) check(rt *rapid.T) {
	next := -1.0
	for _, r := range m.rows {
		if r.due() >= 0 && (next < 0 || r.due() < next) {
			next = r.due()
		}
	}
	m.update(rt, nil, func(tx slipway.Tx) error {
		got, err := tx.NextDue()
		if got.IsZero() != (next < 0) || next > atOnce && !got.Equal(at(next)) || next == atOnce && !got.Before(at(0)) {
			rt.Fatalf("next due is %v, want %v", got, next)
		}
		return errors.Join(err, m.checkRows(rt, tx))
	})
}

// checkRows wants at most one live holder of each deployment.
func (m *leaseModel) checkRows(rt *rapid.T, tx slipway.Tx) error {
	live := map[slipway.DeploymentID]int{}
	for _, l := range m.known {
		err := tx.CheckLease(l)
		if (err == nil) != m.find(l).holds(l) {
			return fmt.Errorf("lease %+v: %w", l, err)
		}
		if err == nil {
			live[l.Deployment]++
		}
	}
	for _, r := range m.rows {
		d, err := tx.Deployment(r.d.ID)
		if err != nil || d.Observed != r.d.Observed || live[d.ID] > 1 {
			return fmt.Errorf("deployment %+v with %d holders: %w", d, live[d.ID], err)
		}
	}
	return nil
}
