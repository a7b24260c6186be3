package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/slipwayhq/slipway/store"
	_ "github.com/slipwayhq/slipway/store/sqlite"
)

// A server of the first version has a workspace already. It is the one whose
// administrators administer the installation.
func TestTheFirstWorkspaceBecomesHome(t *testing.T) {
	conn, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectSQLite3, conn, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `INSERT INTO workspaces (id, name, created_at) VALUES ('b', 'second', 2), ('a', 'first', 1)`); err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context(), conn, goose.DialectSQLite3); err != nil {
		t.Fatal(err)
	}
	var id string
	if err := conn.QueryRowContext(t.Context(), `SELECT id FROM workspaces WHERE home`).Scan(&id); err != nil || id != "a" {
		t.Errorf("home is %q, %v", id, err)
	}
}
