package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
)

var errOwn = errors.New("refused by the function")

func insertWorkspace(tx slipway.Tx, id slipway.WorkspaceID) error {
	return tx.InsertWorkspace(slipway.Workspace{ID: id, Name: string(id), CreatedAt: at(1)})
}

func testUpdate(t *testing.T, w *world) {
	kept, undone := newID[slipway.WorkspaceID](), newID[slipway.WorkspaceID]()
	w.update(func(tx slipway.Tx) error { return insertWorkspace(tx, kept) })
	w.refused(errOwn, func(tx slipway.Tx) error {
		if err := insertWorkspace(tx, undone); err != nil {
			return err
		}
		if _, err := tx.Workspace(undone); err != nil {
			return fmt.Errorf("a transaction does not see its own write: %w", err)
		}
		return errOwn
	})
	read(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(kept) })
	absent(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(undone) })
}

// Every third of many concurrent functions fails. The others' writes are kept,
// each once, and theirs are not.
func testUpdateTogether(t *testing.T, w *world) {
	const callers, rounds = 16, 12
	var g sync.WaitGroup
	for c := range callers {
		g.Go(func() {
			for i := range rounds {
				err := w.store.Update(t.Context(), func(tx slipway.Tx) error {
					if err := insertWorkspace(tx, slipway.WorkspaceID(fmt.Sprintf("%02d-%02d", c, i))); err != nil {
						return err
					}
					if (c+i)%3 == 0 {
						return errOwn
					}
					return nil
				})
				if failed := (c+i)%3 == 0; failed != errors.Is(err, errOwn) || !failed && err != nil {
					t.Errorf("%d-%d: %v", c, i, err)
				}
			}
		})
	}
	g.Wait()
	got := map[slipway.WorkspaceID]bool{}
	for _, ws := range read(w, slipway.Tx.ListWorkspaces) {
		got[ws.ID] = true
	}
	for c := range callers {
		for i := range rounds {
			id := slipway.WorkspaceID(fmt.Sprintf("%02d-%02d", c, i))
			if want := (c+i)%3 != 0; got[id] != want {
				t.Errorf("%s is there: %v", id, got[id])
			}
		}
	}
}

// A function that panics does so at its caller, and undoes its writes only.
func testUpdatePanic(t *testing.T, w *world) {
	id := newID[slipway.WorkspaceID]()
	func() {
		defer func() { equal(t, "recovered", recover(), "at once") }()
		w.update(func(tx slipway.Tx) error {
			if err := insertWorkspace(tx, id); err != nil {
				return err
			}
			panic("at once")
		})
	}()
	w.update(func(tx slipway.Tx) error { return insertWorkspace(tx, newID[slipway.WorkspaceID]()) })
	absent(w, func(tx slipway.Tx) (slipway.Workspace, error) { return tx.Workspace(id) })
}

// After a failed statement a function can not succeed, whatever it returns.
func testUpdateAfterFailure(t *testing.T, w *world) {
	id := newID[slipway.WorkspaceID]()
	w.refused(nil, func(tx slipway.Tx) error {
		if err := insertWorkspace(tx, id); err != nil {
			return err
		}
		if err := insertWorkspace(tx, w.workspace); err == nil {
			t.Error("inserted a workspace twice")
		}
		_ = insertWorkspace(tx, newID[slipway.WorkspaceID]())
		_, _ = tx.Workspace(id)
		return nil
	})
	equal(t, "workspaces", len(read(w, slipway.Tx.ListWorkspaces)), 1)
}

func testUpdateContext(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func(context.Context, func(slipway.Tx) error) error{"Update": w.store.Update, "View": w.store.View} {
		err := run(ctx, func(tx slipway.Tx) error {
			_, err := tx.Workspace(w.workspace)
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s under an ended context: %v", name, err)
		}
	}
}

func testView(t *testing.T, w *world) {
	w.view(func(tx slipway.Tx) error {
		before, err := tx.ListWorkspaces()
		if err != nil {
			return err
		}
		w.update(func(tx slipway.Tx) error { return insertWorkspace(tx, newID[slipway.WorkspaceID]()) })
		after, err := tx.ListWorkspaces()
		equal(t, "workspaces in one View", after, before)
		return err
	})
	equal(t, "workspaces in a later View", len(read(w, slipway.Tx.ListWorkspaces)), 2)
	err := w.store.View(t.Context(), func(tx slipway.Tx) error { return insertWorkspace(tx, newID[slipway.WorkspaceID]()) })
	if err == nil {
		t.Error("a View wrote")
	}
}
