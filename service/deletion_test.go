package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/service"
)

const undo = 72 * time.Hour

// keeping has what is deleted be kept aside.
func keeping(_ *plane, c *service.Config) { c.Undo = undo }

// stubbornBlobs can be made to refuse to remove anything.
type stubbornBlobs struct {
	*blob.Folder
	refuses   atomic.Bool
	meanwhile func() // is called before anything is removed; nil for nothing
}

func (b *stubbornBlobs) DeleteAll(ctx context.Context, folder string) error {
	if b.meanwhile != nil {
		b.meanwhile()
	}
	if b.refuses.Load() {
		return errors.New("permission denied")
	}
	return b.Folder.DeleteAll(ctx, folder)
}

func (p *plane) receipt(d slipway.DeploymentID) slipway.DeletionReceipt {
	p.t.Helper()
	r, err := p.DeletionReceipt(p.t.Context(), p.who, d)
	must(p.t, err)
	return r
}

// ended waits until a deletion is over.
func (p *plane) ended(d slipway.DeploymentID) slipway.DeletionReceipt {
	p.t.Helper()
	testsignal.Until(p.t, "the end of the deletion", func() bool { return p.receipt(d).State == slipway.DeletionDone })
	return p.receipt(d)
}

// served is a deployment with an active revision, and the lease on it.
func (p *plane) served(name string) (slipway.DeploymentView, slipway.Lease) {
	p.t.Helper()
	d := p.create(name)
	l := p.acquire(d.ID)
	r := p.push(d.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemRoute, Ref: string(d.ID)}, slipway.ItemPlanned{Kind: slipway.ItemState, Ref: string(d.ID)})
	p.deploy(l, r.ID)
	return d, l
}

// stop reports that nothing runs of a deployment that is being deleted.
func (p *plane) stop(d slipway.DeploymentID, l slipway.Lease) slipway.Assignment {
	p.t.Helper()
	for _, i := range p.report(l).Instances {
		p.lost(l, slipway.ItemInstance, string(i.ID))
	}
	return p.lost(l, slipway.ItemRoute, string(d))
}

// kept is a deployment that was deleted and is kept aside, and a lease of it.
func (p *plane) kept(name string, o slipway.DeleteOptions) (slipway.DeploymentView, slipway.Lease) {
	p.t.Helper()
	d, l := p.served(name)
	must(p.t, p.Delete(p.t.Context(), p.who, d.ID, o))
	if a := p.stop(d.ID, l); a.Deployment.Status != slipway.Kept {
		p.t.Fatalf("it is %s", a.Deployment.Status)
	}
	return d, p.acquire(d.ID) // the other one ended
}

// cleared reports that all is gone that was kept aside on a data plane.
func (p *plane) cleared(d slipway.DeploymentID, l slipway.Lease) slipway.Assignment {
	p.t.Helper()
	p.lost(l, slipway.ItemState, string(d))
	return p.lost(l, slipway.ItemBundle, "bundle")
}

