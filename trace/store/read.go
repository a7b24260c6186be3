package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// Run returns a run with some of its heavy fields. The error is slipway.ErrNoRow
// if it was not posted in the workspace.
func (s *Store) Run(ctx context.Context, w slipway.WorkspaceID, id trace.ID, some trace.Fields) (trace.Run, error) {
	page, err := s.Query(ctx, trace.Query{Workspace: w, IDs: []trace.ID{id}, Limit: 1, Select: some})
	if err != nil {
		return trace.Run{}, err
	}
	if len(page.Runs) == 0 {
		return trace.Run{}, slipway.ErrNoRow
	}
	return page.Runs[0], nil
}

// Trace returns all runs of a trace as their tree, depth first, with neither values,
// errors nor tags; each has an order, also where none was sent. It is empty if
// there are none. Those that are not seen, see trace.Query, are as if they were not
// there.
func (s *Store) Trace(ctx context.Context, w slipway.WorkspaceID, id trace.ID, sees func(slipway.ProjectID) (bool, error)) ([]trace.Run, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.running.Done()
	runs := []trace.Run{}
	err := s.eachDay(ctx, func(k Known) (bool, error) {
		return true, s.view(ctx, k.Date, func(t *tx) error {
			n, err := t.number(string(w))
			if err != nil || n == 0 {
				return err
			}
			return t.each(queries["trace"], [][]any{{int64(t.day), id[:], n}}, 0, func(r *trace.Run) {
				r.Error, r.Tags = "", nil
				runs = append(runs, *r)
			})
		})
	})
	if sees != nil {
		runs = slices.DeleteFunc(runs, func(r trace.Run) bool {
			if err != nil {
				return true
			}
			var seen bool
			seen, err = sees(r.Project)
			return !seen
		})
	}
	trace.Arrange(runs)
	return runs, err
}

// eachDay goes through the days, newest first, while fn says so.
func (s *Store) eachDay(ctx context.Context, fn func(Known) (bool, error)) error {
	days, err := s.engine.Days(ctx)
	if err != nil {
		return fmt.Errorf("list days of traces: %w", err)
	}
	for _, k := range slices.Backward(days) {
		if more, err := fn(k); err != nil || !more {
			return err
		}
	}
	return nil
}

// each calls fn for runs with some of their heavy columns. It holds one at a time,
// and fn asks nothing of the transaction.
func (t *tx) each(query string, args [][]any, some trace.Fields, fn func(*trace.Run)) error {
	var later []*row // whose owners are to be asked for
	err := t.rows(query, args, some, func(r *row) error {
		if t.owners.names[r.workspace] == "" || t.owners.names[r.project] == "" && r.project > 0 {
			later = append(later, r)
			return nil
		}
		err := t.complete(r)
		fn(&r.Run)
		return err
	})
	for _, r := range later {
		if err == nil {
			err = t.complete(r)
			fn(&r.Run)
		}
	}
	return err
}

// rows calls fn for rows with some of their heavy columns.
func (t *tx) rows(query string, args [][]any, some trace.Fields, fn func(*row) error) error {
	var packed [len(heavy)][]byte
	return t.Query(reading(query, some), args, func(_ int, scan func(...any) error) error {
		r := &row{}
		if err := scanRow(r, scan, &packed[0], &packed[1], &packed[2], &packed[3], &packed[4]); err != nil {
			return err
		}
		if err := r.unpack(packed); err != nil {
			return err
		}
		return fn(r)
	})
}

// errEnough ends the reading of rows.
var errEnough = errors.New("store: enough was read")

// runs reads runs with some of their heavy fields. If they are larger together than
// there is room for it reads the first of them, at least one, which is not whole.
func (t *tx) runs(query string, args [][]any, some trace.Fields, room int64) (runs []trace.Run, whole bool, err error) {
	var rows []*row
	err = t.rows(query, args, some, func(r *row) error {
		if room <= 0 && len(rows) > 0 {
			return errEnough
		}
		rows = append(rows, r)
		room -= r.Held()
		return nil
	})
	whole = err == nil
	if err != nil && !errors.Is(err, errEnough) {
		return nil, false, err
	}
	if some.Has(trace.FieldUsage) {
		if err := t.shownUsage(rows); err != nil {
			return nil, false, err
		}
	}
	for i, r := range rows {
		if err := t.complete(r); err != nil {
			return nil, false, err
		}
		if r.attached && some.Has(trace.FieldAttachments) {
			if room <= 0 && i > 0 {
				return runs, false, nil
			}
			if err := t.readAttachments(r); err != nil {
				return nil, false, err
			}
			for _, a := range r.Attachments {
				room -= int64(len(a.Inline))
			}
		}
		runs = append(runs, r.Run)
	}
	return runs, whole, nil
}

func (r *row) unpack(packed [len(heavy)][]byte) error {
	for i, c := range heavy {
		value, err := unpack(packed[i])
		if err != nil {
			return fmt.Errorf("%s of run %s: %w", c.name, r.ID, err)
		}
		*c.of(&r.Run) = value
	}
	return nil
}

