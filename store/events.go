package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

// trimEvery is how many events are written between two removals of old ones.
const trimEvery = 64

func (t Tx) AppendEvents(d slipway.DeploymentID, events []slipway.StatusEvent) error {
	if len(events) == 0 {
		return nil
	}
	added := int64(len(events))
	head, err := t.q.MoveEventHead(t.ctx, db.MoveEventHeadParams{DeploymentID: string(d), Added: added})
	if err != nil {
		return did(err, "number events of deployment", d)
	}
	for i, e := range events {
		err := t.q.InsertEvent(t.ctx, db.InsertEventParams{
			DeploymentID: string(d), Sequence: head - added + int64(i) + 1, Kind: string(e.Kind), Body: encode(eventBody(e)), At: micros(e.At),
		})
		if err != nil {
			return did(err, "insert event of deployment", d)
		}
	}
	if head/trimEvery == (head-added)/trimEvery || head <= slipway.EventsKept {
		return nil
	}
	err = t.q.DeleteOldEvents(t.ctx, db.DeleteOldEventsParams{DeploymentID: string(d), Last: head - slipway.EventsKept})
	return did(err, "delete old events of deployment", d)
}

func (t Tx) EventsAfter(d slipway.DeploymentID, sequence int64, limit int) ([]slipway.StatusEvent, error) {
	rows, err := t.q.ListEvents(t.ctx, db.ListEventsParams{DeploymentID: string(d), After: sequence, MaxRows: maxRows(limit)})
	return many(rows, err, event, "list events of", d)
}

func (t Tx) EventHead(d slipway.DeploymentID) (int64, error) {
	head, err := t.q.GetEventHead(t.ctx, string(d))
	return head, did(err, "last event of", d)
}

// eventRecord holds what an event of either kind tells.
type eventRecord struct {
	Status  string         `json:"status"`
	Latest  string         `json:"latest,omitempty"`
	Active  string         `json:"active,omitempty"`
	Health  *healthRecord  `json:"health,omitempty"`
	ID      string         `json:"id,omitempty"`
	Message string         `json:"message,omitempty"`
	Failure *failureRecord `json:"failure,omitempty"`
}

type healthRecord struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Since  int64  `json:"since,omitempty"`
}

func eventBody(e slipway.StatusEvent) eventRecord {
	if r := e.Revision; e.Kind == slipway.EventRevision {
		return eventRecord{ID: string(r.ID), Status: string(r.Status), Message: text(r.Message), Failure: (*failureRecord)(r.Failure)}
	}
	body := eventRecord{Status: string(e.State.Status), Latest: string(e.State.Latest), Active: string(e.State.Active)}
	if h := e.State.Health; h.State != "" {
		body.Health = &healthRecord{State: string(h.State), Reason: text(h.Reason), Since: micros(h.Since)}
	}
	return body
}

func event(row db.DeploymentEvent) (slipway.StatusEvent, error) {
	e := slipway.StatusEvent{
		Deployment: slipway.DeploymentID(row.DeploymentID), Sequence: row.Sequence, Kind: slipway.EventKind(row.Kind), At: moment(row.At),
	}
	b, err := decode[eventRecord](row.Body)
	if err != nil {
		return e, err
	}
	if e.Kind == slipway.EventRevision {
		e.Revision = slipway.RevisionState{
			ID: slipway.RevisionID(b.ID), Status: slipway.RevisionStatus(b.Status), Message: b.Message, Failure: (*slipway.Failure)(b.Failure),
		}
		return e, nil
	}
	e.State = slipway.DeploymentState{Status: slipway.DeploymentStatus(b.Status), Latest: slipway.RevisionID(b.Latest), Active: slipway.RevisionID(b.Active)}
	if h := b.Health; h != nil {
		e.State.Health = slipway.Health{State: slipway.HealthState(h.State), Reason: h.Reason, Since: moment(h.Since)}
	}
	return e, nil
}
