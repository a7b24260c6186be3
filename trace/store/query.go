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
	days          []Date // of its runs
	bytes         int64
	roots         map[trace.ID]bool // whether the root of a trace is as asked
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
		return a.gather(ctx, func(t *tx) ([]trace.Run, error) { return t.byID(q.Workspace, q.IDs, a.reads()) })
	case !q.Trace.IsZero():
		return a.findInTrace(ctx, q.Trace)
	case !q.Parent.IsZero():
		parent, err := a.store.find(ctx, q.Workspace, q.Parent, 0)
		if err != nil {
			return err
		}
		if ok, err := a.sees(parent); err != nil {
			return err
		} else if ok {
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
	a.filled = false
	return a.gather(ctx, func(t *tx) ([]trace.Run, error) {
		n, err := t.number(string(a.query.Workspace))
		if err != nil || n == 0 {
			return nil, err
		}
		return t.runs(queries["trace"], [][]any{{int64(t.day), id[:], n}}, a.reads())
	})
}

// gather reads few runs of all days, and sorts them.
func (a *answer) gather(ctx context.Context, read func(*tx) ([]trace.Run, error)) error {
	var all []listed
	err := a.store.eachDay(ctx, func(k Known) (bool, error) {
		return true, a.store.view(ctx, k.Date, func(t *tx) error {
			runs, err := read(t)
			for _, r := range runs {
				all = append(all, listed{r, k.Date})
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y listed) int { return a.query.Compare(x.at(), y.at()) })
	for _, l := range all {
		more, err := a.look(ctx, l)
		if err != nil || !more {
			return err
		}
	}
	a.page.Next = trace.Cursor{}
	return nil
}

// listed is a run and the day it is kept in.
type listed struct {
	trace.Run
	day Date
}

func (l *listed) at() trace.Cursor { return trace.Cursor{Start: l.Start, ID: l.ID} }

// look takes a run into the page if it matches, and says whether the page goes
// on.
func (a *answer) look(ctx context.Context, l listed) (more bool, err error) {
	if len(a.page.Runs) == a.query.Limit || a.bytes > maxPageBytes {
		return false, nil
	}
	a.page.Next = l.at()
	if !a.query.Matches(&l.Run) {
		return true, nil
	}
	if ok, err := a.sees(&l.Run); err != nil || !ok {
		return true, err
	}
	if ok, err := a.rootMatches(ctx, &l.Run); err != nil || !ok {
		return true, err
	}
	a.page.Runs, a.days = append(a.page.Runs, l.Run), append(a.days, l.day)
	for _, c := range heavy {
		a.bytes += int64(len(c.of(&l.Run).Inline))
	}
	return true, nil
}

func (a *answer) rootMatches(ctx context.Context, r *trace.Run) (bool, error) {
	if a.query.OfRoot == nil {
		return true, nil
	}
	if ok, asked := a.roots[r.Trace]; asked {
		return ok, nil
	}
	found, err := a.store.find(ctx, r.Workspace, r.Trace, a.query.OfRoot.Needs())
	if err != nil {
		return false, err
	}
	ok, err := a.sees(found)
	ok = ok && a.query.OfRoot.Holds(found)
	a.roots[r.Trace] = ok
	return ok, err
}

// sees says whether a run is there, which may be nil, for whoever asks.
func (a *answer) sees(r *trace.Run) (bool, error) {
	if r == nil || a.query.Sees == nil {
		return r != nil, nil
	}
	return a.query.Sees(r.Project)
}

// find looks for a run in all days; nil if it is in none.
func (s *Store) find(ctx context.Context, w slipway.WorkspaceID, id trace.ID, some trace.Fields) (found *trace.Run, err error) {
	err = s.eachDay(ctx, func(k Known) (bool, error) {
		err := s.view(ctx, k.Date, func(t *tx) error {
			runs, err := t.byID(w, []trace.ID{id}, some)
			if len(runs) > 0 {
				found = &runs[0]
			}
			return err
		})
		return found == nil, err
	})
	return found, err
}

// fill reads the values that the page shows.
func (a *answer) fill(ctx context.Context) error {
	if a.page.Runs == nil {
		a.page.Runs = []trace.Run{}
	}
	if a.filled {
		return nil
	}
	byDay := map[Date][]trace.ID{}
	for i := range a.page.Runs {
		byDay[a.days[i]] = append(byDay[a.days[i]], a.page.Runs[i].ID)
	}
	full := map[trace.ID]trace.Run{}
	for d, ids := range byDay {
		err := a.store.view(ctx, d, func(t *tx) error {
			runs, err := t.byID(a.query.Workspace, ids, a.query.Select)
			for _, r := range runs {
				full[r.ID] = r
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// One that was deleted meanwhile is left out.
	a.page.Runs = slices.DeleteFunc(a.page.Runs, func(r trace.Run) bool { _, ok := full[r.ID]; return !ok })
	for i, r := range a.page.Runs {
		a.page.Runs[i] = full[r.ID]
	}
	return nil
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
		more, err := a.look(ctx, listed{first.runs[0], first.day})
		if err != nil || !more || looked == a.store.config.Looks {
			return err
		}
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
		st.runs, err = t.runs(lists[root][oldest], [][]any{t.listed(q, n, after, limit)}, a.reads())
		st.ended = len(st.runs) < limit
		return err
	})
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
