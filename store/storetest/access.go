package storetest

import (
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

func testWorkspaceDelete(t *testing.T, w *world) {
	home := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "home", Home: true, CreatedAt: at(1)}
	filled(t, reflect.ValueOf(home), "Workspace")
	w.update(func(tx slipway.Tx) error { return tx.InsertWorkspace(home) })
	w.refused(nil, func(tx slipway.Tx) error {
		return tx.InsertWorkspace(slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "another", Home: true})
	})
	w.update(func(tx slipway.Tx) error { return tx.RenameWorkspace(home.ID, "house") })
	home.Name = "house"
	equal(t, "renamed", read(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(home.ID) }), home)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.RenameWorkspace("no", "x") })

	d := w.deployment("app", 0)
	listener := slipway.Listener{ID: newID[slipway.ListenerID](), Workspace: w.workspace, ComputeType: "k8s", ComputeID: "c", CreatedAt: at(1)}
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertProject(slipway.TracingProject{ID: newID[slipway.ProjectID](), Workspace: w.workspace, Name: "p", Deployment: d.ID}); err != nil {
			return err
		}
		if err := tx.InsertListener(listener); err != nil {
			return err
		}
		if err := tx.InsertKey(slipway.Key{ID: newID[slipway.KeyID](), Workspace: w.workspace, Hash: "aa"}); err != nil {
			return err
		}
		return tx.InsertKey(slipway.Key{ID: newID[slipway.KeyID](), Workspace: home.ID, Hash: "bb"})
	})
	left := func(tx slipway.Tx) (slipway.Remains, error) { return tx.WorkspaceRemains(w.workspace) }
	equal(t, "remains", read(w, left), slipway.Remains{Deployments: 1, Listeners: 1, Projects: 1})
	equal(t, "remains elsewhere", read(w, func(tx slipway.Tx) (slipway.Remains, error) { return tx.WorkspaceRemains(home.ID) }), slipway.Remains{})
	w.refused(nil, func(tx slipway.Tx) error { return tx.DeleteWorkspace(w.workspace) })

	w.update(func(tx slipway.Tx) error { return tx.DeleteDeployment(d.ID) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteListener(listener.ID) })
	equal(t, "what a deployment leaves", read(w, left), slipway.Remains{Projects: 1})
	p := read(w, func(tx slipway.Tx) (slipway.TracingProject, error) { return tx.ProjectByName(w.workspace, "p") })
	w.update(func(tx slipway.Tx) error { return tx.DeleteProject(p.ID) })
	w.update(func(tx slipway.Tx) error { return tx.DeleteWorkspace(w.workspace) })
	absent(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(w.workspace) })
	absent(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.KeyByHash("aa") })
	read(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.KeyByHash("bb") })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.DeleteWorkspace("no") })
}

func testKeyLists(t *testing.T, w *world) {
	other := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "other", CreatedAt: at(1)}
	d := w.deployment("app", 0)
	keys := []slipway.Key{
		{ID: newID[slipway.KeyID](), Hash: "organisation", CreatedAt: at(4)},
		{ID: newID[slipway.KeyID](), Hash: "other", Workspace: other.ID, CreatedAt: at(3)},
		{ID: newID[slipway.KeyID](), Hash: "new", Workspace: w.workspace, CreatedAt: at(2), RevokedAt: at(3)},
		{ID: newID[slipway.KeyID](), Hash: "old", Workspace: w.workspace, CreatedAt: at(1)},
		{ID: newID[slipway.KeyID](), Hash: "agent", Workspace: w.workspace, Deployment: d.ID, CreatedAt: at(0)},
	}
	w.update(func(tx slipway.Tx) error {
		err := tx.InsertWorkspace(other)
		for _, k := range keys {
			if err == nil {
				err = tx.InsertKey(k)
			}
		}
		return err
	})
	for _, c := range []struct {
		f    slipway.KeyFilter
		want []slipway.Key
	}{
		{slipway.KeyFilter{}, keys},
		{slipway.KeyFilter{Workspace: w.workspace}, keys[2:]},
		{slipway.KeyFilter{Workspace: w.workspace, Limit: 1}, keys[2:3]},
		{slipway.KeyFilter{Workspace: w.workspace, Limit: 5, Offset: 1}, keys[3:]},
		{slipway.KeyFilter{Limit: 2, Offset: 1}, keys[1:3]},
		{slipway.KeyFilter{Workspace: "no"}, []slipway.Key{}},
	} {
		equal(t, "keys", read(w, func(tx slipway.Tx) ([]slipway.Key, error) { return tx.ListKeys(c.f) }), c.want)
	}
	equal(t, "key", read(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.Key(keys[2].ID) }), keys[2])
	absent(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.Key("no") })
}

