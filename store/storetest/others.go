package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func testUploads(t *testing.T, w *world) {
	d, other := w.deployment("app", 0), w.deployment("other", 0)
	u := slipway.Upload{
		ID: newID[slipway.UploadID](), Deployment: d.ID, Object: "obj", Digest: "d", Tree: "t", Size: 1 << 40,
		CreatedAt: at(1), ExpiresAt: at(2),
	}
	filled(t, reflect.ValueOf(u), "Upload")
	later := slipway.Upload{ID: newID[slipway.UploadID](), Deployment: d.ID, Object: "later", CreatedAt: at(3)}
	for _, u := range []slipway.Upload{later, u} {
		w.update(func(tx slipway.Tx) error { return tx.InsertUpload(u) })
	}
	object := func(d slipway.DeploymentID, object string) func(slipway.Tx) (slipway.Upload, error) {
		return func(tx slipway.Tx) (slipway.Upload, error) { return tx.UploadByObject(d, object) }
	}
	equal(t, "upload", read(w, func(tx slipway.Tx) (slipway.Upload, error) { return tx.Upload(u.ID) }), u)
	equal(t, "by object", read(w, object(d.ID, "obj")), u)
	absent(w, object(other.ID, "obj"))
	absent(w, object(d.ID, "no"))
	absent(w, func(tx slipway.Tx) (slipway.Upload, error) { return tx.Upload("no") })

	later.Digest, later.Tree, later.Size, later.ExpiresAt = "e", "f", 7, at(9)
	w.update(func(tx slipway.Tx) error { return tx.UpdateUpload(later) })
	list := read(w, func(tx slipway.Tx) ([]slipway.Upload, error) { return tx.ListUploads(d.ID) })
	equal(t, "uploads", list, []slipway.Upload{u, later})
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateUpload(slipway.Upload{ID: "no"}) })
	w.refused(nil, func(tx slipway.Tx) error {
		return tx.InsertUpload(slipway.Upload{ID: newID[slipway.UploadID](), Deployment: d.ID, Object: "obj"})
	})
	w.update(func(tx slipway.Tx) error { return tx.DeleteUpload(u.ID) })
	absent(w, object(d.ID, "obj"))
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteUpload(u.ID) })
}

func testProjects(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	p := slipway.TracingProject{
		ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "app", Deployment: d.ID, Kept: true, Hidden: true, CreatedAt: at(1),
		Description: "what", Extra: `{"a":1}`, EndedAt: at(2), DueAt: at(3), Attempts: 4,
	}
	filled(t, reflect.ValueOf(p), "TracingProject")
	get := func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.ProjectByName(w.workspace, p.Name) }
	w.update(func(tx slipway.Tx) error { return tx.InsertProject(p) })
	equal(t, "project", read(w, func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.Project(p.ID) }), p)
	absent(w, get)
	absent(w, func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.Project("no") })
	visible := slipway.TracingProject{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "app"}
	w.update(func(tx slipway.Tx) error { return tx.InsertProject(visible) })
	leaves := func(tx slipway.Tx) (bool, error) { return tx.ProjectLeaves(w.workspace, p.Name) }
	equal(t, "leaves with one that serves", read(w, leaves), false)
	d.Status = slipway.AwaitingDelete
	w.update(func(tx slipway.Tx) error { return tx.UpdateDeployment(&d) })
	equal(t, "leaves", read(w, leaves), true)
	p.Hidden = false
	w.refused(nil, func(tx slipway.Tx) error { return tx.UpdateProject(p) })
	w.update(func(tx slipway.Tx) error {
		if err := tx.DeleteProject(visible.ID); err != nil {
			return err
		}
		return tx.UpdateProject(p)
	})
	equal(t, "project that is shown", read(w, get), p)
	w.refused(nil, func(tx slipway.Tx) error {
		return tx.InsertProject(slipway.TracingProject{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "app"})
	})
	p.Name, p.Deployment, p.Kept = "renamed", "", false
	p.Description, p.Extra, p.EndedAt, p.DueAt, p.Attempts = "", "", at(5), at(6), 7
	w.update(func(tx slipway.Tx) error { return tx.UpdateProject(p) })
	equal(t, "updated project", read(w, get), p)
	w.update(func(tx slipway.Tx) error { return tx.DeleteProject(p.ID) })
	absent(w, get)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.UpdateProject(p) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteProject(p.ID) })
}