// To who has a key of another workspace there is nothing, whatever is asked about a
// deletion, of what serves and of what is kept aside: and nothing is touched.
func TestDeletionByAnotherWorkspace(t *testing.T) {
	p := newPlane(t, keeping)
	_, stranger, _ := p.principals()
	stranger.Workspace = slipway.NewID[slipway.WorkspaceID](p.clock())
	serving, _ := p.served("serving")
	kept, _ := p.kept("kept", slipway.DeleteOptions{})
	for _, id := range []slipway.DeploymentID{serving.ID, kept.ID} {
		ctx, before, items, audited := t.Context(), p.footprint(id), p.items(id), len(p.audited())
		for name, ask := range map[string]func() error{
			"plan":   func() error { _, err := p.DeletionPlan(ctx, stranger, id); return err },
			"delete": func() error { return p.Delete(ctx, stranger, id, slipway.DeleteOptions{}) },
			"delete now": func() error {
				return p.Delete(ctx, stranger, id, slipway.DeleteOptions{TracingProject: true, Now: true})
			},
			"force":   func() error { return p.ForceDelete(ctx, stranger, id, slipway.DeleteOptions{}) },
			"receipt": func() error { _, err := p.DeletionReceipt(ctx, stranger, id); return err },
			"restore": func() error { _, err := p.Restore(ctx, stranger, id, "mine"); return err },
			"purge":   func() error { return p.Purge(ctx, stranger, id) },
		} {
			if err := ask(); slipway.CodeOf(err) != slipway.CodeNotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := p.footprint(id); after != before || !reflect.DeepEqual(p.items(id), items) || len(p.audited()) != audited {
			t.Errorf("it is %+v, and was %+v; its items are %+v, and were %+v", after, before, p.items(id), items)
		}
	}
	if list, err := p.ListDeleted(t.Context(), stranger, 10, 0); err != nil || len(list) > 0 {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if r := p.receipt(kept.ID); r.State != slipway.DeletionKept {
		t.Errorf("what was kept aside is %s", r.State)
	}
}

func TestWhatIsDeletedIsKeptAside(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if v, err := p.Get(t.Context(), p.who, d.ID); err != nil || v.Status != slipway.AwaitingDelete {
		t.Fatalf("at once: %s, %v", v.Status, err)
	}
	if _, err := p.Restore(t.Context(), p.who, d.ID, ""); slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "/v1/deleted-deployments") {
		t.Errorf("restored before it was stopped: %v", err)
	}
	a := p.stop(d.ID, l)
	if left := kindsOf(a.Items); !slices.Equal(left, []slipway.ItemKind{slipway.ItemBundle, slipway.ItemState}) {
		t.Errorf("kept aside: %v", left)
	}
	if _, err := p.Get(t.Context(), p.who, d.ID); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("clients see it still: %v", err)
	}
	if all, err := p.List(t.Context(), p.who, slipway.DeploymentFilter{}); err != nil || len(all) > 0 {
		t.Errorf("clients see it listed: %v, %v", all, err)
	}
	list, err := p.ListDeleted(t.Context(), p.who, 10, 0)
	must(t, err)
	if len(list) != 1 || list[0].State != slipway.DeletionKept || list[0].PurgeAt != list[0].At.Add(undo) || list[0].GoneAt.IsZero() {
		t.Errorf("the deleted: %+v", list)
	}
	stranger := slipway.Principal{Workspace: slipway.NewID[slipway.WorkspaceID](p.clock())}
	if list, err := p.ListDeleted(t.Context(), stranger, 10, 0); err != nil || len(list) > 0 {
		t.Errorf("a stranger sees the deleted: %v, %v", list, err)
	}
	for name, err := range map[string]error{
		"restore": func() error { _, err := p.Restore(t.Context(), stranger, d.ID, ""); return err }(),
		"purge":   p.Purge(t.Context(), stranger, d.ID),
		"receipt": func() error { _, err := p.DeletionReceipt(t.Context(), stranger, d.ID); return err }(),
	} {
		if slipway.CodeOf(err) != slipway.CodeNotFound {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
}

func kindsOf(items []slipway.Item) (kinds []slipway.ItemKind) {
	for _, i := range items {
		kinds = append(kinds, i.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func TestRestore(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.kept("app", slipway.DeleteOptions{})
	back, err := p.Restore(t.Context(), p.who, d.ID, "")
	must(t, err)
	if back.ID != d.ID || back.Name != "app" || back.Slug != "app" || back.Project != d.Project || back.Status != slipway.Ready || back.Active == "" || back.Deletion != (slipway.Deletion{}) {
		t.Errorf("restored: %+v", back)
	}
	if a := p.report(l); a.Active == nil || a.Deployment.Generation <= d.Generation {
		t.Errorf("for the data plane: %+v", a)
	}
	if _, err := p.Restore(t.Context(), p.who, d.ID, ""); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("restored again: %v", err)
	}
	if _, err := p.DeletionReceipt(t.Context(), p.who, d.ID); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("the receipt of what was restored: %v", err)
	}
	if list, err := p.ListDeleted(t.Context(), p.who, 10, 0); err != nil || len(list) > 0 {
		t.Errorf("the deleted: %v, %v", list, err)
	}
	p.pass(2 * undo)
	p.coordinate()
	p.push(d.ID) // it takes new revisions as before
}

func TestRestoreUnderAnotherName(t *testing.T) {
	p := newPlane(t, keeping)
	d, _ := p.kept("app", slipway.DeleteOptions{})
	again := p.create("app")
	if again.Slug != "app" || again.Project != d.Project {
		t.Fatalf("the name again: %+v", again)
	}
	if _, err := p.Restore(t.Context(), p.who, d.ID, ""); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("restored under a name that is taken: %v", err)
	}
	if _, err := p.Restore(t.Context(), p.who, d.ID, "No Name"); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("restored under no name: %v", err)
	}
	back, err := p.Restore(t.Context(), p.who, d.ID, "app-2")
	must(t, err)
	if back.Name != "app-2" || back.Slug != "app-2" || back.Project == d.Project {
		t.Errorf("restored: %+v", back)
	}
}

// The tracing project is hidden or kept, and either way a restore has it back.
func TestRestoreWithItsProject(t *testing.T) {
	for _, hidden := range []bool{true, false} {
		p := newPlane(t, keeping)
		d, _ := p.kept("app", slipway.DeleteOptions{TracingProject: hidden})
		again := p.create("app")
		if shared := again.Project == d.Project; shared == hidden {
			t.Errorf("hidden %t: the name again has its project: %t", hidden, shared)
		}
		must(t, p.Delete(t.Context(), p.who, again.ID, slipway.DeleteOptions{TracingProject: hidden}))
		back, err := p.Restore(t.Context(), p.who, d.ID, "app-2")
		must(t, err)
		if back.Project != d.Project || back.DeleteProject {
			t.Errorf("hidden %t: restored with %s, it had %s", hidden, back.Project, d.Project)
		}
		if _, err := p.Create(t.Context(), p.who, slipway.NewDeployment{Name: "app-2", Source: slipway.SourceInternalSource}); slipway.CodeOf(err) != slipway.CodeConflict {
			t.Errorf("hidden %t: its name is free: %v", hidden, err)
		}
	}
}

// While a deployment is being stopped its name is free: the new one has it at once,
// is the only one that is found by it, and shares nothing with the old one but the
// tracing project, whatever is reported of that.
func TestANameIsTakenWhileItsFormerGoes(t *testing.T) {
	p := newPlane(t)
	old, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, old.ID, slipway.DeleteOptions{}))
	fresh := p.create("app")
	found, err := p.List(t.Context(), p.who, slipway.DeploymentFilter{Name: "app", Limit: 10})
	must(t, err)
	if len(found) != 1 || found[0].ID != fresh.ID || fresh.ID == old.ID || fresh.Slug != old.Slug || fresh.Project != old.Project {
		t.Errorf("found %+v; the new one is %+v, the old one %+v", found, fresh, old)
	}
	before := p.items(fresh.ID)
	p.stop(old.ID, l)
	p.cleared(old.ID, l)
	p.coordinate()
	p.ended(old.ID)
	after, err := p.Get(t.Context(), p.who, fresh.ID)
	if err != nil || after.Deleting() || after.Slug != "app" || !reflect.DeepEqual(p.items(fresh.ID), before) {
		t.Errorf("afterwards: %+v, %v, items %+v, they were %+v", after, err, p.items(fresh.ID), before)
	}
}

