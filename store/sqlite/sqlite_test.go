package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/sqlitetest"
	"github.com/slipwayhq/slipway/store"
	"github.com/slipwayhq/slipway/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) slipway.Store { return sqlitetest.Open(t) })
}

func insert(id string) func(slipway.Tx) error {
	return func(tx slipway.Tx) error {
		return tx.InsertWorkspace(slipway.Workspace{ID: slipway.WorkspaceID(id), CreatedAt: now})
	}
}

// stored returns the ids of the workspaces.
func stored(t testing.TB, s slipway.Store) (ids []string) {
	t.Helper()
	err := s.View(t.Context(), func(tx slipway.Tx) error {
		list, err := tx.ListWorkspaces()
		for _, w := range list {
			ids = append(ids, string(w.ID))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// occupy keeps the writer busy until the function that it returns is called.
func occupy(t testing.TB, s slipway.Store) (let func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	var g sync.WaitGroup
	g.Go(func() {
		err := s.Update(t.Context(), func(slipway.Tx) error {
			close(begun)
			<-end
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	return func() {
		close(end)
		g.Wait()
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?c#d&e=f", "slipway ü.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	update(t, s, insert("kept"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files after Close: %v, %v", files, err)
	}
	if ids := stored(t, open(t, path)); len(ids) != 1 {
		t.Errorf("workspaces after reopening: %v", ids)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "text")
	if err := os.WriteFile(other, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "no", "such", "folder"), dir, other} {
		if s, err := sqliteOpen(t, path); err == nil {
			t.Errorf("opened %s", path)
			s.Close()
		}
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	s := open(t, path)
	update(t, s, insert("kept"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw := func(statement string) {
		t.Helper()
		pool, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	raw("INSERT INTO goose_db_version (version_id, is_applied) VALUES (7000, 1)")
	_, err := sqliteOpen(t, path)
	if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "schema 7000, this one knows ") {
		t.Errorf("error is %v", err)
	}
	raw("DELETE FROM goose_db_version WHERE version_id = 7000")
	if ids := stored(t, open(t, path)); len(ids) != 1 {
		t.Errorf("workspaces after the refusal: %v", ids)
	}
}

func TestClose(t *testing.T) {
	s := sqlitetest.Open(t)
	let := occupy(t, s)
	waiting := make(chan error)
	go func() { waiting <- s.Update(context.Background(), insert("late")) }()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	// It waits behind the writer: only the end of the store frees it.
	if err := <-waiting; !errors.Is(err, store.ErrClosed) {
		t.Errorf("waiting update: %v", err)
	}
	let()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	nothing := func(slipway.Tx) error { return nil }
	if err := s.Update(t.Context(), nothing); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if err := s.View(t.Context(), nothing); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View: %v", err)
	}
}

// A caller that gives up while it waits is not run, and the others are.
func TestGiveUp(t *testing.T) {
	s := sqlitetest.Open(t)
	let := occupy(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp, stayed := make(chan error), make(chan error)
	go func() { gaveUp <- s.Update(ctx, insert("gave up")) }()
	go func() { stayed <- s.Update(t.Context(), insert("stayed")) }()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	let()
	if err := <-stayed; err != nil {
		t.Error(err)
	}
	if ids := stored(t, s); len(ids) != 1 || ids[0] != "stayed" {
		t.Errorf("stored: %v", ids)
	}
}

// From its turn on, a function's context does not stop it.
func TestCancelDuring(t *testing.T) {
	s := sqlitetest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx slipway.Tx) error {
		cancel()
		return insert("done")(tx)
	})
	if ids := stored(t, s); err != nil || len(ids) != 1 {
		t.Errorf("error is %v, stored: %v", err, ids)
	}
}

func TestGoexit(t *testing.T) {
	s := sqlitetest.Open(t)
	var g sync.WaitGroup
	g.Go(func() {
		_ = s.Update(t.Context(), func(tx slipway.Tx) error {
			if err := insert("gone")(tx); err != nil {
				t.Error(err)
			}
			runtime.Goexit()
			return nil
		})
	})
	g.Wait()
	update(t, s, insert("next"))
	if ids := stored(t, s); len(ids) != 1 || ids[0] != "next" {
		t.Errorf("stored: %v", ids)
	}
}

// What an older server wrote is listed as what this one writes.
func TestMigrateNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := goose.NewProvider(goose.DialectSQLite3, pool, os.DirFS("../migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO workspaces VALUES ('w', 'w', 1)",
		"INSERT INTO deployments VALUES ('d', 'w', 'n', '', 's', '', '', '', '', '', '', 'set', '', 'READY', '', '', '', '', 0, 0, 1, 1, 0, 0, 0, NULL, '', 0, 0)",
		"INSERT INTO secret_sets VALUES ('set', 'd', '[]'), ('empty', 'd', '[]')",
		"INSERT INTO secret_values VALUES ('set', 1, 'A', 'x'), ('set', 0, 'Z', 'x')",
	} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	err = open(t, path).View(t.Context(), func(tx slipway.Tx) error {
		v, err := tx.DeploymentView("d")
		if !slices.Equal(v.Variables, []string{"Z", "A"}) {
			t.Errorf("variables are %q", v.Variables)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
