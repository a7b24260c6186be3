package storetest

import (
	"errors"
	"testing"

	"github.com/slipwayhq/slipway"
)

// belongings writes one of everything that hangs on a deployment.
func belongings(tx slipway.Tx, d slipway.Deployment, r slipway.Revision, ref string) error {
	return errors.Join(
		tx.InsertRevision(r),
		tx.InsertInstance(slipway.Instance{ID: slipway.InstanceID(ref), Deployment: d.ID, Revision: r.ID, Port: len(ref), CreatedAt: at(1)}),
		tx.AddItem(slipway.Item{Deployment: d.ID, Kind: slipway.ItemBundle, Ref: "shared", CreatedAt: at(1)}),
		tx.InsertSecretSet(d.ID, slipway.SecretSetID(ref), []slipway.SealedVar{{Name: "A", Sealed: []byte{1}}}, nil),
		tx.InsertLogin(slipway.SealedLogin{Deployment: d.ID, Number: 1, Sealed: []byte{1}, CreatedAt: at(1)}),
		tx.InsertRedisNumber(d.ID, len(ref)),
		tx.InsertRedisServer(slipway.SealedRedis{Deployment: d.ID, Port: 100 + len(ref), Sealed: []byte{1}}),
		tx.InsertUpload(slipway.Upload{ID: slipway.UploadID(ref), Deployment: d.ID, Object: "o", CreatedAt: at(1)}),
		tx.InsertKey(slipway.Key{ID: slipway.KeyID(ref), Hash: ref, Deployment: d.ID, CreatedAt: at(1)}),
		tx.InsertProject(slipway.TracingProject{ID: slipway.ProjectID(ref), Workspace: d.Workspace, Name: d.Name, Deployment: d.ID, CreatedAt: at(1)}),
		tx.AppendLogs([]slipway.LogLine{{Deployment: d.ID, Revision: r.ID, Kind: slipway.DeployLog, Origin: ref, Offset: 5}}),
	)
}

func testDeploymentDelete(t *testing.T, w *world) {
	gone, stays := w.deployment("gone", 0), w.deployment("stays", 1)
	goneRev, staysRev := w.revision(gone.ID, 1), w.revision(stays.ID, 1)
	w.update(func(tx slipway.Tx) error {
		return errors.Join(belongings(tx, gone, goneRev, "g"), belongings(tx, stays, staysRev, "st"))
	})
	var lease slipway.Lease
	w.update(func(tx slipway.Tx) (err error) {
		lease, err = tx.Take(gone.ID, "owner", at(1), at(9))
		return err
	})
	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(gone.ID) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteDeployment(gone.ID) })
	w.refused(slipway.ErrLeaseLost, func(tx slipway.Tx) error { return tx.CheckLease(lease) })

	absent(w, getDeployment(gone.ID))
	absent(w, func(tx slipway.Tx) (slipway.Revision, error) { return tx.Revision(gone.ID, goneRev.ID) })
	absent(w, func(tx slipway.Tx) (slipway.Instance, error) { return tx.Instance("g") })
	absent(w, func(tx slipway.Tx) (slipway.Upload, error) { return tx.Upload("g") })
	absent(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.KeyByHash("g") })
	absent(w, func(tx slipway.Tx) ([]slipway.SecretRef, error) {
		_, refs, err := tx.SecretSet("g")
		return refs, err
	})
	equal(t, "belongings", w.count(gone.ID, goneRev.ID), [4]int{})
	equal(t, "the other's belongings", w.count(stays.ID, staysRev.ID), [4]int{1, 1, 1, 1})
	equal(t, "owners", read(w, func(tx slipway.Tx) (int, error) { return tx.ItemOwners(slipway.ItemBundle, "shared") }), 1)

	project := func(name string) slipway.TracingProject {
		return read(w, func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.ProjectByName(w.workspace, name) })
	}
	kept := slipway.TracingProject{ID: "g", Workspace: w.workspace, Name: "gone", Kept: true, CreatedAt: at(1)}
	equal(t, "kept project", project("gone"), kept)
	equal(t, "the other's project", project("stays").Deployment, stays.ID)
}

// count returns how many items, instances, log lines and status changes there are.
func (w *world) count(d slipway.DeploymentID, r slipway.RevisionID) (n [4]int) {
	w.view(func(tx slipway.Tx) error {
		items, err1 := tx.ListItems(d)
		instances, err2 := tx.ListInstances(d)
		lines, err3 := tx.QueryLogs(slipway.LogQuery{Deployment: d})
		history, err4 := tx.History(r)
		n = [4]int{len(items), len(instances), len(lines), len(history)}
		return errors.Join(err1, err2, err3, err4)
	})
	return n
}