// While a deployment can be restored, its public name is its workspace's alone.
func TestPublicNamesAreReserved(t *testing.T) {
	p := newPlane(t, keeping)
	_, other, _ := p.principals()
	d, l := p.kept("app", slipway.DeleteOptions{})
	create := func() slipway.DeploymentView {
		v, err := p.Create(t.Context(), other, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource})
		must(t, err)
		return v
	}
	theirs := create()
	if theirs.Slug == "app" || !strings.HasPrefix(theirs.Slug, "app-") {
		t.Errorf("another workspace's has the public name %s", theirs.Slug)
	}
	must(t, p.Delete(t.Context(), other, theirs.ID, slipway.DeleteOptions{Now: true}))
	must(t, p.Purge(t.Context(), p.who, d.ID))
	p.cleared(d.ID, l)
	if theirs := create(); theirs.Slug != "app" {
		t.Errorf("after the purge it has %s", theirs.Slug)
	}
}

// An id is nobody's name but its own: who calls a deployment as another one is
// identified neither gets its address nor keeps it from being deleted.
func TestAnIDIsNoName(t *testing.T) {
	p := newPlane(t, keeping)
	_, other, _ := p.principals()
	d := p.create("app")
	for _, name := range []string{string(d.ID), strings.ReplaceAll(string(d.ID), "-", "_")} {
		theirs, err := p.Create(t.Context(), other, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalSource})
		must(t, err)
		if slipway.IsID(theirs.Slug) || !strings.HasPrefix(theirs.Slug, string(d.ID)+"-") {
			t.Errorf("%s has the public name %s", name, theirs.Slug)
		}
		must(t, p.Delete(t.Context(), other, theirs.ID, slipway.DeleteOptions{}))
		back, err := p.Restore(t.Context(), other, theirs.ID, "")
		must(t, err)
		if back.Slug != theirs.Slug {
			t.Errorf("restored it has the public name %s", back.Slug)
		}
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
}

// What is restored gets a public name, though all that are made of its name are
// other deployments'.
func TestAllPublicNamesAreTaken(t *testing.T) {
	p := newPlane(t, keeping)
	_, other, _ := p.principals()
	d := p.create("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	for _, name := range []string{"app-too", slipway.Slug("app-too", d.ID, true)} {
		_, err := p.Create(t.Context(), other, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalSource})
		must(t, err)
	}
	again := p.create("app") // has the public name that was reserved
	back, err := p.Restore(t.Context(), p.who, d.ID, "app-too")
	if err != nil || back.Slug != string(d.ID) || again.Slug != "app" {
		t.Errorf("restored: %s, %v, beside %s", back.Slug, err, again.Slug)
	}
}

