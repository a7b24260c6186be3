package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store"
)

// explained runs queries and keeps how SQLite says that it finds their rows.
type explained struct {
	*sql.DB
	t    *testing.T
	plan []string
}

func (e *explained) explain(ctx context.Context, query string, args []any) string {
	query = strings.ReplaceAll(query, "$", "?")
	rows, err := e.DB.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		e.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			e.t.Fatal(err)
		}
		e.plan = append(e.plan, detail)
	}
	return query
}

func (e *explained) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return e.DB.QueryContext(ctx, e.explain(ctx, query, args), args...)
}

func (e *explained) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return e.DB.QueryRowContext(ctx, e.explain(ctx, query, args), args...)
}

// What is asked often, or of many rows, finds them by an index; and what skips
// rows or filters them reads nothing but the index, which it walks in the order
// that is wanted.
func TestPlans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	open(t, path) // for the schema
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	const (
		page    = "SEARCH l USING COVERING INDEX deployments_newest (workspace_id=?)"
		sorting = "USE TEMP B-TREE"
	)
	deployments := func(f slipway.DeploymentFilter) func(slipway.Tx) error {
		f.Workspace = "w"
		return func(tx slipway.Tx) error { _, err := tx.ListDeployments(f); return err }
	}
	revisions := func(f slipway.RevisionFilter) func(slipway.Tx) error {
		f.Deployment = "d"
		return func(tx slipway.Tx) error { _, err := tx.ListRevisions(f); return err }
	}
	for name, c := range map[string]struct {
		ask   func(slipway.Tx) error
		want  string
		sorts int // of whole lists; that of the rows of a page counts too
	}{
		"page":         {deployments(slipway.DeploymentFilter{Offset: 100}), "SEARCH l USING COVERING INDEX deployments_newest (workspace_id<?)", 1},
		"status":       {deployments(slipway.DeploymentFilter{Status: slipway.Ready}), page, 1},
		"type and ids": {deployments(slipway.DeploymentFilter{Type: "prod", IDs: []slipway.DeploymentID{"a"}}), page, 1},
		"reconciled":   {deployments(slipway.DeploymentFilter{Reconciled: new(true)}), page, 1},
		"contains":     {deployments(slipway.DeploymentFilter{NameContains: "a"}), page, 2},
		"name":         {deployments(slipway.DeploymentFilter{Name: "a"}), "SEARCH l USING INDEX deployments_live_name (workspace_id=? AND name=?)", 2},
		"revisions":    {revisions(slipway.RevisionFilter{Offset: 100}), "SEARCH l USING COVERING INDEX revisions_newest (deployment_id=?)", 1},
		"revisions in": {revisions(slipway.RevisionFilter{Status: slipway.Deployed}), "SEARCH l USING COVERING INDEX revisions_newest (deployment_id=?)", 1},
		"free address": {
			func(tx slipway.Tx) error { _, err := tx.DeploymentBySlug("s"); return err },
			"SEARCH deployments USING INDEX deployments_slug (slug=?)", 0,
		},
		"deleted":       {func(tx slipway.Tx) error { _, err := tx.DeletedDeployments("w", 9, 9); return err }, "INDEX deployments_deleted (workspace_id=? AND deleted_at>?)", 0},
		"to purge":      {func(tx slipway.Tx) error { _, err := tx.DeploymentsToPurge(time.Now(), 9); return err }, "INDEX deployments_purge (purge_at>? AND purge_at<?)", 0},
		"next purge":    {func(tx slipway.Tx) error { _, err := tx.NextPurge(); return err }, "INDEX deployments_purge", 0},
		"reserved name": {func(tx slipway.Tx) error { _, err := tx.SlugReserved("s", "w"); return err }, "INDEX deployments_reserved (reserved_slug=?)", 0},
		"next due": {
			func(tx slipway.Tx) error { _, err := tx.NextDue(); return err },
			"INDEX deployments_due", 0,
		},
		"due": {
			func(tx slipway.Tx) error { _, err := tx.TakeDue("o", time.Now(), time.Now(), 9); return err },
			"INDEX deployments_due (next_at>? AND next_at<?)", 1,
		},
		"due deletions": {
			func(tx slipway.Tx) error { _, err := tx.TakeDueDeletions("o", time.Now(), time.Now(), 9); return err },
			"INDEX deployments_due_deletions (next_at>? AND next_at<?)", 1,
		},
		"next deletion": {
			func(tx slipway.Tx) error { _, err := tx.NextDueDeletion(); return err },
			"INDEX deployments_due_deletions", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := &explained{DB: pool, t: t}
			_ = c.ask(store.NewTx(t.Context(), e)) // there are no rows
			plan := strings.Join(e.plan, "\n")
			if !strings.Contains(plan, c.want) || strings.Contains(plan, "SCAN d") || strings.Count(plan, sorting) > c.sorts {
				t.Errorf("want %s and at most %d sorted lists, not\n%s", c.want, c.sorts, plan)
			}
		})
	}
}
