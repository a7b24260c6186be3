package storetest

import (
	"reflect"
	"testing"

	"github.com/slipwayhq/slipway"
)

func testWorkspaces(t *testing.T, w *world) {
	second := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: "second", CreatedAt: at(1)}
	w.update(func(tx slipway.Tx) error { return tx.InsertWorkspace(second) })
	got := read(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(second.ID) })
	equal(t, "workspace", got, second)
	first := slipway.Workspace{ID: w.workspace, Name: "first", CreatedAt: at(0)}
	equal(t, "workspaces", read(w, slipway.Tx.ListWorkspaces), []slipway.Workspace{first, second})
	absent(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace("no") })
}

func testKeys(t *testing.T, w *world) {
	d := w.deployment("app", 0)
	key := slipway.Key{
		ID: newID[slipway.KeyID](), Workspace: w.workspace, Name: "ci", Hash: "aa", Deployment: d.ID, Sealed: []byte{0, 255},
		Scopes: slipway.DefaultScopes(), CreatedAt: at(1), ExpiresAt: at(2), RevokedAt: at(3), LastUsedAt: at(4),
	}
	filled(t, reflect.ValueOf(key), "Key")
	bare := slipway.Key{ID: newID[slipway.KeyID](), Hash: "bb", CreatedAt: at(1)}
	w.update(func(tx slipway.Tx) error {
		if err := tx.InsertKey(key); err != nil {
			return err
		}
		return tx.InsertKey(bare)
	})
	byHash := func(hash string) func(slipway.Tx) (slipway.Key, error) {
		return func(tx slipway.Tx) (slipway.Key, error) { return tx.KeyByHash(hash) }
	}
	equal(t, "key", read(w, byHash("aa")), key)
	equal(t, "key of the organisation", read(w, byHash("bb")), bare)
	absent(w, byHash("cc"))
	w.refused(nil, func(tx slipway.Tx) error {
		return tx.InsertKey(slipway.Key{ID: newID[slipway.KeyID](), Hash: "aa", CreatedAt: at(1)})
	})

	agents := func(tx slipway.Tx) (slipway.Key, error) { return tx.AgentKey(d.ID) }
	absent(w, agents) // it is revoked
	for _, k := range []slipway.Key{
		{ID: newID[slipway.KeyID](), Hash: "old", Deployment: d.ID, Sealed: []byte{1}, CreatedAt: at(2)},
		{ID: newID[slipway.KeyID](), Hash: "new", Deployment: d.ID, Sealed: []byte{2}, CreatedAt: at(3)},
		{ID: newID[slipway.KeyID](), Hash: "not sealed", Deployment: d.ID, CreatedAt: at(4)},
	} {
		w.update(func(tx slipway.Tx) error { return tx.InsertKey(k) })
	}
	equal(t, "the agent's key", read(w, agents).Hash, "new")
	absent(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.AgentKey("no") })

	w.update(func(tx slipway.Tx) error { return tx.RevokeKey(bare.ID, at(9)) })
	w.update(func(tx slipway.Tx) error { return tx.RevokeKey(bare.ID, at(10)) })
	w.update(func(tx slipway.Tx) error { return tx.TouchKey(bare.ID, at(8)) })
	w.update(func(tx slipway.Tx) error { return tx.TouchKey(bare.ID, at(7)) })
	bare.RevokedAt, bare.LastUsedAt = at(9), at(8)
	equal(t, "revoked key", read(w, byHash("bb")), bare)
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.RevokeKey("no", at(1)) })
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error { return tx.TouchKey("no", at(1)) })

	w.update(func(tx slipway.Tx) error {
		n, err := tx.DeleteDeploymentKeys(d.ID)
		equal(t, "keys deleted", n, 4)
		return err
	})
	absent(w, byHash("aa"))
	read(w, byHash("bb"))
}