func TestPurge(t *testing.T) {
	for name, purge := range map[string]func(*plane, slipway.DeploymentID) error{
		"asked": func(p *plane, d slipway.DeploymentID) error { return p.Purge(t.Context(), p.who, d) },
		"deleted again": func(p *plane, d slipway.DeploymentID) error {
			return p.Delete(t.Context(), p.who, d, slipway.DeleteOptions{Now: true})
		},
		"in time": func(p *plane, d slipway.DeploymentID) error {
			p.pass(undo)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t, keeping)
			p.t = t
			d, l := p.kept("app", slipway.DeleteOptions{TracingProject: true})
			must(t, purge(p, d.ID))
			p.coordinate()
			testsignal.Until(t, "the purge", func() bool { return p.receipt(d.ID).State == slipway.DeletionPurging })
			if _, err := p.Restore(t.Context(), p.who, d.ID, ""); slipway.CodeOf(err) != slipway.CodeConflict {
				t.Errorf("restored while it is purged: %v", err)
			}
			p.cleared(d.ID, l)
			r := p.ended(d.ID)
			want := []slipway.ItemKind{
				slipway.ItemRoute, slipway.ItemInstance, slipway.ItemState, slipway.ItemBundle,
				slipway.ItemUpload, slipway.ItemLogs, slipway.ItemProject, slipway.ItemRecords,
			}
			var got []slipway.ItemKind
			for _, i := range r.Items {
				got = append(got, i.Kind)
				if i.RemovedAt.IsZero() || i.VerifiedAt.IsZero() {
					t.Errorf("not seen to be gone: %+v", i)
				}
			}
			if !slices.Equal(got, want) || len(r.Keep) > 0 {
				t.Errorf("receipt: %v, kept %v", got, r.Keep)
			}
			if list, err := p.ListDeleted(t.Context(), p.who, 10, 0); err != nil || len(list) > 0 {
				t.Errorf("the deleted: %v, %v", list, err)
			}
			for what, err := range map[string]error{
				"restored": func() error { _, err := p.Restore(t.Context(), p.who, d.ID, ""); return err }(),
				"purged":   p.Purge(t.Context(), p.who, d.ID),
			} {
				if slipway.CodeOf(err) != slipway.CodeNotFound {
					t.Errorf("%s after the end: %v", what, err)
				}
			}
		})
	}
}

// failing fails each change of what it is told to.
type failing struct {
	slipway.Store
	fails func(slipway.Deployment) bool
}

type failingTx struct {
	slipway.Tx
	fails func(slipway.Deployment) bool
}

func (f failing) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return f.Store.Update(ctx, func(tx slipway.Tx) error { return fn(failingTx{tx, f.fails}) })
}

func (f failingTx) UpdateDeployment(d *slipway.Deployment) error {
	if f.fails(*d) {
		return errors.New("it can not be written")
	}
	return f.Tx.UpdateDeployment(d)
}

// Deployments that can not be purged keep none from it whose time is over later.
func TestAPurgeThatFailsIsInNobodysWay(t *testing.T) {
	p := newPlane(t, keeping)
	broken := map[slipway.DeploymentID]bool{}
	for i := range 5 {
		d, _ := p.kept(fmt.Sprint("broken-", i), slipway.DeleteOptions{})
		broken[d.ID] = true
	}
	well, _ := p.kept("well", slipway.DeleteOptions{})
	p.pass(2 * undo)
	store := failing{p.store, func(d slipway.Deployment) bool { return broken[d.ID] }}
	p.Service = service.New(store, p.blobs, p.images, nil, service.Config{Now: p.clock})
	p.coordinate()
	testsignal.Until(t, "the purge of what can be", func() bool { return p.receipt(well.ID).State == slipway.DeletionPurging })
	for id := range broken {
		if r := p.receipt(id); r.State != slipway.DeletionKept {
			t.Errorf("one that can not be written is %s", r.State)
		}
	}
}

// A deletion that is asked for again, now, keeps nothing aside.
func TestDeleteNow(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{Now: true, TracingProject: true}))
	p.stop(d.ID, l)
	if a := p.cleared(d.ID, l); a.Deployment.Status != slipway.AwaitingFinalDelete || a.Active != nil || len(a.Items) > 0 {
		t.Errorf("it is %s, and a data plane is told to go on with %+v", a.Deployment.Status, a)
	}
	if _, err := p.Report(t.Context(), l); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("a data plane with nothing left to do has its lease: %v", err)
	}
	p.coordinate()
	if r := p.ended(d.ID); len(r.Keep) > 0 {
		t.Errorf("it leaves %v", r.Keep)
	}
	idle := p.create("idle")
	must(t, p.Delete(t.Context(), p.who, idle.ID, slipway.DeleteOptions{Now: true}))
	if r := p.receipt(idle.ID); r.State != slipway.DeletionDone || r.DoneAt.IsZero() {
		t.Errorf("one with nothing made: %+v", r)
	}
}

// Found again, or unknown, a thing is removed after all.
func TestWhatIsFoundAgainIsNotGone(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	p.stop(d.ID, l)
	p.report(l, slipway.ItemRemoved{Kind: slipway.ItemState, Ref: string(d.ID)}, slipway.ItemRemoved{Kind: slipway.ItemBundle, Ref: "bundle"})
	a := p.report(l, slipway.ItemFound{Kind: slipway.ItemState, Ref: string(d.ID), Reason: "a folder is there"},
		slipway.ItemFound{Kind: slipway.ItemInstance, Ref: "stray", Reason: "a process is there"}, slipway.ItemVerified{Kind: slipway.ItemBundle, Ref: "bundle"})
	if left := kindsOf(a.Items); !slices.Equal(left, []slipway.ItemKind{slipway.ItemInstance, slipway.ItemState}) {
		t.Errorf("to be removed: %v", left)
	}
	for _, i := range p.receipt(d.ID).Items {
		if i.Ref == "stray" && i.LastError != "a process is there" {
			t.Errorf("the receipt says of it: %+v", i)
		}
	}
}

