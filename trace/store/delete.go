package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	// deleteBatch is how many runs a call of DeleteProject removes: while it does,
	// nothing is written.
	deleteBatch = 1000
	// goneFor is how long runs of a deleted project are refused: longer than any is
	// on its way here whose sender has still found the project.
	goneFor = 10 * time.Minute
)

// DeleteProject removes some of a project's runs, with what belongs to them, and
// says how many are left. It is called until none are; a call that dies in the
// middle is taken up by the next. What arrives for the project from the first call
// on is refused, so that nothing is left when none are.
func (s *Store) DeleteProject(ctx context.Context, id slipway.ProjectID) (left int, err error) {
	var emptied []Date
	err = s.alone(ctx, func(ctx context.Context) error {
		s.condemn(id)
		left, emptied, err = s.deleteSome(ctx, id)
		return err
	})
	if err == nil {
		err = s.trim(ctx, emptied)
	}
	if err != nil {
		return 0, fmt.Errorf("delete runs of project %s: %w", id, err)
	}
	return left, nil
}

// trim gives back the space of what was removed from days.
func (s *Store) trim(ctx context.Context, days []Date) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	for _, d := range days {
		if err := s.engine.Trim(ctx, d); err != nil {
			return fmt.Errorf("give space back of %s: %w", d, err)
		}
	}
	return nil
}

// Expect takes runs again for a project that was deleted, and is there again.
func (s *Store) Expect(ctx context.Context, id slipway.ProjectID) error {
	return s.alone(ctx, func(context.Context) error {
		delete(s.gone, id)
		return nil
	})
}

// condemn is the writer's, as is what it changes.
func (s *Store) condemn(id slipway.ProjectID) {
	now := s.config.Now()
	maps.DeleteFunc(s.gone, func(_ slipway.ProjectID, at time.Time) bool { return now.Sub(at) > goneFor })
	s.gone[id] = now
}

// toWrite leaves out what is done, and what is for a deleted project, whose sender
// is told.
func (s *Store) toWrite(ops []*op) []*op {
	return slices.DeleteFunc(ops, func(o *op) bool {
		if o.done {
			return true
		}
		o.err = nil
		if at, gone := s.gone[o.Run.Project]; gone && s.config.Now().Sub(at) <= goneFor {
			o.err = slipway.Errorf(slipway.CodeInvalid, "Project ID %s was deleted.", o.Run.Project)
		}
		return o.err != nil
	})
}

// deleteSome removes a batch, and says from which day it was the last.
func (s *Store) deleteSome(ctx context.Context, id slipway.ProjectID) (left int, emptied []Date, err error) {
	deleted := false
	err = s.eachDay(ctx, func(k Known) (bool, error) {
		n, err := s.runsIn(ctx, k.Date, id)
		if err == nil && n.there && !deleted {
			deleted = true
			if n, err = s.deleteIn(ctx, k.Date, n.owner, id); err == nil && !n.there {
				emptied = append(emptied, k.Date)
			}
		}
		left += n.left
		return true, err
	})
	return left, emptied, err
}

// inDay is what a day has of a project.
type inDay struct {
	there bool
	left  int // runs
	owner int64
}

func (s *Store) runsIn(ctx context.Context, d Date, id slipway.ProjectID) (in inDay, err error) {
	err = s.view(ctx, d, func(t *tx) error {
		in.owner, err = t.number(string(id))
		if err != nil || in.owner == 0 {
			return err
		}
		var o total
		o, in.there, err = t.totalsOf(in.owner)
		in.left = int(o.runs + o.stubs)
		return err
	})
	return in, err
}

// deleteIn removes a batch from a day, and says what is there still.
func (s *Store) deleteIn(ctx context.Context, d Date, owner int64, id slipway.ProjectID) (inDay, error) {
	groups, err := s.batchOf(ctx, d, owner, deleteBatch)
	if err != nil {
		return inDay{}, err
	}
	if err := s.remove(ctx, d, owner, groups); err != nil {
		return inDay{}, err
	}
	return s.runsIn(ctx, d, id)
}