func testAdminKeys(t *testing.T, w *world) {
	home := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "home", Home: true, CreatedAt: at(1)}
	w.update(func(tx slipway.Tx) error { return tx.InsertWorkspace(home) })
	d := w.deployment("app", 0)
	admin := []slipway.Scope{slipway.ScopeRead, slipway.ScopeAdmin}
	for name, c := range map[string]struct {
		key   slipway.Key
		count int
	}{
		"of the organisation":      {slipway.Key{Scopes: admin}, 1},
		"of home":                  {slipway.Key{Workspace: home.ID, Scopes: admin}, 1},
		"that ends later":          {slipway.Key{Scopes: admin, ExpiresAt: at(101)}, 1},
		"that ended":               {slipway.Key{Scopes: admin, ExpiresAt: at(100)}, 0},
		"revoked":                  {slipway.Key{Scopes: admin, RevokedAt: at(1)}, 0},
		"of another workspace":     {slipway.Key{Workspace: w.workspace, Scopes: admin}, 0},
		"without scope":            {slipway.Key{Workspace: home.ID, Scopes: []slipway.Scope{slipway.ScopeRead}}, 0},
		"with a scope that is not": {slipway.Key{Scopes: []slipway.Scope{"administrate"}}, 0},
		"of an agent":              {slipway.Key{Workspace: home.ID, Deployment: d.ID, Scopes: admin}, 0},
	} {
		c.key.ID, c.key.Hash = newID[slipway.KeyID](), name
		before := w.adminKeys()
		w.update(func(tx slipway.Tx) error { return tx.InsertKey(c.key) })
		if got := w.adminKeys() - before; got != c.count {
			t.Errorf("a key %s counts %d, want %d", name, got, c.count)
		}
		if c.key.RevokedAt.IsZero() && (c.key.ExpiresAt.IsZero() || c.key.ExpiresAt.After(at(100))) && c.key.Administers(home.ID) != (c.count == 1) {
			t.Errorf("a key %s: the domain disagrees", name)
		}
	}
}

func (w *world) adminKeys() int {
	w.Helper()
	return read(w, func(tx slipway.Tx) (int, error) { return tx.CountAdminKeys(at(100)) })
}

func testAudit(t *testing.T, w *world) {
	first := slipway.AuditEvent{
		ID: newID[slipway.AuditID](), At: at(1), Workspace: "gone", Key: "k", Subject: "s",
		Action: slipway.AuditSecretsRead, Target: "d",
	}
	filled(t, reflect.ValueOf(first), "AuditEvent")
	second := slipway.AuditEvent{ID: newID[slipway.AuditID](), At: at(2), Action: slipway.AuditKeyCreated}
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertAuditEvent(second); err != nil {
			return err
		}
		return tx.InsertAuditEvent(first)
	})
	list := func(limit, offset int) []slipway.AuditEvent {
		return read(w, func(tx slipway.Tx) ([]slipway.AuditEvent, error) { return tx.ListAuditEvents(limit, offset) })
	}
	equal(t, "events", list(0, 0), []slipway.AuditEvent{second, first})
	equal(t, "newest event", list(1, 0), []slipway.AuditEvent{second})
	equal(t, "older events", list(5, 1), []slipway.AuditEvent{first})
}
