package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func testDeletions(t *testing.T, w *world) {
	deleted := func(name string, seconds, purge float64, status slipway.DeploymentStatus, edit ...func(*slipway.Deployment)) slipway.Deployment {
		d := w.deployment(name, seconds)
		d.Slug, d.Status = string(d.ID), status
		d.Deletion = slipway.Deletion{At: at(seconds), GoneAt: at(seconds), PurgeAt: at(purge)}
		for _, e := range edit {
			e(&d)
		}
		w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&d) })
		return d
	}
	next := func() time.Time { return read(w, func(tx slipway.Tx) (time.Time, error) { return tx.NextPurge() }) }
	equal(t, "next purge of none", next(), time.Time{})
	stays := w.deployment("stays", 0)
	late := deleted("late", 1, 30, slipway.Kept, func(d *slipway.Deployment) { d.Deletion.Slug = "late" })
	early := deleted("early", 2, 20, slipway.Kept)
	dying := deleted("dying", 3, 10, slipway.AwaitingDelete, func(d *slipway.Deployment) { d.Deletion.GoneAt, d.Deletion.Purge = time.Time{}, true })
	equal(t, "next purge", next(), at(20))
	due := func(seconds float64) []slipway.Deployment {
		return read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeploymentsToPurge(at(seconds), 0) })
	}
	equal(t, "to purge before", due(19), []slipway.Deployment{})
	equal(t, "to purge", due(30), []slipway.Deployment{early, late})
	list := func(ws slipway.WorkspaceID, limit, offset int) []slipway.Deployment {
		return read(w, func(tx slipway.Tx) ([]slipway.Deployment, error) { return tx.DeletedDeployments(ws, limit, offset) })
	}
	equal(t, "deleted", list(w.workspace, 0, 0), []slipway.Deployment{dying, early, late})
	equal(t, "a page", list(w.workspace, 1, 1), []slipway.Deployment{early})
	equal(t, "another workspace's", list("other", 0, 0), []slipway.Deployment{})
	for _, f := range []slipway.DeploymentFilter{{}, {Status: slipway.Kept}, {NameContains: "late"}, {Name: "late"}, {IDs: []slipway.DeploymentID{late.ID}}} {
		f.Workspace = w.workspace
		for _, v := range read(w, func(tx slipway.Tx) ([]slipway.DeploymentView, error) { return tx.ListDeployments(f) }) {
			if v.Deletion.Gone() {
				t.Errorf("%+v finds %s, which is gone", f, v.Name)
			}
		}
	}
	for ws, want := range map[slipway.WorkspaceID]bool{w.workspace: false, "other": true} {
		equal(t, "reserved for "+string(ws), read(w, func(tx slipway.Tx) (bool, error) { return tx.SlugReserved("late", ws) }), want)
		equal(t, "nothing is reserved", read(w, func(tx slipway.Tx) (bool, error) { return tx.SlugReserved("", ws) }), false)
	}
	left := read(w, func(tx slipway.Tx) (slipway.Remains, error) { return tx.WorkspaceRemains(w.workspace) })
	equal(t, "left in the workspace", [2]int{left.Deployments, left.Deleted}, [2]int{2, 2})
	w.deployment("late", 9) // its name is free
	_ = stays
}

func testRowsOf(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 1)
	rows := func(id slipway.DeploymentID) int {
		return read(w, func(tx slipway.Tx) (int, error) { return tx.RowsOf(id) })
	}
	equal(t, "rows of one with nothing", rows(d.ID), 1)
	r, s := w.revision(d.ID, 1), w.revision(other.ID, 1)
	w.update(func(tx slipway.Tx) error { return belongings(tx, d, r, "g") })
	w.update(func(tx slipway.Tx) error { return belongings(tx, other, s, "st") })
	if n := rows(d.ID); n < 11 {
		t.Errorf("%d rows of one with everything", n)
	}
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	equal(t, "rows of one that is deleted", rows(d.ID), 0)
}

