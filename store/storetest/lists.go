package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

func testDeploymentView(t *testing.T, w *world) {
	view := func(id slipway.DeploymentID) slipway.DeploymentView {
		t.Helper()
		v := read(w, func(tx slipway.Tx) (slipway.DeploymentView, error) { return tx.DeploymentView(id) })
		listed := read(w, func(tx slipway.Tx) ([]slipway.DeploymentView, error) {
			return tx.ListDeployments(slipway.DeploymentFilter{Workspace: w.workspace, IDs: []slipway.DeploymentID{id}})
		})
		equal(t, "listed", listed, []slipway.DeploymentView{v})
		return v
	}
	d := w.deployment("app", 0)
	equal(t, "bare", view(d.ID), slipway.DeploymentView{Deployment: d, Variables: []string{}})
	absent(w, func(tx slipway.Tx) (slipway.DeploymentView, error) { return tx.DeploymentView("no") })

	r := w.revision(d.ID, 1)
	r.Status, r.Message = slipway.BuildFailed, "it broke"
	refs := []slipway.SecretRef{{Name: "N", SecretName: "S", SecretKey: "K"}}
	d.Latest, d.Active, d.Secrets = r.ID, r.ID, newID[slipway.SecretSetID]()
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertRevision(r); err != nil {
			return err
		}
		if err := tx.InsertSecretSet(d.ID, d.Secrets, []slipway.SealedVar{{Name: "Z", Sealed: []byte{1}}, {Name: "A_1", Sealed: []byte{2}}}, refs); err != nil {
			return err
		}
		return cmp.Or(
			tx.InsertInstance(w.instance(d.ID, r.ID, slipway.InstanceServing, 1)),
			tx.InsertInstance(w.instance(d.ID, r.ID, slipway.InstanceServing, 2)),
			tx.InsertInstance(w.instance(d.ID, r.ID, slipway.InstanceCrashed, 3)),
			tx.InsertInstance(w.instance(d.ID, newID[slipway.RevisionID](), slipway.InstanceServing, 4)),
			tx.UpdateDeployment(&d),
		)
	})
	equal(t, "full", view(d.ID), slipway.DeploymentView{
		Deployment: d, Serving: 2, Variables: []string{"Z", "A_1"}, Refs: refs,
		Newest: &slipway.NewestRevision{ID: r.ID, Status: slipway.BuildFailed, Message: "it broke"},
	})
}

func (w *world) instance(d slipway.DeploymentID, r slipway.RevisionID, state slipway.InstanceState, port int) slipway.Instance {
	return slipway.Instance{ID: newID[slipway.InstanceID](), Deployment: d, Revision: r, State: state, Port: port, CreatedAt: at(1)}
}

// crowd writes deployments of the workspace, many of which were made at the
// same moment, and returns them newest first.
func (w *world) crowd(rt *rapid.T, round int) []slipway.Deployment {
	var all []slipway.Deployment
	for i := range rapid.IntRange(0, 12).Draw(rt, "deployments") {
		made := at(float64(rapid.IntRange(0, 3).Draw(rt, "made")))
		id := slipway.NewID[slipway.DeploymentID](made)
		all = append(all, slipway.Deployment{
			ID: id, Workspace: w.workspace, Name: fmt.Sprintf("app-%d-%d", round, i), Slug: string(id), Source: slipway.SourceInternalSource,
			Config:    slipway.SourceConfig{DeploymentType: rapid.SampledFrom([]string{"dev", "prod"}).Draw(rt, "type")},
			Status:    rapid.SampledFrom([]slipway.DeploymentStatus{slipway.Ready, slipway.Unused, slipway.AwaitingDelete}).Draw(rt, "status"),
			CreatedAt: made, UpdatedAt: made, Generation: int64(rapid.IntRange(1, 2).Draw(rt, "generation")), Observed: 1,
		})
	}
	w.update(func(tx slipway.Tx) error {
		for _, d := range all {
			if err := tx.InsertDeployment(d); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b slipway.Deployment) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return all
}

// While nothing changes, the pages of a list have each that fits once, newest
// first, and none of another workspace.
func testDeploymentPaging(t *testing.T, w *world) {
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		here, elsewhere := newWorld(t, w.store), newWorld(t, w.store) // some come before the other in an index, some after
		all := here.crowd(rt, round)
		elsewhere.crowd(rt, round)
		f := slipway.DeploymentFilter{Workspace: here.workspace, Limit: rapid.IntRange(1, 5).Draw(rt, "limit")}
		if rapid.Bool().Draw(rt, "by status") {
			f.Status = slipway.Ready
		}
		if rapid.Bool().Draw(rt, "by type") {
			f.Type = "dev"
		}
		if rapid.Bool().Draw(rt, "by reconciled") {
			f.Reconciled = new(rapid.Bool().Draw(rt, "reconciled"))
		}
		f.NameContains = rapid.SampledFrom([]string{"", "", "1"}).Draw(rt, "contains")
		equal(rt, fmt.Sprintf("pages of %+v", f), here.allPages(f), fitting(all, f))
	})
}

// allPages returns the ids of all pages, and looks beyond the last.
func (w *world) allPages(f slipway.DeploymentFilter) (ids []slipway.DeploymentID) {
	w.Helper()
	for {
		page := w.list(f)
		ids = append(ids, page...)
		if len(page) == 0 {
			return ids
		}
		f.Offset += len(page)
	}
}

// fitting says what a list should have.
func fitting(all []slipway.Deployment, f slipway.DeploymentFilter) (ids []slipway.DeploymentID) {
	for _, d := range all {
		if f.Status != "" && d.Status != f.Status || f.Type != "" && d.Config.DeploymentType != f.Type ||
			f.Reconciled != nil && *f.Reconciled != (d.Generation == d.Observed) ||
			f.NameContains != "" && (d.Deleting() || !strings.Contains(d.Name, f.NameContains)) {
			continue
		}
		ids = append(ids, d.ID)
	}
	return ids
}

func testRevisionPaging(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	all := w.oneInEach(d.ID)
	w.oneInEach(other.ID)
	slices.Reverse(all)
	for _, f := range []slipway.RevisionFilter{{}, {Status: slipway.Deployed}, {Reconciled: new(true)}, {Reconciled: new(false)}, {Reconciled: new(true), Status: slipway.Building}} {
		var want []slipway.RevisionID
		for _, r := range all {
			if (f.Status == "" || r.Status == f.Status) && (f.Reconciled == nil || *f.Reconciled == r.Status.Ended()) {
				want = append(want, r.ID)
			}
		}
		var got []slipway.RevisionID
		f.Deployment, f.Limit = d.ID, 3
		for f.Offset = 0; f.Offset <= len(all); f.Offset += f.Limit {
			for _, r := range read(w, func(tx slipway.Tx) ([]slipway.Revision, error) { return tx.ListRevisions(f) }) {
				got = append(got, r.ID)
			}
		}
		equal(t, fmt.Sprintf("pages of %+v", f), got, want)
	}
}
