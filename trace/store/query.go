package store

import (
	"bytes"
	"container/heap"
	"context"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	// chunk is how many runs a stream reads at once where few may match.
	chunk = 500
	// chunkHeavy is how many it reads at once with their values.
	chunkHeavy = 100
	// maxPageBytes is where a page ends that has fewer runs than it may.
	maxPageBytes = 32 << 20
	// maxAhead is how many bytes all streams together read before they are looked
	// at, about; leastAhead is what each of very many may have all the same.
	maxAhead   = 32 << 20
	leastAhead = 64 << 10
)

// Query returns a page of runs. An error with a code is for the client.
func (s *Store) Query(ctx context.Context, q trace.Query) (trace.Page, error) {
	if err := q.Check(); err != nil {
		return trace.Page{}, err
	}
	if err := s.enter(); err != nil {
		return trace.Page{}, err
	}
	defer s.running.Done()
	a := &answer{store: s, query: q, narrow: q.Narrow(), roots: map[trace.ID]bool{}}
	if err := a.find(ctx); err != nil {
		return trace.Page{}, err
	}
	return a.page, a.fill(ctx)
}

// answer is a page in the making.
type answer struct {
	store         *Store
	query, narrow trace.Query // as asked, and what the engine is asked
	filled        bool        // runs are read with the values that the page shows, not again
	page          trace.Page
	found         []found           // what the page shows, unless it is filled
	bytes         int64             // that the page has
	ahead         int64             // bytes that have been read and not looked at
	roots         map[trace.ID]bool // whether the root of a trace is as asked
}

// found is a run that matches, as far as it tells itself.
type found struct {
	trace.Cursor
	day     Date
	trace   trace.ID
	project slipway.ProjectID
}

func foundIn(d Date, r *trace.Run) found {
	return found{trace.Cursor{Start: r.Start, ID: r.ID}, d, r.Trace, r.Project}
}

// picky says whether few of the runs that are looked at may match.
func (a *answer) picky() bool {
	q := &a.query
	return q.Filter != nil || q.OfRoot != nil || q.Text != "" || q.Tag != "" || q.Error != nil || !q.Reference.IsZero()
}

func (a *answer) reads() trace.Fields {
	if a.filled {
		return a.query.Select
	}
	return a.query.Needs()
}

// find looks where the runs must be: the narrowest of what is asked.
func (a *answer) find(ctx context.Context) error {
	q := &a.narrow
	a.filled = !a.picky()
	switch {
	case len(q.IDs) > 0:
		return a.gather(ctx, func(t *tx, w int64, fn func(*trace.Run)) error {
			return t.each(queries["one"], t.named(w, q.IDs), q.Needs(), fn)
		})
	case !q.Trace.IsZero():
		return a.findInTrace(ctx, q.Trace)
	case !q.Parent.IsZero():
		parent, err := a.store.find(ctx, q.Workspace, q.Parent, 0)
		if err != nil {
			return err
		}
		if parent == nil {
			break
		}
		if seen, err := a.sees(parent.Project); err != nil {
			return err
		} else if seen {
			return a.findInTrace(ctx, parent.Trace)
		}
	}
	if len(q.Projects) == 0 {
		return slipway.Errorf(slipway.CodeInvalid, "Name what to look in: at least one of session, id, trace, or a parent_run that is there.")
	}
	return a.list(ctx)
}

// findInTrace looks through a trace, of which a page may be a small part.
func (a *answer) findInTrace(ctx context.Context, id trace.ID) error {
	return a.gather(ctx, func(t *tx, w int64, fn func(*trace.Run)) error {
		return t.each(queries["trace"], [][]any{{int64(t.day), id[:], w}}, a.query.Needs(), fn)
	})
}

// gather looks at few runs of all days, one at a time, and sorts those that match.
func (a *answer) gather(ctx context.Context, each func(t *tx, workspace int64, fn func(*trace.Run)) error) error {
	a.filled = false
	var all []found
	err := a.store.eachDay(ctx, func(k Known) (bool, error) {
		return true, a.store.view(ctx, k.Date, func(t *tx) error {
			w, err := t.number(string(a.query.Workspace))
			if err != nil || w == 0 {
				return err
			}
			return each(t, w, func(r *trace.Run) {
				if a.query.Matches(r) {
					all = append(all, foundIn(k.Date, r))
				}
			})
		})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y found) int { return a.query.Compare(x.Cursor, y.Cursor) })
	for _, f := range all {
		if a.full() {
			return nil
		}
		a.page.Next = f.Cursor
		ok, err := a.admits(ctx, f)
		if err != nil {
			return err
		}
		if ok {
			a.found = append(a.found, f)
		}
	}
	a.page.Next = trace.Cursor{}
	return nil
}

