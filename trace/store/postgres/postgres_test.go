package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/postgres"
	"github.com/slipwayhq/slipway/trace/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		pool := newPool(t)
		return storetest.Place{Open: func(t testing.TB) store.Engine { return open(t, pool) }, Blobs: blobs(t)}
	})
}

// newPool is of an empty database.
func newPool(t testing.TB) *sql.DB {
	t.Helper()
	pool, err := sql.Open("pgx", postgrestest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

func open(t testing.TB, pool *sql.DB) *postgres.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func blobs(t testing.TB) *blob.Folder {
	t.Helper()
	f, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func post(i int, w slipway.WorkspaceID, p slipway.ProjectID) trace.Op {
	id := trace.ID{1, byte(i >> 8), byte(i)}
	return trace.Op{Kind: trace.Post, Run: trace.Run{ID: id, Workspace: w, Project: p, Name: "run", Start: start.Add(time.Duration(i%3-1) * 24 * time.Hour)}}
}

// Servers that share a database begin at once and write the same runs at once,
// to days that are not there yet: each is taken once, and is counted once.
func TestServers(t *testing.T) {
	const servers, runs = 4, 60
	pool, shared := newPool(t), blobs(t)
	w, p := slipway.NewID[slipway.WorkspaceID](start), slipway.NewID[slipway.ProjectID](start)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range servers {
		all.Go(func() {
			e, err := postgres.Open(context.Background(), pool)
			if err != nil {
				t.Error(err)
				return
			}
			s := store.New(e, shared, store.Config{Now: func() time.Time { return start }})
			defer s.Close()
			for i := range runs {
				o := post(i, w, p)
				end := trace.Op{Kind: trace.Patch, Run: trace.Run{ID: o.Run.ID, Workspace: w, End: o.Run.Start.Add(time.Second)}}
				errs, err := s.Write(context.Background(), []trace.Op{end, o})
				if err != nil || errs[0] != nil {
					t.Error(errs, err)
				} else if errs[1] == nil {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	s := store.New(open(t, pool), shared, store.Config{})
	defer s.Close()
	stats, err := s.Stats(t.Context(), []slipway.ProjectID{p})
	if is := stats[p]; err != nil || taken.Load() != runs || is.Runs != runs || is.Pending != 0 {
		t.Errorf("%d runs were taken %d times, and counted as %+v, %v", runs, taken.Load(), is, err)
	}
}

// Two servers delete a project and drop days at once.
func TestServersRemove(t *testing.T) {
	pool, shared := newPool(t), blobs(t)
	w, p := slipway.NewID[slipway.WorkspaceID](start), slipway.NewID[slipway.ProjectID](start)
	now := start
	s := store.New(open(t, pool), shared, store.Config{Now: func() time.Time { return now }})
	defer s.Close()
	for i := range 30 {
		if _, err := s.Write(t.Context(), []trace.Op{post(i, w, p)}); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		other := store.New(open(t, pool), shared, store.Config{Age: 24 * time.Hour, Now: func() time.Time { return now.Add(3 * 24 * time.Hour) }})
		defer other.Close()
		all.Go(func() {
			for {
				left, err := other.DeleteProject(context.Background(), p)
				if err != nil {
					t.Error(err)
				}
				if left == 0 || err != nil {
					break
				}
			}
			if _, err := other.Retain(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if days, err := s.Days(t.Context()); len(days) > 0 || err != nil {
		t.Errorf("there is still %v, %v", days, err)
	}
	if _, err := s.Write(t.Context(), []trace.Op{post(0, w, p)}); err != nil {
		t.Errorf("a day can not be made again: %v", err)
	}
}

func TestNewerSchema(t *testing.T) {
	pool := newPool(t)
	open(t, pool)
	if _, err := pool.Exec("INSERT INTO slipway_traces.migrations (n) VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), pool); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "99") {
		t.Errorf("error is %v", err)
	}
}

// Days of before a schema was extended are brought along.
func TestOlderSchema(t *testing.T) {
	pool := newPool(t)
	e := open(t, pool)
	w, p := slipway.NewID[slipway.WorkspaceID](start), slipway.NewID[slipway.ProjectID](start)
	s := store.New(e, blobs(t), store.Config{Now: func() time.Time { return start }})
	defer s.Close()
	o := post(0, w, p)
	o.Run.Type = "llm"
	if _, err := s.Write(t.Context(), []trace.Op{o}); err != nil {
		t.Fatal(err)
	}
	const back = `SET search_path TO slipway_traces; DROP TABLE tokens; ALTER TABLE totals DROP COLUMN prompt, DROP COLUMN completion;
		DELETE FROM migrations WHERE n = 2; RESET search_path`
	if _, err := pool.Exec(back); err != nil {
		t.Fatal(err)
	}
	open(t, pool)
	o.Kind, o.Run.Usage = trace.Patch, trace.Usage{Prompt: 1, Completion: 2}
	if _, err := s.Write(t.Context(), []trace.Op{o}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Run(t.Context(), w, o.Run.ID, trace.FieldUsage); err != nil || r.Usage != o.Run.Usage {
		t.Errorf("%+v, %v", r.Usage, err)
	}
	if _, err := s.DeleteProject(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// The database is gone in the middle, and comes back.
func TestConnectionLost(t *testing.T) {
	pool := newPool(t)
	w, p := slipway.NewID[slipway.WorkspaceID](start), slipway.NewID[slipway.ProjectID](start)
	s := store.New(open(t, pool), blobs(t), store.Config{Now: func() time.Time { return start }})
	defer s.Close()
	for i := range 3 {
		if _, err := s.Write(t.Context(), []trace.Op{post(i, w, p)}); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.Query(t.Context(), trace.Query{Workspace: w, Projects: []slipway.ProjectID{p}})
	if err != nil || len(page.Runs) != 3 {
		t.Errorf("there are %d runs, %v", len(page.Runs), err)
	}
}

// Who reads for long keeps a day from being dropped, and nobody else from reading.
func TestDropWhileOneReads(t *testing.T) {
	pool := newPool(t)
	w, p := slipway.NewID[slipway.WorkspaceID](start), slipway.NewID[slipway.ProjectID](start)
	now := start
	s := store.New(open(t, pool), blobs(t), store.Config{Age: 24 * time.Hour, Now: func() time.Time { return now }})
	defer s.Close()
	if _, err := s.Write(t.Context(), []trace.Op{post(1, w, p)}); err != nil {
		t.Fatal(err)
	}
	now = start.Add(3 * 24 * time.Hour)
	reader, err := pool.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec("SELECT * FROM slipway_traces.runs"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Retain(context.Background())
		ended <- err
	}()
	testsignal.Until(t, "the day waits to be dropped", func() bool {
		var waits bool
		err := pool.QueryRow("SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() AND NOT granted AND mode = 'AccessExclusiveLock')").Scan(&waits)
		return waits && err == nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := s.Query(ctx, trace.Query{Workspace: w, Projects: []slipway.ProjectID{p}}); err != nil {
		t.Errorf("nobody else reads: %v", err)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := testsignal.Receive(t, "the end of the removal", ended); err != nil && !errors.Is(err, store.ErrBusy) {
		t.Error(err)
	}
	if _, err := s.Retain(t.Context()); err != nil {
		t.Error(err)
	}
	if days, err := s.Days(t.Context()); len(days) > 0 || err != nil {
		t.Errorf("there is still %v, %v", days, err)
	}
}
