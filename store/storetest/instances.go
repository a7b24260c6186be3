package storetest

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

func testInstances(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	full := slipway.Instance{
		ID: newID[slipway.InstanceID](), Deployment: d.ID, Revision: newID[slipway.RevisionID](), State: slipway.InstanceCrashed,
		Attempt: 2, Port: 9001, Crashes: 1, StartedAt: at(2), RetryAt: at(3),
		Exit:      &slipway.Exit{Code: 137, Signal: "killed", Reason: "out of memory\x00", At: at(2.5), OutOfMemory: true, OutOfDisk: true, Sick: "unresponsive"},
		CreatedAt: at(1),
	}
	filled(t, reflect.ValueOf(full), "Instance")
	bare := slipway.Instance{ID: newID[slipway.InstanceID](), Deployment: d.ID, State: slipway.InstancePlanned, CreatedAt: at(0.5)}
	get := func(tx slipway.Tx) (slipway.Instance, error) { return tx.Instance(full.ID) }
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertInstance(full); err != nil {
			return err
		}
		return tx.InsertInstance(bare)
	})
	equal(t, "instance", read(w, get), full)
	list := read(w, func(tx slipway.Tx) ([]slipway.Instance, error) { return tx.ListInstances(d.ID) })
	equal(t, "instances", list, []slipway.Instance{bare, full})
	equal(t, "the other's", read(w, func(tx slipway.Tx) ([]slipway.Instance, error) { return tx.ListInstances(other.ID) }), []slipway.Instance{})

	bare.ID, bare.CreatedAt = full.ID, full.CreatedAt
	w.update(func(tx slipway.Tx) error { return tx.UpdateInstance(bare) })
	equal(t, "updated instance", read(w, get), bare)
	w.update(func(tx slipway.Tx) error { return tx.DeleteInstance(full.ID) })
	absent(w, get)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateInstance(bare) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteInstance(full.ID) })
}

func (w *world) onPort(d slipway.DeploymentID, port int) error {
	id := slipway.InstanceID(fmt.Sprint("on ", port, newID[slipway.InstanceID]()))
	return w.store.Update(w.Context(), func(tx slipway.Tx) error {
		return tx.InsertInstance(slipway.Instance{ID: id, Deployment: d, Port: port, CreatedAt: at(1)})
	})
}

func testPorts(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	ports := slipway.PortRange{First: 100, Last: 105}
	free := func(start int) int {
		return read(w, func(tx slipway.Tx) (int, error) { return tx.FreePort(ports, start) })
	}
	hold := func(d slipway.DeploymentID, port int) {
		if err := w.onPort(d, port); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "none held", []int{free(100), free(103), free(0), free(106)}, []int{100, 103, 100, 100})
	hold(d.ID, 100)
	hold(other.ID, 101)
	hold(d.ID, 103)
	hold(d.ID, 99)
	hold(d.ID, 106)
	hold(d.ID, 0)
	hold(d.ID, 0)
	equal(t, "some held", []int{free(100), free(101), free(103), free(105)}, []int{102, 102, 104, 105})
	if err := w.onPort(other.ID, 103); err == nil {
		t.Error("two instances on one port")
	}
	hold(d.ID, 104)
	hold(d.ID, 105)
	equal(t, "from the beginning", free(103), 102)
	hold(d.ID, 102)
	absent(w, func(tx slipway.Tx) (int, error) { return tx.FreePort(ports, 103) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(other.ID) })
	equal(t, "given back", free(105), 101)
}