// A step that fails is shown, tried again later, and in nobody's way.
func TestAStuckDeletion(t *testing.T) {
	p := newPlane(t)
	stuck, free := p.create("stuck"), p.create("free")
	p.upload(stuck.ID, "source")
	p.blobs.refuses.Store(true)
	must(t, p.Delete(t.Context(), p.who, stuck.ID, slipway.DeleteOptions{}))
	p.coordinate()
	l := p.acquire(free.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemState, Ref: string(free.ID)})
	must(t, p.Delete(t.Context(), p.who, free.ID, slipway.DeleteOptions{}))
	p.lost(l, slipway.ItemState, string(free.ID))
	p.ended(free.ID)
	step := func() slipway.Item {
		items := p.receipt(stuck.ID).Items
		return items[slices.IndexFunc(items, func(i slipway.Item) bool { return i.Kind == slipway.ItemUpload })]
	}
	testsignal.Until(t, "the first failure", func() bool { return step().Attempts > 0 })
	if i := step(); !strings.Contains(i.LastError, "permission denied") || !i.RetryAt.After(p.clock()) {
		t.Errorf("shown: %+v", i)
	}
	p.blobs.refuses.Store(false)
	p.pass(time.Hour)
	p.coordinate()
	if r := p.ended(stuck.ID); !slices.ContainsFunc(r.Items, func(i slipway.Item) bool { return i.Attempts > 0 }) {
		t.Errorf("the receipt forgot that it was hard: %+v", r.Items)
	}
}

func TestProtection(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Protected: new(true)})
	must(t, err)
	if !v.Protected || v.Latest != "" || v.Tag() == d.Tag() {
		t.Errorf("protected: %+v", v)
	}
	refusals, err := p.DeleteMany(t.Context(), p.who, []slipway.DeploymentID{d.ID})
	must(t, err)
	for _, err := range append(refusals, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{Now: true})) {
		if slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "deletion_protection") {
			t.Errorf("deleted: %v", err)
		}
	}
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{Protected: new(false)})
	must(t, err)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
}

func TestDeletionPlan(t *testing.T) {
	p := newPlane(t, keeping, func(_ *plane, c *service.Config) { c.Snapshots = true })
	d, _ := p.served("app")
	other := p.create("other")
	p.report(p.acquire(other.ID), slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "bundle"})
	_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "POSTGRES_URI_CUSTOM", Value: "postgres://theirs"}}})
	must(t, err)
	plan, err := p.DeletionPlan(t.Context(), p.who, d.ID)
	must(t, err)
	want := []slipway.ItemKind{slipway.ItemRoute, slipway.ItemInstance, slipway.ItemState, slipway.ItemUpload, slipway.ItemLogs, slipway.ItemRecords}
	var got, kept []slipway.ItemKind
	for _, i := range plan.Remove {
		got = append(got, i.Kind)
	}
	for _, k := range plan.Keep {
		kept = append(kept, k.Kind)
	}
	slices.Sort(kept)
	if !slices.Equal(got, want) || plan.KeptFor != undo || !plan.Snapshot {
		t.Errorf("to be removed: %v, kept for %s, with a snapshot: %t", got, plan.KeptFor, plan.Snapshot)
	}
	if plan, err := p.DeletionPlan(t.Context(), p.who, other.ID); err != nil || plan.Snapshot {
		t.Errorf("a snapshot of what has no state: %t, %v", plan.Snapshot, err)
	}
	if !slices.Equal(kept, []slipway.ItemKind{slipway.ItemBundle, slipway.ItemDatabase, slipway.ItemProject}) {
		t.Errorf("to be kept: %v", kept)
	}
}

// The gateway is told before DELETE answers, with what it must not believe.
func TestRoutesEndWithTheAnswer(t *testing.T) {
	var told []int64
	p := newPlane(t, func(_ *plane, c *service.Config) {
		c.Unroute = func(_ slipway.DeploymentID, generation int64) { told = append(told, generation) }
	})
	d, l := p.served("app")
	before := p.report(l).Deployment.Generation
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if len(told) != 1 || told[0] <= before || told[0] != p.report(l).Deployment.Generation {
		t.Errorf("told %v, it was %d before", told, before)
	}
}

// Keys of agents are good for nothing as soon as DELETE answers.
func TestKeysEndWithTheAnswer(t *testing.T) {
	p := newPlane(t, keeping)
	d := p.create("app")
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error {
		return tx.InsertKey(slipway.Key{ID: slipway.NewID[slipway.KeyID](p.clock()), Hash: "hash", Deployment: d.ID})
	}))
	before := p.forgotten
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	err := p.store.View(t.Context(), func(tx slipway.Tx) error { _, err := tx.KeyByHash("hash"); return err })
	if !errors.Is(err, slipway.ErrNoRow) || p.forgotten == before {
		t.Errorf("the key is there: %v; %d told", err, p.forgotten-before)
	}
}

