package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

const today = store.Date(20_500)

func nothing(store.Tx) error { return nil }

// own writes an owner.
func own(name string) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO owners (id) VALUES ($1)", [][]any{{name}})
		return err
	}
}

// owns are the owners of a day.
func owns(t *testing.T, e *sqlite.Engine, d store.Date) (names []string) {
	t.Helper()
	err := e.View(t.Context(), d, func(tx store.Tx) error {
		return tx.Query("SELECT id FROM owners ORDER BY id", [][]any{{}}, func(_ int, scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchema(t *testing.T) {
	folder := t.TempDir()
	e := open(t, folder)
	must(t, e.Update(t.Context(), today, nothing))
	must(t, e.Close())
	file := filepath.Join(folder, today.String()+".db")
	db, err := sql.Open("sqlite", file)
	must(t, err)
	_, err = db.Exec("PRAGMA user_version = 99")
	must(t, errors.Join(err, db.Close()))
	before, err := os.ReadFile(file)
	must(t, err)
	_, err = sqlite.Open(t.Context(), folder)
	if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "99") {
		t.Errorf("error is %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed: %v", err)
	}
}

// Days of before a schema was extended are brought along.
func TestOlderSchema(t *testing.T) {
	folder := t.TempDir()
	e := open(t, folder)
	must(t, e.Update(t.Context(), today, own("old")))
	must(t, e.Close())
	db, err := sql.Open("sqlite", filepath.Join(folder, today.String()+".db"))
	must(t, err)
	_, err = db.Exec("DROP TABLE tokens; ALTER TABLE totals DROP COLUMN prompt; ALTER TABLE totals DROP COLUMN completion; PRAGMA user_version = 1")
	must(t, errors.Join(err, db.Close()))
	e = open(t, folder)
	defer e.Close()
	must(t, e.Update(t.Context(), today, func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO tokens (day, trace, run, workspace, prompt, completion) SELECT $1, x'00', x'01', n, 1, 2 FROM owners", [][]any{{int64(today)}})
		return err
	}))
	if names := owns(t, e, today); len(names) != 1 {
		t.Errorf("owners are %v", names)
	}
}

// A removal that was begun is ended at the next start, and what its log held does
// not come back in a new file of that day.
func TestRemovalThatDied(t *testing.T) {
	folder := t.TempDir()
	e := open(t, folder)
	must(t, e.Update(t.Context(), today, own("old")))
	file := filepath.Join(folder, today.String()+".db")
	wal, err := os.ReadFile(file + "-wal")
	must(t, err)
	must(t, e.Close())
	must(t, os.Rename(file, file+".gone"))
	must(t, os.WriteFile(file+"-wal", wal, 0o600))
	e = open(t, folder)
	defer e.Close()
	entries, err := os.ReadDir(folder)
	must(t, err)
	if len(entries) > 0 {
		t.Errorf("there is %v", entries)
	}
	must(t, e.Update(t.Context(), today, own("new")))
	if names := owns(t, e, today); len(names) != 1 {
		t.Errorf("owners are %v", names)
	}
}

// Who reads a day that is dropped meanwhile reads it to its end; nobody begins to.
// What is written to it meanwhile is in a new one.
func TestDropWhileRead(t *testing.T) {
	folder := t.TempDir()
	e := open(t, folder)
	defer e.Close()
	must(t, e.Update(t.Context(), today, own("old")))
	reads, dropped, written, ended := make(chan struct{}), make(chan error, 1), make(chan error, 1), make(chan error, 1)
	var names []string
	go func() {
		ended <- e.View(t.Context(), today, func(tx store.Tx) error {
			return tx.Query("SELECT id FROM owners UNION ALL SELECT 'again' FROM owners", [][]any{{}}, func(_ int, scan func(...any) error) error {
				reads <- struct{}{}
				reads <- struct{}{}
				var name string
				err := scan(&name)
				names = append(names, name)
				return err
			})
		})
	}()
	testsignal.Receive(t, "the first row", reads)
	go func() { dropped <- e.Drop(t.Context(), today) }()
	testsignal.Until(t, "a drop that waits", func() bool {
		known, err := e.Days(t.Context())
		return err == nil && len(known) == 0
	})
	if begun := owns(t, e, today); begun != nil {
		t.Errorf("read %v of a day that is being dropped", begun)
	}
	go func() { written <- e.Update(t.Context(), today, own("new")) }()
	for range 3 { // of its two rows
		testsignal.Receive(t, "what is read", reads)
	}
	for what, c := range map[string]chan error{"reading": ended, "the drop": dropped, "writing": written} {
		if err := testsignal.Receive(t, what, c); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !slices.Equal(names, []string{"old", "again"}) {
		t.Errorf("read %v", names)
	}
	if there := owns(t, e, today); !slices.Equal(there, []string{"new"}) {
		t.Errorf("there is %v after the drop", there)
	}
	must(t, e.Drop(t.Context(), today))
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

// Many days are more than are open at once.
func TestManyDays(t *testing.T) {
	folder := t.TempDir()
	e := open(t, folder)
	const days = 22
	for round := range 2 {
		for d := range days {
			must(t, e.Update(t.Context(), today+store.Date(d), own(fmt.Sprint(round, "-", d))))
		}
	}
	for d := range days {
		if names := owns(t, e, today+store.Date(d)); len(names) != 2 {
			t.Errorf("owners of day %d are %v", d, names)
		}
	}
	logs, err := filepath.Glob(filepath.Join(folder, "*-wal"))
	must(t, err)
	if len(logs) > 20 {
		t.Errorf("%d days are open", len(logs))
	}
	must(t, e.Close())
	e = open(t, folder)
	defer e.Close()
	known, err := e.Days(t.Context())
	if len(known) != days || err != nil {
		t.Errorf("there are %d days, %v", len(known), err)
	}
}

// When the disk is full nothing of a transaction is kept, and once there is space
// the store goes on.
func TestFull(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	limit := func(pages int) {
		t.Helper()
		must(t, e.Update(t.Context(), today, func(tx store.Tx) error {
			return tx.Query(fmt.Sprintf("PRAGMA max_page_count = %d", pages), [][]any{{}}, func(int, func(...any) error) error { return nil })
		}))
	}
	must(t, e.Update(t.Context(), today, own("before")))
	limit(1)
	err := e.Update(t.Context(), today, func(tx store.Tx) error {
		return errors.Join(own("during")(tx), own(strings.Repeat("long", 1<<20))(tx))
	})
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("error is %v", err)
	}
	limit(1 << 20)
	must(t, e.Update(t.Context(), today, own("then")))
	if names := owns(t, e, today); strings.Join(names, " ") != "before then" {
		t.Errorf("owners are %v", names)
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]store.Date{"1970-01-01T00:00:00Z": 0, "1969-12-31T23:59:59Z": -1, "2026-02-16T23:59:59Z": today, "2026-02-17T01:00:00+02:00": today} {
		at, err := time.Parse(time.RFC3339, text)
		must(t, err)
		if d := store.DateOf(at); d != want {
			t.Errorf("%s is %d (%s), want %d", text, d, d, want)
		}
	}
}
