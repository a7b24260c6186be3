package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) Wake(d slipway.DeploymentID, at time.Time) error {
	rows, err := t.q.Wake(t.ctx, db.WakeParams{ID: string(d), At: micros(at)})
	return hit(rows, err, "wake deployment", d)
}

func (t Tx) TakeDue(owner string, now, until time.Time, limit int) ([]slipway.Lease, error) {
	due, err := t.q.ListDue(t.ctx, db.ListDueParams{Now: micros(now), MaxRows: int64(limit)})
	if err != nil {
		return nil, did(err, "list deployments due at", now)
	}
	return t.takeAll(due, owner, now, until)
}

func (t Tx) TakeDueDeletions(owner string, now, until time.Time, limit int) ([]slipway.Lease, error) {
	due, err := t.q.ListDueDeletions(t.ctx, db.ListDueDeletionsParams{Now: micros(now), MaxRows: int64(limit)})
	if err != nil {
		return nil, did(err, "list deletions due at", now)
	}
	return t.takeAll(due, owner, now, until)
}

func (t Tx) takeAll(ids []string, owner string, now, until time.Time) ([]slipway.Lease, error) {
	leases := make([]slipway.Lease, len(ids))
	for i, id := range ids {
		var err error
		if leases[i], err = t.Take(slipway.DeploymentID(id), owner, now, until); err != nil {
			return nil, err
		}
	}
	return leases, nil
}

func (t Tx) Take(d slipway.DeploymentID, owner string, now, until time.Time) (slipway.Lease, error) {
	term, err := t.q.TakeLease(t.ctx, db.TakeLeaseParams{ID: string(d), Owner: owner, Now: micros(now), Until: micros(until)})
	if errors.Is(err, sql.ErrNoRows) {
		err = t.whyNotTaken(d)
	}
	if err != nil {
		return slipway.Lease{}, did(err, "take lease of deployment", d)
	}
	return slipway.Lease{Deployment: d, Owner: owner, Term: term, Until: moment(micros(until))}, nil
}

func (t Tx) whyNotTaken(d slipway.DeploymentID) error {
	if _, err := t.q.GetLease(t.ctx, string(d)); err != nil {
		return err
	}
	return slipway.ErrLeased
}

func (t Tx) EndLeases(owner string, now time.Time) error {
	return did(t.q.EndLeases(t.ctx, db.EndLeasesParams{Owner: owner, Now: sql.NullInt64{Int64: micros(now), Valid: true}}), "end leases of", owner)
}

func (t Tx) Renew(l slipway.Lease, until time.Time) error {
	rows, err := t.q.RenewLease(t.ctx, db.RenewLeaseParams{
		ID: string(l.Deployment), Owner: l.Owner, Term: l.Term, Until: micros(until),
	})
	return held(rows, err, "renew lease of deployment", l)
}

func (t Tx) CheckLease(l slipway.Lease) error {
	row, err := t.q.GetLease(t.ctx, string(l.Deployment))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !holds(l, row) {
		err = slipway.ErrLeaseLost
	}
	return did(err, "check lease of deployment", l.Deployment)
}

func holds(l slipway.Lease, row db.GetLeaseRow) bool {
	return row.LeaseOwner == l.Owner && row.LeaseTerm == l.Term && row.LeaseUntil > 0
}

func (t Tx) Release(l slipway.Lease, seen int64, next time.Time) error {
	rows, err := t.q.ReleaseLease(t.ctx, db.ReleaseLeaseParams{
		ID: string(l.Deployment), Owner: l.Owner, Term: l.Term, Seen: seen,
		NextAt: sql.NullInt64{Int64: micros(next), Valid: !next.IsZero()},
	})
	return held(rows, err, "release lease of deployment", l)
}

// held is hit for a write that only the holder of a lease may do.
func held(rows int64, err error, what string, l slipway.Lease) error {
	if err == nil && rows == 0 {
		err = slipway.ErrLeaseLost
	}
	return did(err, what, l.Deployment)
}

func (t Tx) NextDue() (time.Time, error) { return dueAt(t.q.NextDue(t.ctx)) }

func (t Tx) NextDueDeletion() (time.Time, error) { return dueAt(t.q.NextDueDeletion(t.ctx)) }

func dueAt(at int64, err error) (time.Time, error) {
	if err != nil || at < 0 {
		return time.Time{}, did(err, "next", "due")
	}
	return time.UnixMicro(at).UTC(), nil // 0 is a time here: at once
}
