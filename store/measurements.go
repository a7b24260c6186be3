package store

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

// slotsPerPage is how many slots share a row. A row costs more than the slots
// in it, but is written anew whenever one of them changes.
const slotsPerPage = 60

// AddMeasurements writes every resolution at once: none has to be made of
// another later, and each holds all of its time.
func (t Tx) AddMeasurements(d slipway.DeploymentID, measured []slipway.Measurement) error {
	for _, r := range slipway.Resolutions {
		slots := slipway.Gather(measured, r.Step)
		for len(slots) > 0 {
			page := pageOf(slots[0].At, r.Step)
			n := slices.IndexFunc(slots, func(m slipway.Measurement) bool { return !pageOf(m.At, r.Step).Equal(page) })
			if n < 0 {
				n = len(slots)
			}
			if err := t.addToPage(d, r.Step, page, slots[:n]); err != nil {
				return did(err, "add measurements of deployment", d)
			}
			slots = slots[n:]
		}
	}
	return nil
}

func pageOf(at time.Time, step time.Duration) time.Time { return at.Truncate(step * slotsPerPage) }

func (t Tx) addToPage(d slipway.DeploymentID, step time.Duration, page time.Time, slots []slipway.Measurement) error {
	raw, err := t.q.GetMeasurements(t.ctx, db.GetMeasurementsParams{DeploymentID: string(d), Step: seconds(step), At: micros(page)})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	there, err := decodeSlots(raw, page, step)
	if err != nil {
		return err
	}
	all := append(there, slots...)
	slices.SortStableFunc(all, func(a, b slipway.Measurement) int { return a.At.Compare(b.At) })
	return t.q.PutMeasurements(t.ctx, db.PutMeasurementsParams{
		DeploymentID: string(d), Step: seconds(step), At: micros(page), Slots: encodeSlots(slipway.Gather(all, step), page, step),
	})
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (t Tx) ListMeasurements(d slipway.DeploymentID, step time.Duration, start, end time.Time) ([]slipway.Measurement, error) {
	rows, err := t.q.ListMeasurements(t.ctx, db.ListMeasurementsParams{
		DeploymentID: string(d), Step: seconds(step), Since: micros(pageOf(start, step)), Until: micros(end),
	})
	if err != nil {
		return nil, did(err, "list measurements of deployment", d)
	}
	measured := []slipway.Measurement{}
	for _, row := range rows {
		slots, err := decodeSlots(row.Slots, moment(row.At), step)
		if err != nil {
			return nil, did(err, "read measurements of deployment", d)
		}
		measured = append(measured, slots...)
	}
	return slices.DeleteFunc(measured, func(m slipway.Measurement) bool { return m.At.Before(start) || !m.At.Before(end) }), nil
}

func (t Tx) DropMeasurements(now time.Time) error {
	for _, r := range slipway.Resolutions {
		oldest := now.Add(-r.For - r.Step*slotsPerPage) // the page goes when its last slot may go
		err := t.q.DeleteMeasurements(t.ctx, db.DeleteMeasurementsParams{Step: seconds(r.Step), Before: micros(oldest)})
		if err != nil {
			return did(err, "drop measurements in steps of", r.Step)
		}
	}
	return nil
}

func (t Tx) Census(now time.Time) ([]slipway.Census, error) {
	rows, err := t.q.Census(t.ctx, micros(now))
	return many(rows, err, sure(func(r db.CensusRow) slipway.Census {
		return slipway.Census{
			Workspace: slipway.WorkspaceID(r.WorkspaceID), Status: slipway.DeploymentStatus(r.Status),
			Deployments: int(r.Deployments), Leased: int(r.Leased),
		}
	}), "count deployments at", now)
}