// full says whether the page ends.
func (a *answer) full() bool {
	return len(a.page.Runs)+len(a.found) == a.query.Limit || a.bytes > maxPageBytes
}

// look takes a run into the page if it matches, and says whether the page goes
// on.
func (a *answer) look(ctx context.Context, d Date, r *trace.Run) (more bool, err error) {
	if a.full() {
		return false, nil
	}
	f := foundIn(d, r)
	a.page.Next = f.Cursor
	if !a.query.Matches(r) {
		return true, nil
	}
	if ok, err := a.admits(ctx, f); err != nil || !ok {
		return true, err
	}
	if !a.filled {
		a.found = append(a.found, f)
		return true, nil
	}
	a.page.Runs = append(a.page.Runs, *r)
	a.bytes += r.Held()
	return true, nil
}

// admits says whether a run that matches is one that whoever asks sees, and of a
// trace that is asked for.
func (a *answer) admits(ctx context.Context, f found) (bool, error) {
	seen, err := a.sees(f.project)
	if err != nil || !seen || a.query.OfRoot == nil {
		return seen, err
	}
	if ok, asked := a.roots[f.trace]; asked {
		return ok, nil
	}
	root, err := a.store.find(ctx, a.query.Workspace, f.trace, a.query.OfRoot.Needs())
	if err != nil {
		return false, err
	}
	ok := false
	if root != nil && a.query.OfRoot.Holds(root) {
		ok, err = a.sees(root.Project)
	}
	a.roots[f.trace] = ok
	return ok, err
}

// sees says whether whoever asks sees a project.
func (a *answer) sees(p slipway.ProjectID) (bool, error) {
	if a.query.Sees == nil {
		return true, nil
	}
	return a.query.Sees(p)
}

// find looks for a run in all days; nil if it is in none.
func (s *Store) find(ctx context.Context, w slipway.WorkspaceID, id trace.ID, some trace.Fields) (found *trace.Run, err error) {
	err = s.eachDay(ctx, func(k Known) (bool, error) {
		err := s.view(ctx, k.Date, func(t *tx) error {
			runs, _, err := t.byID(w, []trace.ID{id}, some, maxPageBytes)
			if len(runs) > 0 {
				found = &runs[0]
			}
			return err
		})
		return found == nil, err
	})
	return found, err
}

// fill reads what the page shows, until that is too much for one.
func (a *answer) fill(ctx context.Context) error {
	if a.page.Runs == nil {
		a.page.Runs = []trace.Run{}
	}
	for len(a.found) > 0 {
		day, ids := a.found[0].day, []trace.ID(nil)
		for _, f := range a.found[:min(len(a.found), chunkHeavy)] {
			if f.day != day {
				break
			}
			ids = append(ids, f.ID)
		}
		last, whole, err := a.fillFrom(ctx, day, ids)
		if err != nil {
			return err
		}
		if a.found = a.found[len(ids):]; !whole || a.bytes > maxPageBytes && len(a.found) > 0 {
			a.page.Next = last
			return nil
		}
	}
	return nil
}

// fillFrom reads runs of a day, all unless they are too large together. Those that
// were deleted meanwhile are left out.
func (a *answer) fillFrom(ctx context.Context, d Date, ids []trace.ID) (last trace.Cursor, whole bool, err error) {
	var runs []trace.Run
	whole = true
	err = a.store.view(ctx, d, func(t *tx) error {
		runs, whole, err = t.byID(a.query.Workspace, ids, a.query.Select, maxPageBytes-a.bytes)
		return err
	})
	a.page.Runs = append(a.page.Runs, runs...)
	for i := range runs {
		a.bytes += runs[i].Held()
	}
	if n := len(a.page.Runs); n > 0 {
		last = trace.Cursor{Start: a.page.Runs[n-1].Start, ID: a.page.Runs[n-1].ID}
	}
	return last, whole, err
}