// batchOf names runs of a project.
func (s *Store) batchOf(ctx context.Context, d Date, owner int64, most int) (groups []*group, err error) {
	err = s.view(ctx, d, func(t *tx) error {
		return t.Query(queries["some"], [][]any{{int64(d), owner, most}}, func(_ int, scan func(...any) error) error {
			var id []byte
			var w int64
			if err := scan(&id, &w); err != nil {
				return err
			}
			groups = append(groups, &group{id: trace.ID(id), number: w})
			return nil
		})
	})
	return groups, err
}

// remove removes runs of a project, their blobs first, as the rows name them.
func (s *Store) remove(ctx context.Context, d Date, owner int64, groups []*group) error {
	var blobs []string
	err := s.view(ctx, d, func(t *tx) error {
		args := make([][]any, len(groups))
		for i, g := range groups {
			args[i] = []any{int64(d), g.id[:], g.number}
		}
		return t.Query(queries["blobs_of"], args, func(_ int, scan func(...any) error) error {
			var name string
			err := scan(&name)
			blobs = append(blobs, name)
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, name := range blobs {
		if err := s.deleteBlob(ctx, name); err != nil {
			return err
		}
	}
	return s.update(ctx, d, func(t *tx) error { return t.delete(owner, groups) })
}

// delete removes rows, and with the last of a project what is known of it.
func (t *tx) delete(owner int64, groups []*group) error {
	for _, g := range groups {
		name, err := t.name(g.number)
		if err != nil {
			return err
		}
		g.workspace = slipway.WorkspaceID(name)
	}
	held, err := t.held(groups)
	if err != nil {
		return err
	}
	held = slices.DeleteFunc(held, func(r *row) bool { return r == nil || r.project != owner })
	if err := t.usage(held); err != nil {
		return err
	}
	var args [][]any
	for _, r := range held {
		t.count(r, nil)
		args = append(args, []any{int64(t.day), r.ID[:], r.workspace})
		if (r.Usage != trace.Usage{}) {
			t.tokens.remove = append(t.tokens.remove, []any{int64(t.day), r.Run.Trace[:], r.ID[:], r.workspace})
		}
	}
	for _, name := range [...]string{"delete_blobs", "delete_attachments", "delete"} {
		if _, err := t.Exec(queries[name], args); err != nil {
			return err
		}
	}
	return t.deleteTotals(owner)
}

// deleteTotals is for a project of which no run is left.
func (t *tx) deleteTotals(owner int64) error {
	left := false
	err := t.Query(queries["some"], [][]any{{int64(t.day), owner, 1}}, func(int, func(...any) error) error {
		left = true
		return nil
	})
	if err != nil || left {
		return err
	}
	clear(t.totals)
	for _, name := range [...]string{"delete_totals", "delete_latencies"} {
		if _, err := t.Exec(queries[name], [][]any{{int64(t.day), owner}}); err != nil {
			return err
		}
	}
	return nil
}

const (
	// looseFor is how long a run waits that nobody has posted, and of which no patch
	// tells a project: longer than any post is late. Those of runs that are removed
	// already wait in vain.
	looseFor = time.Hour
	// looseBatch bounds how many of a day are known at once.
	looseBatch = 10_000
)

// looseRun is a run that belongs nowhere.
type looseRun struct {
	id        trace.ID
	workspace int64
}

// dropLoose removes runs that have waited in vain since an earlier call.
func (s *Store) dropLoose(ctx context.Context) error {
	return s.eachDay(ctx, func(k Known) (bool, error) {
		return true, s.alone(ctx, func(ctx context.Context) error { return s.dropLooseIn(ctx, k.Date, k.Strays) })
	})
}

func (s *Store) dropLooseIn(ctx context.Context, d Date, strays int) error {
	before := s.loose[d]
	delete(s.loose, d)
	if strays == 0 {
		return nil
	}
	groups, err := s.batchOf(ctx, d, 0, looseBatch)
	if err != nil || len(groups) == 0 {
		return err
	}
	now, waiting, due := s.config.Now(), map[looseRun]time.Time{}, []*group(nil)
	for _, g := range groups {
		run := looseRun{g.id, g.number}
		since, known := before[run]
		switch {
		case !known:
			waiting[run] = now
		case now.Sub(since) < looseFor:
			waiting[run] = since
		default:
			due = append(due, g)
		}
	}
	s.loose[d] = waiting
	if len(due) == 0 {
		return nil
	}
	return s.remove(ctx, d, 0, due)
}
