package store

import (
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertInstance(i slipway.Instance) error {
	return did(t.q.InsertInstance(t.ctx, instanceRow(i)), "insert instance", i.ID)
}

func (t Tx) Instance(id slipway.InstanceID) (slipway.Instance, error) {
	row, err := t.q.GetInstance(t.ctx, string(id))
	return one(row, err, instance, "instance", id)
}

func (t Tx) ListInstances(d slipway.DeploymentID) ([]slipway.Instance, error) {
	rows, err := t.q.ListInstances(t.ctx, string(d))
	return many(rows, err, instance, "list instances of", d)
}

func (t Tx) UpdateInstance(i slipway.Instance) error {
	r := instanceRow(i)
	rows, err := t.q.UpdateInstance(t.ctx, db.UpdateInstanceParams{
		ID: r.ID, RevisionID: r.RevisionID, State: r.State, Attempt: r.Attempt, Port: r.Port, Crashes: r.Crashes,
		StartedAt: r.StartedAt, RetryAt: r.RetryAt, LastExit: r.LastExit,
	})
	return hit(rows, err, "update instance", i.ID)
}

func (t Tx) DeleteInstance(id slipway.InstanceID) error {
	rows, err := t.q.DeleteInstance(t.ctx, string(id))
	return hit(rows, err, "delete instance", id)
}

func (t Tx) FreePort(r slipway.PortRange, start int) (int, error) {
	if start < r.First || start > r.Last {
		start = r.First
	}
	for _, part := range []slipway.PortRange{{First: start, Last: r.Last}, {First: r.First, Last: start - 1}} {
		if part.First > part.Last {
			continue
		}
		port, err := t.q.FreePort(t.ctx, db.FreePortParams{FirstPort: int64(part.First), LastPort: int64(part.Last)})
		if err != nil || port != 0 {
			return int(port), did(err, "free port of", part)
		}
	}
	return 0, fmt.Errorf("free port of %d to %d: %w", r.First, r.Last, slipway.ErrNoRow)
}

func instanceRow(i slipway.Instance) db.InsertInstanceParams {
	return db.InsertInstanceParams{
		ID:           string(i.ID),
		DeploymentID: string(i.Deployment),
		RevisionID:   string(i.Revision),
		State:        string(i.State),
		Attempt:      int64(i.Attempt),
		Port:         int64(i.Port),
		Crashes:      int64(i.Crashes),
		StartedAt:    micros(i.StartedAt),
		RetryAt:      micros(i.RetryAt),
		LastExit:     exitText(i.Exit),
		CreatedAt:    micros(i.CreatedAt),
	}
}

func instance(r db.Instance) (slipway.Instance, error) {
	exit, err := decode[*exitRecord](r.LastExit)
	if err != nil {
		return slipway.Instance{}, err
	}
	return slipway.Instance{
		ID:         slipway.InstanceID(r.ID),
		Deployment: slipway.DeploymentID(r.DeploymentID),
		Revision:   slipway.RevisionID(r.RevisionID),
		State:      slipway.InstanceState(r.State),
		Attempt:    int(r.Attempt),
		Port:       int(r.Port),
		Crashes:    int(r.Crashes),
		StartedAt:  moment(r.StartedAt),
		RetryAt:    moment(r.RetryAt),
		Exit:       exit.exit(),
		CreatedAt:  moment(r.CreatedAt),
	}, nil
}

// exitRecord has the fields of slipway.Exit. Its time is kept like all others.
type exitRecord struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`

	OutOfMemory bool   `json:"out_of_memory,omitempty"`
	OutOfDisk   bool   `json:"out_of_disk,omitempty"`
	Sick        string `json:"sick,omitempty"`
}

func exitText(e *slipway.Exit) string {
	if e == nil {
		return ""
	}
	r := exitRecord(*e)
	r.At = moment(micros(r.At))
	return encode(r)
}

func (r *exitRecord) exit() *slipway.Exit { return (*slipway.Exit)(r) }
