package sqlite

// These tests reach for the connection that writes: they take its space or its
// transaction away, which nobody outside can.

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
)

func opened(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
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

func insertNamed(tx slipway.Tx, name string) error {
	return tx.InsertWorkspace(slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](time.Now()), Name: name, CreatedAt: time.Now()})
}

func (s *Store) workspaces(t *testing.T) (n int) {
	t.Helper()
	err := s.View(t.Context(), func(tx slipway.Tx) error {
		list, err := tx.ListWorkspaces()
		n = len(list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pages sets how many pages the file may have. It goes through the writer, so
// that nobody else uses the connection meanwhile.
func (s *Store) pages(t *testing.T, limit int) {
	t.Helper()
	err := s.Update(t.Context(), func(slipway.Tx) error {
		_, err := s.writer.conn.raw.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", limit))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func full(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == lib.SQLITE_FULL
}

// Without space, writes fail with the cause and reads go on. With space again,
// so do writes.
func TestFull(t *testing.T) {
	s := opened(t)
	s.pages(t, 1) // no more than it has
	big := string(make([]byte, 1<<16))
	for i := range 3 {
		var small error
		err := s.Update(t.Context(), func(tx slipway.Tx) error {
			err := insertNamed(tx, big)
			small = insertNamed(tx, "after it")
			return err
		})
		if !full(err) || small == nil {
			t.Fatalf("%d: error is %v, that of the next statement %v", i, err, small)
		}
	}
	err := s.Update(t.Context(), func(tx slipway.Tx) error {
		_ = insertNamed(tx, big)
		return nil
	})
	if !full(err) {
		t.Errorf("swallowed by the function: %v", err)
	}
	if n := s.workspaces(t); n != 0 {
		t.Errorf("%d workspaces in a full store", n)
	}
	s.pages(t, 1<<30)
	if err := s.Update(t.Context(), func(tx slipway.Tx) error { return insertNamed(tx, big) }); err != nil {
		t.Fatal(err)
	}
	if n := s.workspaces(t); n != 1 {
		t.Errorf("%d workspaces after there was space", n)
	}
}

// When the transaction is lost, all that shared it get the error, and nobody
// is told that what is not kept is.
func TestLostTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t)
		errs := together(t, s, func(i int, tx slipway.Tx) error {
			if err := insertNamed(tx, "one"); err != nil || i != callers/2 {
				return err
			}
			return s.writer.conn.control("ROLLBACK") // as SQLite does when it must
		})
		kept := 0
		for _, err := range errs {
			if err == nil {
				kept++
			}
		}
		if n := s.workspaces(t); n != kept || kept == callers {
			t.Errorf("%d are kept, %d were told so", n, kept)
		}
		if err := s.Update(t.Context(), func(tx slipway.Tx) error { return insertNamed(tx, "next") }); err != nil {
			t.Error(err)
		}
	})
}

// What waits while the writer is busy shares one transaction: the last sees
// what the others wrote while nobody outside does.
func TestSharedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t)
		var inside, outside []int
		errs := together(t, s, func(_ int, tx slipway.Tx) error {
			list, err := tx.ListWorkspaces()
			inside, outside = append(inside, len(list)), append(outside, s.workspaces(t))
			return errors.Join(err, insertNamed(tx, "one"))
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(inside, want) || !slices.Equal(outside, make([]int, callers)) {
			t.Errorf("seen inside: %v, outside: %v", inside, outside)
		}
		if n := s.workspaces(t); n != callers {
			t.Errorf("%d workspaces", n)
		}
	})
}

const callers = 8

// together runs callers that all wait behind one that holds the writer.
func together(t *testing.T, s *Store, fn func(int, slipway.Tx) error) []error {
	t.Helper()
	errs := make([]error, callers)
	hold := make(chan struct{})
	var g sync.WaitGroup
	g.Go(func() {
		_ = s.Update(t.Context(), func(slipway.Tx) error {
			<-hold
			return nil
		})
	})
	synctest.Wait()
	for i := range callers {
		g.Go(func() {
			errs[i] = s.Update(t.Context(), func(tx slipway.Tx) error { return fn(i, tx) })
		})
	}
	synctest.Wait()
	close(hold)
	g.Wait()
	return errs
}

// Work at a turn pauses between statements and before it is committed, but not while
// others wait for the writer; and what others wait for never does.
func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		atTurn, awaited bool
		pauses          bool
	}{
		"at a turn":           {atTurn: true, pauses: true},
		"others wait":         {atTurn: true, awaited: true},
		"no turn":             {},
		"no turn, and others": {awaited: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, ctx := opened(t), t.Context()
				if c.atTurn {
					own, err := turn.Of(1, turn.Limit).Take(ctx)
					if err != nil {
						t.Fatal(err)
					}
					defer own.Give()
					ctx = own.Paced(ctx)
				}
				var other sync.WaitGroup
				var took time.Duration
				var written time.Time
				err := s.Update(ctx, func(tx slipway.Tx) error {
					if c.awaited {
						other.Go(func() { _ = s.Update(t.Context(), func(tx slipway.Tx) error { return insertNamed(tx, "other") }) })
					}
					time.Sleep(10 * time.Millisecond)
					begun := time.Now()
					err := insertNamed(tx, "one")
					took, written = time.Since(begun), time.Now()
					return err
				})
				committing := time.Since(written)
				other.Wait()
				if err != nil || (took > 0) != c.pauses || (committing > 0) != c.pauses {
					t.Errorf("paused for %v in a statement, %v before the commit: %v", took, committing, err)
				}
			})
		})
	}
}
