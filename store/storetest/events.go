package storetest

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
)

func (w *world) append(d slipway.DeploymentID, events ...slipway.StatusEvent) {
	w.Helper()
	w.update(func(tx slipway.Tx) error { return tx.AppendEvents(d, events) })
}

func (w *world) events(d slipway.DeploymentID, after int64, limit int) []slipway.StatusEvent {
	w.Helper()
	return read(w, func(tx slipway.Tx) ([]slipway.StatusEvent, error) { return tx.EventsAfter(d, after, limit) })
}

func (w *world) head(d slipway.DeploymentID) int64 {
	w.Helper()
	return read(w, func(tx slipway.Tx) (int64, error) { return tx.EventHead(d) })
}

func testEvents(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	equal(t, "head before any", w.head(d.ID), int64(0))
	equal(t, "events before any", w.events(d.ID, 0, 0), []slipway.StatusEvent{})

	full := fullRevision(d.ID).State()
	filled(t, reflect.ValueOf(full), "RevisionState")
	state := slipway.DeploymentState{
		Status: slipway.Ready, Latest: full.ID, Active: full.ID, Health: slipway.Health{State: slipway.Unhealthy, Reason: "it crashed", Since: at(3)},
	}
	filled(t, reflect.ValueOf(state), "DeploymentState")
	want := []slipway.StatusEvent{
		{Deployment: d.ID, Sequence: 1, Kind: slipway.EventRevision, Revision: full, At: at(1)},
		{Deployment: d.ID, Sequence: 2, Kind: slipway.EventDeployment, State: state, At: at(1)},
		{Deployment: d.ID, Sequence: 3, Kind: slipway.EventDeployment, State: slipway.DeploymentState{Status: slipway.Ready}, At: at(2)},
		{Deployment: d.ID, Sequence: 4, Kind: slipway.EventRevision, Revision: slipway.RevisionState{ID: full.ID, Status: slipway.Queued}, At: at(3)},
	}
	w.append(d.ID, want[:2]...)
	w.append(other.ID, want[0])
	w.append(d.ID)
	w.append(d.ID, want[2:]...)
	equal(t, "all", w.events(d.ID, 0, 0), want)
	equal(t, "some", w.events(d.ID, 1, 2), want[1:3])
	equal(t, "none", w.events(d.ID, 4, 0), []slipway.StatusEvent{})
	equal(t, "head", w.head(d.ID), int64(4))
	equal(t, "the other's head", w.head(other.ID), int64(1))

	undone := errors.New("undone")
	w.refused(undone, func(tx slipway.Tx) error { return errors.Join(tx.AppendEvents(d.ID, want), undone) })
	equal(t, "head after what was undone", w.head(d.ID), int64(4))
	w.refused(nil, func(tx slipway.Tx) error { return tx.AppendEvents("no", want[:1]) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	equal(t, "head of what is gone", w.head(d.ID), int64(0))
	equal(t, "events of what is gone", w.events(d.ID, 0, 0), []slipway.StatusEvent{})
}

// The newest are kept, and not many more.
func testEventsBounded(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	batch := slices.Repeat([]slipway.StatusEvent{{Kind: slipway.EventDeployment, At: at(1)}}, 7)
	for range 3 * slipway.EventsKept / len(batch) {
		w.append(d.ID, batch...)
		kept := w.events(d.ID, 0, 0)
		head := w.head(d.ID)
		if n := int64(len(kept)); n < min(head, slipway.EventsKept) || n > 2*slipway.EventsKept || kept[n-1].Sequence != head || kept[0].Sequence != head-n+1 {
			t.Fatalf("of %d events %d are kept, from %d to %d", head, n, kept[0].Sequence, kept[n-1].Sequence)
		}
	}
	if kept := w.events(d.ID, 0, 0); len(kept) > 2*slipway.EventsKept-100 {
		t.Errorf("%d are kept", len(kept))
	}
}

// Writers at the same time get sequences of their own, and none is left out.
func testEventsRace(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 5 {
				err := w.store.Update(t.Context(), func(tx slipway.Tx) error {
					return tx.AppendEvents(d.ID, []slipway.StatusEvent{{Kind: slipway.EventDeployment}, {Kind: slipway.EventDeployment}})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	for i, e := range w.events(d.ID, 0, 0) {
		equal(t, "sequence", e.Sequence, int64(i+1))
	}
	equal(t, "head", w.head(d.ID), int64(80))
}