func (t *tx) readAttachments(r *row) error {
	r.Attachments = map[string]trace.Attachment{}
	return t.Query(queries["attachments"], [][]any{{int64(t.day), r.ID[:], r.workspace}}, func(_ int, scan func(...any) error) error {
		var name string
		var a trace.Attachment
		var packed []byte
		err := scan(&name, &a.Type, &packed)
		if err == nil {
			a.Content, err = unpack(packed)
		}
		r.Attachments[name] = a
		return err
	})
}

// byID reads runs of a workspace, see runs.
func (t *tx) byID(w slipway.WorkspaceID, ids []trace.ID, some trace.Fields, room int64) (runs []trace.Run, whole bool, err error) {
	n, err := t.number(string(w))
	if err != nil || n == 0 {
		return nil, true, err
	}
	return t.runs(queries["one"], t.named(n, ids), some, room)
}

// named are the arguments of a query of runs by their identities.
func (t *tx) named(workspace int64, ids []trace.ID) [][]any {
	args := make([][]any, len(ids))
	for i, id := range ids {
		args[i] = []any{int64(t.day), id[:], workspace}
	}
	return args
}

// listed are the arguments of a list from a place on.
func (t *tx) listed(q *trace.Query, project int64, after trace.Cursor, limit int) []any {
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = micros(q.Since)
	}
	if !q.Until.IsZero() {
		until = micros(q.Until)
	}
	start := int64(math.MaxInt64)
	if q.Oldest {
		start = math.MinInt64
	}
	if !after.IsZero() {
		start = micros(after.Start)
	}
	return []any{int64(t.day), project, start, after.ID[:], since, until, q.Name, q.Type, indexOf(q.Status), limit}
}

// Stats returns what is known of projects; those without runs are not in it.
func (s *Store) Stats(ctx context.Context, projects []slipway.ProjectID) (map[slipway.ProjectID]trace.Stats, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.running.Done()
	all := map[slipway.ProjectID]trace.Stats{}
	err := s.eachDay(ctx, func(k Known) (bool, error) {
		return true, s.view(ctx, k.Date, func(t *tx) error {
			return t.addStats(all, projects)
		})
	})
	return all, err
}

// addStats adds what a day has of projects.
func (t *tx) addStats(all map[slipway.ProjectID]trace.Stats, projects []slipway.ProjectID) error {
	var args [][]any
	var of []slipway.ProjectID
	for _, p := range projects {
		n, err := t.number(string(p))
		if err != nil {
			return err
		}
		if n > 0 {
			args, of = append(args, []any{int64(t.day), n}), append(of, p)
		}
	}
	err := t.Query(queries["totals"], args, func(i int, scan func(...any) error) error {
		o, err := scanTotal(scan)
		if err == nil {
			all[of[i]] = withTotal(all[of[i]], &o)
		}
		return err
	})
	if err != nil {
		return err
	}
	return t.Query(queries["latencies"], args, func(i int, scan func(...any) error) error {
		var bucket, count int
		err := scan(&bucket, &count)
		if st, ok := all[of[i]]; ok {
			st.Latency[bucket] += count
		}
		return err
	})
}

// withTotal are stats with those of another day.
func withTotal(st trace.Stats, o *total) trace.Stats {
	if st.Latency == nil {
		st.Latency = trace.Histogram{}
	}
	st.Runs, st.Roots, st.Pending, st.Errors, st.Bytes = st.Runs+int(o.runs), st.Roots+int(o.roots), st.Pending+int(o.pending), st.Errors+int(o.errors), st.Bytes+o.bytes
	if first := moment(o.first); o.runs > 0 && (st.First.IsZero() || first.Before(st.First)) {
		st.First = first
	}
	if last := moment(o.last); o.runs > 0 && last.After(st.Last) {
		st.Last = last
	}
	st.Usage.Prompt, st.Usage.Completion = st.Usage.Prompt+o.usage.Prompt, st.Usage.Completion+o.usage.Completion
	return st
}

func (t *tx) totalsOf(project int64) (o total, ok bool, err error) {
	err = t.Query(queries["totals"], [][]any{{int64(t.day), project}}, func(_ int, scan func(...any) error) error {
		ok = true
		o, err = scanTotal(scan)
		return err
	})
	return o, ok, err
}

func scanTotal(scan func(...any) error) (o total, err error) {
	err = scan(&o.runs, &o.stubs, &o.ahead, &o.roots, &o.pending, &o.errors, &o.bytes, &o.first, &o.last, &o.usage.Prompt, &o.usage.Completion)
	return o, err
}

// Day is what is kept of a day.
type Day struct {
	Date  time.Time // midnight, UTC
	Bytes int64     // of disk, blobs included
}

// Days returns what is kept, oldest first.
func (s *Store) Days(ctx context.Context) ([]Day, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.running.Done()
	known, err := s.engine.Days(ctx)
	if err != nil {
		return nil, err
	}
	days := make([]Day, len(known))
	for i, k := range known {
		size, err := s.engine.Size(ctx, k.Date)
		if err != nil {
			return nil, fmt.Errorf("size of the traces of %s: %w", k.Date, err)
		}
		days[i] = Day{k.Date.Time(), size}
		if err := s.eachBlob(ctx, k.Date, func(_ string, size int64) { days[i].Bytes += size }); err != nil {
			return nil, err
		}
	}
	return days, nil
}
