package storetest

import (
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

func (w *world) listener(computeID string, made float64) slipway.Listener {
	w.Helper()
	l := slipway.Listener{
		ID: slipway.NewID[slipway.ListenerID](at(made)), Workspace: w.workspace, Version: new("1.2"), ComputeType: "k8s", ComputeID: computeID,
		Namespaces: []string{"one", "two"}, CreatedAt: at(made), UpdatedAt: at(made + 1),
	}
	w.update(func(tx slipway.Tx) error { return tx.InsertListener(l) })
	return l
}

func getListener(id slipway.ListenerID) func(slipway.Tx) (slipway.Listener, error) {
	return func(tx slipway.Tx) (slipway.Listener, error) { return tx.Listener(id) }
}

func testListeners(t *testing.T, w *world) {
	l := w.listener("cluster", 1)
	filled(t, reflect.ValueOf(l), "Listener")
	equal(t, "listener", read(w, getListener(l.ID)), l)
	byCompute := func(ws slipway.WorkspaceID, id string) func(slipway.Tx) (slipway.Listener, error) {
		return func(tx slipway.Tx) (slipway.Listener, error) { return tx.ListenerByComputeID(ws, id) }
	}
	equal(t, "by compute id", read(w, byCompute(w.workspace, "cluster")), l)
	absent(w, byCompute(w.workspace, "other"))
	absent(w, byCompute("other", "cluster"))
	absent(w, getListener("no"))
	w.refused(nil, func(tx slipway.Tx) error {
		again := l
		again.ID = newID[slipway.ListenerID]()
		return tx.InsertListener(again)
	})
	elsewhere := newWorld(t, w.store)
	elsewhere.listener("cluster", 9)

	for _, namespaces := range [][]string{{}, nil, {"three"}} { // empty is not unset
		l.Version, l.Namespaces, l.UpdatedAt = nil, namespaces, at(5)
		w.update(func(tx slipway.Tx) error { return tx.UpdateListener(l) })
		equal(t, "updated listener", read(w, getListener(l.ID)), l)
	}
	list := func(limit, offset int) (ids []string) {
		for _, l := range read(w, func(tx slipway.Tx) ([]slipway.Listener, error) { return tx.ListListeners(w.workspace, limit, offset) }) {
			ids = append(ids, l.ComputeID)
		}
		return ids
	}
	w.listener("third", 3)
	w.listener("second", 2)
	equal(t, "newest first", list(0, 0), []string{"third", "second", "cluster"})
	equal(t, "a page", list(1, 1), []string{"second"})
	equal(t, "past the end", list(5, 3), []string(nil))

	w.update(func(tx slipway.Tx) error { return tx.DeleteListener(l.ID) })
	absent(w, getListener(l.ID))
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteListener(l.ID) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateListener(l) })
	w.listener("cluster", 4)
}

// What is placed on a listener is not the data plane's here.
func testListenerDeployments(t *testing.T, w *world) {
	l := w.listener("cluster", 1)
	here, there := w.deployment("here", 1), w.deployment("there", 2)
	there.Config.ListenerID = string(l.ID)
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&there) })
	on := func(id slipway.ListenerID) []slipway.DeploymentID {
		return deploymentIDs(read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsOnListener(id, 9) }))
	}
	equal(t, "on the listener", on(l.ID), []slipway.DeploymentID{there.ID})
	equal(t, "on no listener", on(""), []slipway.DeploymentID(nil))
	all := read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsAfter("", 0) })
	equal(t, "for adoption here", deploymentIDs(all), []slipway.DeploymentID{here.ID})

	w.wake(there.ID, 1)
	equal(t, "next due", read(w, slipway.Tx.NextDue).IsZero(), true)
	equal(t, "taken", w.takeDue("x", 5, 10, 9), []slipway.Lease{})
	w.take(there.ID, "listener", 1, 2)
	equal(t, "next due, held", read(w, slipway.Tx.NextDue).IsZero(), true)
	equal(t, "taken when its lease has run out", w.takeDue("x", 5, 10, 9), []slipway.Lease{})
	w.wake(here.ID, 3)
	equal(t, "next due here", read(w, slipway.Tx.NextDue), at(3))

	there.Status = slipway.AwaitingFinalDelete
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&there) })
	equal(t, "with nothing left there", on(l.ID), []slipway.DeploymentID(nil))
	equal(t, "the lease here", w.takeDue("x", 5, 10, 9), []slipway.Lease{{Deployment: here.ID, Owner: "x", Term: 1, Until: at(10)}})
}