// A source that arrives while its deployment is deleted leaves what is kept
// aside alone, and nothing behind.
func TestUploadsOfTheDeleted(t *testing.T) {
	for _, o := range []slipway.DeleteOptions{{}, {Now: true}} {
		p := newPlane(t, keeping)
		d, l := p.served("app")
		u, err := p.NewUpload(t.Context(), p.who, d.ID)
		must(t, err)
		body := during{strings.NewReader("late"), func() { must(t, p.Delete(t.Context(), p.who, d.ID, o)) }}
		if err := p.ReceiveUpload(t.Context(), u.ID, &body); slipway.CodeOf(err) != slipway.CodeNotFound {
			t.Errorf("%+v: an upload to what is deleted: %v", o, err)
		}
		left, err := p.blobs.List(t.Context(), "uploads/"+string(d.ID))
		must(t, err)
		if o.Now != (len(left) == 0) {
			t.Errorf("%+v: %v is there", o, left)
		}
		_ = l
	}
}

// during does something before it is read.
type during struct {
	*strings.Reader
	do func()
}

func (d *during) Read(b []byte) (int, error) {
	if d.do != nil {
		d.do()
		d.do = nil
	}
	return d.Reader.Read(b)
}

// Where the last state was put is in the receipt to the end, and after it.
func TestWhereTheStateWasPut(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{Now: true}))
	p.stop(d.ID, l)
	p.report(l, slipway.StateKept{Path: "/elsewhere/app.tar.gz"})
	if r := p.receipt(d.ID); r.Snapshot != "/elsewhere/app.tar.gz" {
		t.Errorf("while it is purged: %q", r.Snapshot)
	}
	p.coordinate()
	p.cleared(d.ID, l)
	if r := p.ended(d.ID); r.Snapshot != "/elsewhere/app.tar.gz" {
		t.Errorf("at the end: %q", r.Snapshot)
	}
}

// A receipt says who asked, by name, is found by the deployment's name, and goes
// after a year.
func TestReceiptsAreKeptForAYear(t *testing.T) {
	p := newPlane(t)
	_, who, _ := p.principals()
	must(t, p.store.Update(t.Context(), func(tx slipway.Tx) error {
		return tx.InsertKey(slipway.Key{ID: "a key", Workspace: who.Workspace, Name: "of the CI", Hash: "h", CreatedAt: p.clock()})
	}))
	who.Key = "a key"
	var ids []slipway.DeploymentID
	for range 2 {
		d, err := p.Create(t.Context(), who, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource})
		must(t, err)
		must(t, p.Delete(t.Context(), who, d.ID, slipway.DeleteOptions{}))
		ids = append(ids, d.ID)
		p.pass(24 * time.Hour)
	}
	named := func() (of []slipway.DeploymentID) {
		list, err := p.DeletionReceipts(t.Context(), who, "app", 10, 0)
		must(t, err)
		for _, r := range list {
			if r.By != "a key" || r.ByName != "of the CI" {
				t.Errorf("by %q, %q", r.By, r.ByName)
			}
			of = append(of, r.Deployment)
		}
		return of
	}
	if got := named(); !slices.Equal(got, []slipway.DeploymentID{ids[1], ids[0]}) {
		t.Errorf("of the name: %v, want %v", got, ids)
	}
	if list, err := p.DeletionReceipts(t.Context(), p.who, "app", 10, 0); err != nil || len(list) > 0 {
		t.Errorf("another workspace sees %v, %v", list, err)
	}
	p.pass(364 * 24 * time.Hour)
	p.coordinate()
	testsignal.Until(t, "the older one is gone", func() bool { return slices.Equal(named(), ids[1:]) })
}

// pipedUpload is an upload of which some bytes have arrived.
func (p *plane) pipedUpload(ctx context.Context, id slipway.UploadID) (rest io.WriteCloser, end chan error) {
	p.t.Helper()
	body, rest := io.Pipe()
	end = make(chan error, 1)
	go func() { end <- p.ReceiveUpload(ctx, id, body) }()
	if _, err := rest.Write([]byte("half")); err != nil {
		p.t.Fatal(err)
	}
	return rest, end
}

// What arrives when nothing is left of its deployment leaves nothing either,
// whoever sent it stays or not; and what a death leaves is found.
func TestUploadInFlightAtItsDeletion(t *testing.T) {
	for name, leave := range map[string]bool{"its client stays": false, "its client leaves": true} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.coordinate()
			d := p.create("app")
			u, err := p.NewUpload(t.Context(), p.who, d.ID)
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rest, end := p.pipedUpload(ctx, u.ID)
			must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
			p.ended(d.ID)
			if leave {
				cancel()
			}
			must(t, rest.Close())
			if err := testsignal.Receive(t, "the end of the upload", end); err == nil {
				t.Error("it was taken")
			}
			folder := "uploads/" + string(d.ID)
			if left, err := p.blobs.List(t.Context(), folder); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
			_, _, err = p.blobs.Write(t.Context(), folder, strings.NewReader("a death came before it was dropped"))
			must(t, err)
			stored, err := p.Stored().Remains(t.Context())
			must(t, err)
			unknown, err := p.Unknown(t.Context(), stored)
			if err != nil || len(unknown) != 1 || unknown[0].Deployment != d.ID {
				t.Errorf("found: %+v, %v", unknown, err)
			}
		})
	}
}

