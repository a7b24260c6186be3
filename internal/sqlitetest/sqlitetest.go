// Package sqlitetest gives tests an SQLite store of their own, as a copy of one
// that was migrated once: the migrations take twenty times as long as the copy.
package sqlitetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/store/sqlite"
)

// migrated is a database with the schema and without a row.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "slipway-sqlite-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "slipway.db")
	s, err := sqlite.Open(context.Background(), file)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(file + "-wal"); err == nil {
		return nil, errors.New("the database is not in one file after its close")
	}
	return os.ReadFile(file)
})

// Prepare puts a database with the schema and without a row where a store is going
// to be opened.
func Prepare(t testing.TB, file string) {
	t.Helper()
	content, err := migrated()
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		t.Fatalf("prepare a database: %v", err)
	}
}

// Folder returns a folder for a test, in memory where there is such: there a commit
// waits for no disk.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "slipway-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Open opens a store for a test, closed when it ends.
func Open(t testing.TB) *sqlite.Store {
	t.Helper()
	file := filepath.Join(Folder(t), "slipway.db")
	Prepare(t, file)
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