func testProjectLists(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	other := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "other", CreatedAt: at(1)}
	projects := []slipway.TracingProject{
		{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "100%_of it", CreatedAt: at(3)},
		{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "App", CreatedAt: at(2), Kept: true},
		{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "app", CreatedAt: at(1), Deployment: d.ID},
		{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "app", CreatedAt: at(4), Hidden: true, DueAt: at(8)},
		{ID: newID[slipway.ProjectID](), Workspace: other.ID, Name: "app", CreatedAt: at(1), DueAt: at(7)},
		{ID: newID[slipway.ProjectID](), Workspace: other.ID, Name: strange, CreatedAt: at(2)},
	}
	w.update(func(tx slipway.Tx) error {
		err := tx.InsertWorkspace(other)
		for _, p := range projects {
			if err == nil {
				err = tx.InsertProject(p)
			}
		}
		return err
	})
	for _, c := range []struct {
		f    slipway.ProjectFilter
		want []slipway.TracingProject
	}{
		{slipway.ProjectFilter{}, projects[:3]},
		{slipway.ProjectFilter{Limit: 1, Offset: 1}, projects[1:2]},
		{slipway.ProjectFilter{Name: "app"}, projects[2:3]},
		{slipway.ProjectFilter{NameContains: "AP"}, projects[1:3]},
		{slipway.ProjectFilter{NameContains: "%_"}, projects[:1]},
		{slipway.ProjectFilter{NameContains: "\x00"}, nil},
		{slipway.ProjectFilter{Deployment: d.ID}, projects[2:3]},
		{slipway.ProjectFilter{Deployment: "no"}, nil},
		{slipway.ProjectFilter{IDs: []slipway.ProjectID{projects[2].ID, projects[3].ID, projects[4].ID, "no", "\xff"}}, projects[2:3]},
		{slipway.ProjectFilter{Workspace: other.ID, Name: "app"}, projects[4:5]},
	} {
		c.f.Workspace = cmp.Or(c.f.Workspace, w.workspace)
		got := read(w, func(tx slipway.Tx) ([]slipway.TracingProject, error) { return tx.ListProjects(c.f) })
		equal(t, fmt.Sprintf("%+v", c.f), got, append([]slipway.TracingProject{}, c.want...))
	}
	read(w, func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.ProjectByName(other.ID, strange) })

	due := func(now time.Time, limit int) []slipway.TracingProject {
		return read(w, func(tx slipway.Tx) ([]slipway.TracingProject, error) { return tx.ProjectsDue(now, limit) })
	}
	next := func(tx slipway.Tx) (time.Time, error) { return tx.NextProjectDue() }
	equal(t, "due too early", due(at(6), 0), []slipway.TracingProject{})
	equal(t, "due", due(at(8), 0), []slipway.TracingProject{projects[4], projects[3]})
	equal(t, "the first that is due", due(at(8), 1), projects[4:5])
	equal(t, "next", read(w, next), at(7))
	projects[3].DueAt, projects[4].DueAt = time.Time{}, time.Time{}
	w.update(func(tx slipway.Tx) error {
		return errors.Join(tx.UpdateProject(projects[3]), tx.UpdateProject(projects[4]))
	})
	equal(t, "none due", due(at(9), 0), []slipway.TracingProject{})
	equal(t, "never", read(w, next), time.Time{})
}

func testSecrets(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	vars := []slipway.SealedVar{{Name: "Z", Sealed: []byte{0, 255, 1}}, {Name: "A", Sealed: bytes.Repeat([]byte{7}, 70_000)}}
	refs := []slipway.SecretRef{{Name: "N", SecretName: "S", SecretKey: "K"}}
	full, empty := newID[slipway.SecretSetID](), newID[slipway.SecretSetID]()
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertSecretSet(d.ID, full, vars, refs); err != nil {
			return err
		}
		return tx.InsertSecretSet(d.ID, empty, nil, nil)
	})
	get := func(id slipway.SecretSetID) (v []slipway.SealedVar, r []slipway.SecretRef) {
		w.view(func(tx slipway.Tx) (err error) {
			v, r, err = tx.SecretSet(id)
			return err
		})
		return v, r
	}
	gotVars, gotRefs := get(full)
	equal(t, "variables in their order", gotVars, vars)
	equal(t, "references", gotRefs, refs)
	names := func(id slipway.SecretSetID) func(slipway.Tx) ([]string, error) {
		return func(tx slipway.Tx) ([]string, error) { return tx.SecretNames(id) }
	}
	equal(t, "names", read(w, names(full)), []string{"Z", "A"})
	absent(w, names("no"))
	gotVars, gotRefs = get(empty)
	equal(t, "of an empty set", len(gotVars)+len(gotRefs), 0)
	absent(w, func(tx slipway.Tx) ([]slipway.SecretRef, error) {
		_, refs, err := tx.SecretSet("no")
		return refs, err
	})
	w.refused(nil, func(tx slipway.Tx) error { return tx.InsertSecretSet(d.ID, full, nil, nil) })
}
