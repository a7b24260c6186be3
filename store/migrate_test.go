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

// earlier is a database of an earlier version.
func earlier(t *testing.T, version int64) *sql.DB {
	conn, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	provider, err := goose.NewProvider(goose.DialectSQLite3, conn, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A server of the first version has a workspace already. It is the one whose
// administrators administer the installation.
func TestTheFirstWorkspaceBecomesHome(t *testing.T) {
	conn := earlier(t, 1)
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

// A server of an earlier version gave a deployment's id to another one for its
// public name. That one loses it, and nobody else anything.
func TestIDsAreNoNames(t *testing.T) {
	conn := earlier(t, 26)
	const victim, thief, deleted = "0199aaaa-0000-7000-8000-000000000001", "0199aaaa-0000-7000-8000-000000abcdef", "0199aaaa-0000-7000-8000-000000000003"
	slugs := map[string]string{victim: "app", thief: victim, deleted: deleted}
	if _, err := conn.ExecContext(t.Context(), `INSERT INTO workspaces (id, name, created_at) VALUES ('w', 'w', 1)`); err != nil {
		t.Fatal(err)
	}
	for id, slug := range slugs {
		_, err := conn.ExecContext(t.Context(), `INSERT INTO deployments (
			id, workspace_id, name, display_name, slug, source, deployment_type, repo_url, listener_id, config, revision_config,
			secret_set_id, project_id, status, latest_revision_id, active_revision_id, health_state, health_reason, health_since,
			delete_project, created_at, updated_at, generation, version, observed_generation
		) VALUES ($1, 'w', $1, '', $2, '', '', '', '', '{}', '{}', '', '', 'READY', '', '', '', '', 0, FALSE, 1, 1, 1, 1, 1)`, id, slug)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Migrate(t.Context(), conn, goose.DialectSQLite3); err != nil {
		t.Fatal(err)
	}
	slugs[thief] = victim + "-abcdef"
	for id, want := range slugs {
		var slug string
		if err := conn.QueryRowContext(t.Context(), `SELECT slug FROM deployments WHERE id = $1`, id).Scan(&slug); err != nil || slug != want {
			t.Errorf("%s has %q, %v, want %q", id, slug, err, want)
		}
	}
}