// unreceipted fails to write receipts, but for that of one deployment.
type unreceipted struct {
	slipway.Store
	but    slipway.DeploymentID
	broken atomic.Bool
}

type unreceiptedTx struct {
	slipway.Tx
	store *unreceipted
}

func (u *unreceipted) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return u.Store.Update(ctx, func(tx slipway.Tx) error { return fn(unreceiptedTx{tx, u}) })
}

func (u unreceiptedTx) InsertDeletionReceipt(r slipway.DeletionReceipt) error {
	if r.Deployment != u.store.but && u.store.broken.Load() {
		return errors.New("the disk is broken")
	}
	return u.Tx.InsertDeletionReceipt(r)
}

// Nothing of a deployment is forgotten before its receipt is written, and no other
// deletion waits for that.
func TestAReceiptThatCanNotBeWritten(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	other, m := p.served("other")
	for id, lease := range map[slipway.DeploymentID]slipway.Lease{d.ID: l, other.ID: m} {
		must(t, p.Delete(t.Context(), p.who, id, slipway.DeleteOptions{}))
		p.stop(id, lease)
		p.cleared(id, lease)
	}
	store := &unreceipted{Store: p.store, but: other.ID}
	store.broken.Store(true)
	p.Service = service.New(store, p.blobs, p.images, nil, service.Config{Now: p.clock})
	p.coordinate()
	p.ended(other.ID)
	if r := p.receipt(d.ID); r.State != slipway.DeletionPurging || len(r.Items) == 0 {
		t.Errorf("without a receipt that is written: %+v", r)
	}
	bare := p.create("bare")
	if err := p.Delete(t.Context(), p.who, bare.ID, slipway.DeleteOptions{}); err == nil {
		t.Error("what has nothing but rows is deleted without a receipt")
	}
	if v, err := p.Get(t.Context(), p.who, bare.ID); err != nil || v.Deleting() {
		t.Errorf("it is %s, %v", v.Status, err)
	}
	store.broken.Store(false)
	must(t, p.Delete(t.Context(), p.who, bare.ID, slipway.DeleteOptions{})) // wakes the coordinator
	p.ended(bare.ID)
	p.ended(d.ID)
}

// The project of a restored deployment has its name unless that is another's in
// its workspace; what others have elsewhere does not matter.
func TestRestoreBesideAProjectOfItsName(t *testing.T) {
	p := newPlane(t, keeping)
	_, other, _ := p.principals()
	d, _ := p.kept("app", slipway.DeleteOptions{TracingProject: true})
	theirs := p.project(other, slipway.NewProject{Name: "app-2"})
	own := p.project(p.who, slipway.NewProject{Name: "app-3"})
	_, err := p.Restore(t.Context(), p.who, d.ID, own.Name)
	wantError(t, "with the name of another project", err, slipway.CodeConflict, "DELETE /api/v1/sessions/"+string(own.ID))
	p.create("app-4")
	_, err = p.Restore(t.Context(), p.who, d.ID, "app-4")
	wantError(t, "with the name of another deployment", err, slipway.CodeConflict, "It is another deployment's")
	back, err := p.Restore(t.Context(), p.who, d.ID, theirs.Name)
	must(t, err)
	if back.Project != d.Project || back.Project == theirs.ID {
		t.Errorf("its project is %s, it was %s, theirs is %s", back.Project, d.Project, theirs.ID)
	}
	if names := p.projects(other, slipway.ProjectFilter{}); !slices.Equal(names, []string{"app-2"}) {
		t.Errorf("theirs are %q", names)
	}
}

// looked tells of each look at the store that has ended.
type looked struct {
	slipway.Store
	looks chan struct{}
}

func (l looked) View(ctx context.Context, fn func(slipway.Tx) error) error {
	err := l.Store.View(ctx, fn)
	select {
	case l.looks <- struct{}{}:
	default:
	}
	return err
}

// Who waits for deletions is told of each that comes due, and nobody else gets it.
func TestDeletionsAreClaimedByThemselves(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	must(t, p.Release(t.Context(), l, p.report(l).Deployment.Generation, time.Time{}))
	claim := func(due func()) slipway.Claim {
		looks, claims := make(chan struct{}, 1), make(chan []slipway.Claim, 1)
		s := looked{p.store, looks}
		p.reopen(s)
		go func() {
			got, err := p.ClaimDeletions(t.Context(), "test", 9)
			if err != nil {
				t.Error(err)
			}
			claims <- got
		}()
		testsignal.Receive(t, "a look that finds none", looks)
		due()
		got := testsignal.Receive(t, "the claim", claims)
		if len(got) != 1 || got[0].Lease.Deployment != d.ID {
			t.Fatalf("claimed: %+v", got)
		}
		return got[0]
	}
	first := claim(func() { must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{})) })
	seen := first.Assignment.Deployment.Generation
	claim(func() { must(t, p.Release(t.Context(), first.Lease, seen, p.clock())) })
	must(t, p.store.View(t.Context(), func(tx slipway.Tx) error {
		if due, err := tx.NextDue(); err != nil || !due.IsZero() {
			t.Errorf("it is due with what lives at %v, %v", due, err)
		}
		return nil
	}))
}