// list goes through the runs of projects in the order that is asked for, days
// together.
func (a *answer) list(ctx context.Context) error {
	days, err := a.store.engine.Days(ctx)
	if err != nil {
		return err
	}
	m := &merge{query: &a.narrow}
	for _, k := range days {
		for _, p := range a.narrow.Projects {
			m.streams = append(m.streams, newStream(&a.narrow, k, p))
		}
	}
	heap.Init(m)
	for looked := 1; len(m.streams) > 0; looked++ {
		first := m.streams[0]
		if len(first.runs) == 0 {
			if looked--; first.ended {
				heap.Pop(m)
				continue
			}
			if err := a.read(ctx, first); err != nil {
				return err
			}
			heap.Fix(m, 0)
			continue
		}
		more, err := a.look(ctx, first.day, &first.runs[0])
		if err != nil || !more || looked == a.store.config.Looks {
			return err
		}
		a.ahead -= first.runs[0].Held()
		first.runs[0] = trace.Run{} // it is not held twice
		first.runs = first.runs[1:]
		heap.Fix(m, 0)
	}
	a.page.Next = trace.Cursor{}
	return nil
}

// stream is what is left of a project's runs of a day, in the order of a query.
type stream struct {
	day     Date
	project slipway.ProjectID
	from    trace.Cursor // what is left does not come before it
	begun   bool         // from is that of a run that was read
	runs    []trace.Run  // that have been read
	ended   bool         // there is nothing but them
}

// newStream knows that nothing comes before the day's last run, or first.
func newStream(q *trace.Query, k Known, p slipway.ProjectID) *stream {
	st := &stream{day: k.Date, project: p, from: trace.Cursor{Start: moment(k.Last), ID: trace.ID(bytes.Repeat([]byte{0xff}, len(trace.ID{})))}}
	if q.Oldest {
		st.from = trace.Cursor{Start: moment(k.First)}
	}
	return st
}

// head is the first place at which there may be a run.
func (st *stream) head() trace.Cursor {
	if len(st.runs) > 0 {
		return trace.Cursor{Start: st.runs[0].Start, ID: st.runs[0].ID}
	}
	return st.from
}

// read reads more of a stream.
func (a *answer) read(ctx context.Context, st *stream) error {
	q := &a.narrow
	limit := chunk
	if a.filled {
		limit = min(q.Limit+1, chunk)
		if q.Select&trace.Heavy != 0 {
			limit = min(limit, chunkHeavy+1)
		}
	}
	after := q.After
	if st.begun {
		after = st.from
	}
	st.ended = true
	err := a.store.view(ctx, st.day, func(t *tx) error {
		n, err := t.number(string(st.project))
		if err != nil || n == 0 {
			return err
		}
		root, oldest := 0, 0
		if q.Root != nil && *q.Root {
			root = 1
		}
		if q.Oldest {
			oldest = 1
		}
		var whole bool
		st.runs, whole, err = t.runs(lists[root][oldest], [][]any{t.listed(q, n, after, limit)}, a.reads(), max(maxAhead-a.ahead, leastAhead))
		st.ended = whole && len(st.runs) < limit
		return err
	})
	for i := range st.runs {
		a.ahead += st.runs[i].Held()
	}
	if last := len(st.runs) - 1; last >= 0 {
		st.from, st.begun = trace.Cursor{Start: st.runs[last].Start, ID: st.runs[last].ID}, true
	}
	return err
}

// merge has the stream first that is next.
type merge struct {
	query   *trace.Query
	streams []*stream
}

func (m *merge) Len() int      { return len(m.streams) }
func (m *merge) Swap(i, j int) { m.streams[i], m.streams[j] = m.streams[j], m.streams[i] }
func (m *merge) Less(i, j int) bool {
	return m.query.Compare(m.streams[i].head(), m.streams[j].head()) < 0
}
func (m *merge) Push(x any) { m.streams = append(m.streams, x.(*stream)) }

func (m *merge) Pop() any {
	last := m.streams[len(m.streams)-1]
	m.streams = m.streams[:len(m.streams)-1]
	return last
}
