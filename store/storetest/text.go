package storetest

import (
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
)

// strange is what PostgreSQL can not hold as text, and fixed how it comes back.
const (
	strange = "nul \x00, not UTF-8 \xff\xfe, emoji 🚢, quote ' and $1 ?1"
	fixed   = "nul \uFFFD, not UTF-8 \uFFFD, emoji 🚢, quote ' and $1 ?1"
)

// Agents write bytes, not text.
func testLogText(t *testing.T, w *world) {
	l := written(w.deployment("app", 0).ID, "r1", 1)[0]
	l.Message, l.Level, l.Origin = strange, "\x00", "\x00\xff"
	w.appendLogs(l, l)
	for _, contains := range []string{"quote ' and $1 ?1", "nul \x00,", "\xff"} {
		got := w.logs(slipway.LogQuery{Deployment: l.Deployment, Contains: contains, Level: "\x00"})
		equal(t, "message", messages(got), []string{fixed})
	}
	end := read(w, func(tx slipway.Tx) (int64, error) { return tx.LogEnd(l.Deployment, l.Origin) })
	equal(t, "end", end, l.Offset)
}

// Whatever clients and data planes put into a text can be stored, and looked for.
func testStrangeText(t *testing.T, w *world) {
	ws := slipway.Workspace{ID: newID[slipway.WorkspaceID](), Name: strange, CreatedAt: at(1)}
	w.update(func(tx slipway.Tx) error { return tx.InsertWorkspace(ws) })
	ws.Name = fixed
	equal(t, "workspace", read(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(ws.ID) }), ws)

	d := w.deployment("app", 0)
	d.DisplayName, d.Health = strange, slipway.Health{State: slipway.Unhealthy, Reason: strange, Since: at(1)}
	d.Config.CustomURL = "\x00"
	vars := []slipway.SealedVar{{Name: strange, Sealed: []byte(strange)}}
	w.update(func(tx slipway.Tx) error {
		if err := tx.UpdateDeployment(&d); err != nil {
			return err
		}
		return tx.InsertSecretSet(d.ID, "set", vars, []slipway.SecretRef{{Name: "\x00"}})
	})
	d.DisplayName, d.Health.Reason = fixed, fixed
	equal(t, "deployment", read(w, getDeployment(d.ID)), d)
	got := read(w, func(tx slipway.Tx) ([]slipway.SealedVar, error) {
		vars, _, err := tx.SecretSet("set")
		return vars, err
	})
	equal(t, "variables", got, []slipway.SealedVar{{Name: fixed, Sealed: []byte(strange)}})

	for _, f := range []slipway.DeploymentFilter{
		{Name: "\x00"},
		{NameContains: "\x00"},
		{NameContains: "\xff"},
		{Status: "\x00"},
		{Type: "\x00"},
		{IDs: []slipway.DeploymentID{"\x00", "\xff"}},
		{Workspace: "\x00"},
	} {
		if f.Workspace == "" {
			f.Workspace = w.workspace
		}
		equal(t, "list", len(w.list(f)), 0)
	}
	absent(w, getDeployment("\x00"))
	absent(w, func(tx slipway.Tx) (slipway.Key, error) { return tx.KeyByHash(string(slices.Repeat([]byte{0}, 3))) })
}