// diary writes down, in their order, the looks for what is overdue and the removals
// of a log's lines.
type diary struct {
	slipway.Store
	mu    sync.Mutex
	wrote []string
}

type diaryTx struct {
	slipway.Tx
	*diary
}

func (d *diary) write(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrote = append(d.wrote, what)
}

func (d *diary) View(ctx context.Context, fn func(slipway.Tx) error) error {
	return d.Store.View(ctx, func(tx slipway.Tx) error { return fn(diaryTx{tx, d}) })
}

func (d *diary) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return d.Store.Update(ctx, func(tx slipway.Tx) error { return fn(diaryTx{tx, d}) })
}

func (t diaryTx) OverdueRevisions(now time.Time, limit int) ([]slipway.Revision, error) {
	t.write("look")
	return t.Tx.OverdueRevisions(now, limit)
}

func (t diaryTx) DropLogs(d slipway.DeploymentID, limit int) (int, error) {
	t.write("drop")
	return t.Tx.DropLogs(d, limit)
}

// While a long log goes, deadlines are kept.
func TestALongLogIsInNobodysWay(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	p.print(d.ID, "agent", 0, 7000)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	p.stop(d.ID, l)
	p.cleared(d.ID, l)
	watched := &diary{Store: p.store}
	p.Service = service.New(watched, p.blobs, p.images, nil, service.Config{Now: p.clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	p.coordinate()
	p.ended(d.ID)
	watched.mu.Lock()
	defer watched.mu.Unlock()
	wrote := strings.Join(watched.wrote, " ")
	if n := strings.Count(wrote, "drop"); n < 3 || strings.Contains(wrote, "drop drop") {
		t.Errorf("in their order: %s", wrote)
	}
}

// What is asked for while a step of the deletion is taken is done before the end.
func TestTheProjectIsAskedForAtTheEnd(t *testing.T) {
	p, tr := newTracingPlane(t)
	d, l := p.served("app")
	tr.runs[d.Project] = 5
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	p.stop(d.ID, l)
	p.cleared(d.ID, l)
	p.blobs.meanwhile = sync.OnceFunc(func() {
		must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	})
	p.coordinate()
	p.ended(d.ID)
	if n := tr.left(d.Project); n > 0 || !p.isGone(d.Project) {
		t.Errorf("%d runs are left, and the project: %t", n, !p.isGone(d.Project))
	}
}

// What the control plane has goes, though a data plane can not remove what that has:
// only the rows wait for it.
func TestWhatIsStuckOnADataPlane(t *testing.T) {
	p, tr := newTracingPlane(t)
	d, l := p.served("app")
	tr.runs[d.Project] = 5
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	p.report(l, slipway.ItemStuck{Kind: slipway.ItemState, Ref: string(d.ID), Reason: "a file is immutable"})
	p.pass(time.Minute)
	p.coordinate()
	testsignal.Until(t, "what waits for nobody", func() bool {
		p.pass(2 * time.Second) // its traces go in several passes
		return !slices.ContainsFunc(p.receipt(d.ID).Items, func(i slipway.Item) bool {
			return (i.Kind == slipway.ItemUpload || i.Kind == slipway.ItemProject) && !i.Settled()
		})
	})
	if left, err := p.blobs.List(t.Context(), "uploads/"+string(d.ID)); err != nil || len(left) > 0 || tr.left(d.Project) > 0 {
		t.Errorf("left: %v, %v, and %d runs", left, err, tr.left(d.Project))
	}
	if v, err := p.Get(t.Context(), p.who, d.ID); err != nil || v.Status != slipway.AwaitingDelete {
		t.Errorf("it is %s, %v", v.Status, err)
	}
	p.pass(time.Hour)
	l = p.acquire(d.ID)
	p.stop(d.ID, l)
	p.cleared(d.ID, l)
	p.ended(d.ID)
}

// A data plane that nobody tells, since another server takes the DELETE, hears of it
// by its next poll.
func TestADataPlaneElsewhereHearsOfADeletion(t *testing.T) {
	p := newPlane(t)
	d, l := p.served("app")
	must(t, p.Release(t.Context(), l, p.report(l).Deployment.Generation, time.Time{}))
	store := looked{p.store, make(chan struct{}, 1)}
	elsewhere := service.New(store, p.blobs, nil, nil, service.Config{FollowEvery: 5 * time.Millisecond, Now: p.clock})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // half of what it waits without
	defer cancel()
	var claims []slipway.Claim
	var err error
	var claiming sync.WaitGroup
	claiming.Go(func() { claims, err = elsewhere.ClaimDeletions(ctx, "elsewhere", 1) })
	<-store.looks
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if claiming.Wait(); err != nil || len(claims) != 1 || claims[0].Lease.Deployment != d.ID || !claims[0].Assignment.Deployment.Deleting() {
		t.Errorf("heard of: %+v, %v", claims, err)
	}
}