func testDropLogs(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 1)
	r := w.revision(d.ID, 1)
	var lines []slipway.LogLine
	for n := range int64(5) {
		lines = append(lines, slipway.LogLine{Deployment: d.ID, Revision: r.ID, Kind: slipway.DeployLog, Origin: "o", Offset: n + 1})
	}
	lines = append(lines, slipway.LogLine{Deployment: other.ID, Kind: slipway.DeployLog, Origin: "o", Offset: 1})
	w.update(func(tx slipway.Tx) error { return tx.AppendLogs(lines) })
	count := func(id slipway.DeploymentID, most int) int {
		return read(w, func(tx slipway.Tx) (int, error) { return tx.CountLogs(id, most) })
	}
	equal(t, "lines, up to 3", count(d.ID, 3), 3)
	equal(t, "lines", count(d.ID, 9), 5)
	for _, want := range []int{3, 2, 0} {
		w.update(func(tx slipway.Tx) error {
			n, err := tx.DropLogs(d.ID, 3)
			equal(t, "dropped", n, want)
			return err
		})
	}
	equal(t, "the other's lines", count(other.ID, 9), 1)
}

func testDeletionReceipts(t *testing.T, w *world) {
	full := slipway.DeletionReceipt{
		Deployment: "d", Workspace: w.workspace, Name: "app", State: slipway.DeletionDone, At: at(1), By: "key", ByName: "of the CI", GoneAt: at(2), PurgeAt: at(3), DoneAt: at(4),
		Items: []slipway.Item{{
			Deployment: "d", Kind: slipway.ItemBundle, Ref: "b", CreatedAt: at(1), ReleasedAt: at(2), RemovedAt: at(3), VerifiedAt: at(4),
			Shared: true, Attempts: 5, LastError: "<busy>", RetryAt: at(6),
		}},
		Keep:     []slipway.KeptItem{{Kind: slipway.ItemProject, Ref: "p", Since: at(1), Why: "it stays"}},
		Snapshot: "/var/snapshots/d.tar",
	}
	filled(t, reflect.ValueOf(full), "DeletionReceipt")
	get := func(tx slipway.Tx) (slipway.DeletionReceipt, error) { return tx.DeletionReceipt("d") }
	absent(w, get)
	w.update(func(tx slipway.Tx) error { return tx.InsertDeletionReceipt(full) })
	equal(t, "receipt", read(w, get), full)
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertDeletionReceipt(full) })
}

func testNamedReceipts(t *testing.T, w *world) {
	oldest := func(tx slipway.Tx) (time.Time, error) { return tx.OldestDeletionReceipt() }
	absent(w, oldest)
	for n, r := range []slipway.DeletionReceipt{
		{Deployment: "a", Workspace: w.workspace, Name: "app", DoneAt: at(1)},
		{Deployment: "b", Workspace: w.workspace, Name: "app", DoneAt: at(2)},
		{Deployment: "c", Workspace: w.workspace, Name: "other", DoneAt: at(3)},
		{Deployment: "e", Workspace: "other", Name: "app", DoneAt: at(4)},
	} {
		r.State, r.At = slipway.DeletionDone, at(float64(n))
		w.update(func(tx slipway.Tx) error { return tx.InsertDeletionReceipt(r) })
	}
	named := func(name string, limit, offset int) (ids []slipway.DeploymentID) {
		for _, r := range read(w, func(tx slipway.Tx) ([]slipway.DeletionReceipt, error) {
			return tx.DeletionReceipts(w.workspace, name, limit, offset)
		}) {
			ids = append(ids, r.Deployment)
		}
		return ids
	}
	equal(t, "of the name", named("app", 0, 0), []slipway.DeploymentID{"b", "a"})
	equal(t, "a page", named("app", 1, 1), []slipway.DeploymentID{"a"})
	equal(t, "of all names", named("", 0, 0), []slipway.DeploymentID{"c", "b", "a"})
	equal(t, "a page of all", named("", 1, 1), []slipway.DeploymentID{"b"})
	equal(t, "the oldest", read(w, oldest), at(1))
	for _, want := range []int{1, 1, 0} {
		w.update(func(tx slipway.Tx) error {
			n, err := tx.DeleteDeletionReceipts(at(3), 1)
			equal(t, "removed", n, want)
			return err
		})
	}
	equal(t, "the oldest that is left", read(w, oldest), at(3))
}
