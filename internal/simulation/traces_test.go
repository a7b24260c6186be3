package simulation

import (
	"context"
	"sync"

	"github.com/slipwayhq/slipway"
)

// traces are the runs of projects, some of each, which go a few at a time.
type traces struct {
	mu   sync.Mutex
	left map[slipway.ProjectID]int // of those that were to go
}

const (
	runsOfEach = 25
	runsAtOnce = 10
)

func (t *traces) DeleteProject(ctx context.Context, id slipway.ProjectID) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, seen := t.left[id]; !seen {
		t.left[id] = runsOfEach
	}
	t.left[id] = max(0, t.left[id]-runsAtOnce)
	return t.left[id], ctx.Err() // who dies here has not learnt of it
}

// check finds projects that are not gone.
func (t *traces) check(w *world) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.view(func(tx slipway.Tx) {
		for id, n := range t.left {
			if _, err := tx.Project(id); err == nil || n > 0 {
				w.fault("of project %s %d runs are left, and its row: %t", id, n, err == nil)
			}
		}
		if seen, err := tx.ListProjects(slipway.ProjectFilter{Workspace: w.who.Workspace}); err != nil || len(seen) > 0 {
			w.fault("projects are left: %+v, %v", seen, err)
		}
	})
	if len(t.left) < len(w.known()) {
		w.fault("the runs of %d projects were removed, of %d", len(t.left), len(w.known()))
	}
}
