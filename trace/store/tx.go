package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// owners are the numbers that workspaces and projects have in a day's rows.
type owners struct {
	numbers map[string]int64
	names   map[int64]string
}

// tx is a transaction on a day, with what it takes to read and write rows.
type tx struct {
	Tx
	day    Date
	owners owners
	read   bool // the owners, by this transaction
	totals map[int64]*total
	tokens tokens
}

// undone is the error of a transaction that failed before its commit: nothing of it
// was kept.
type undone struct{ error }

func (u *undone) Unwrap() error { return u.error }

// update runs fn in a transaction. What it has learned of owners is remembered
// once it is committed.
func (s *Store) update(ctx context.Context, d Date, fn func(*tx) error) error {
	var t *tx
	var failed error
	err := s.engine.Update(ctx, d, func(e Tx) error {
		t = &tx{Tx: e, day: d, owners: s.ownersOf(d), totals: map[int64]*total{}}
		if failed = fn(t); failed == nil {
			failed = t.addTotals()
		}
		if failed == nil {
			failed = t.writeTokens()
		}
		return failed
	})
	switch {
	case err == nil:
		s.remember(d, t.owners)
	case failed != nil:
		return &undone{err}
	}
	return err
}

func (s *Store) view(ctx context.Context, d Date, fn func(*tx) error) error {
	return s.engine.View(ctx, d, func(e Tx) error {
		t := &tx{Tx: e, day: d, owners: s.ownersOf(d)}
		err := fn(t)
		if err == nil {
			s.remember(d, t.owners) // before the day can be dropped
		}
		return err
	})
}

func (s *Store) ownersOf(d Date) owners {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[d]
}

func (s *Store) remember(d Date, o owners) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(o.numbers) > len(s.owners[d].numbers) {
		s.owners[d] = o
	}
}

func (s *Store) forget(d Date) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, d)
}

// readOwners asks for all owners anew.
func (t *tx) readOwners() error {
	t.read = true
	t.owners = owners{map[string]int64{}, map[int64]string{}}
	return t.Query(queries["owners"], [][]any{{}}, func(_ int, scan func(...any) error) error {
		var n int64
		var name string
		err := scan(&n, &name)
		t.owners.numbers[name], t.owners.names[n] = n, name
		return err
	})
}

// number of an owner, 0 if the day has nothing of it.
func (t *tx) number(name string) (int64, error) {
	if n := t.owners.numbers[name]; n > 0 || name == "" || t.read {
		return n, nil
	}
	err := t.readOwners()
	return t.owners.numbers[name], err
}

// ensure gives numbers to owners that have none.
func (t *tx) ensure(groups []*group) error {
	missing := map[string]bool{}
	for _, g := range groups {
		for _, o := range g.ops {
			for _, name := range [...]string{string(g.workspace), string(o.Run.Project)} {
				if name != "" && t.owners.numbers[name] == 0 {
					missing[name] = true
				}
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var args [][]any
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		args = append(args, []any{name})
	}
	if _, err := t.Exec(queries["add_owner"], args); err != nil {
		return err
	}
	return t.readOwners()
}

// name of an owner, "" of 0.
func (t *tx) name(n int64) (string, error) {
	if t.owners.names[n] == "" && n > 0 && !t.read {
		if err := t.readOwners(); err != nil {
			return "", err
		}
	}
	return t.owners.names[n], nil
}

// complete fills in what a row says by numbers.
func (t *tx) complete(r *row) error {
	w, err := t.name(r.workspace)
	if err != nil {
		return err
	}
	p, err := t.name(r.project)
	r.Workspace, r.Project = slipway.WorkspaceID(w), slipway.ProjectID(p)
	return err
}

// held returns the rows of runs, nil of those that are not there.
func (t *tx) held(groups []*group) ([]*row, error) {
	rows := make([]*row, len(groups))
	args, asked := make([][]any, 0, len(groups)), make([]int, 0, len(groups))
	for i, g := range groups {
		w, err := t.number(string(g.workspace))
		if err != nil {
			return nil, err
		}
		if w > 0 {
			args, asked = append(args, []any{int64(t.day), g.id[:], w}), append(asked, i)
		}
	}
	err := t.Query(queries["held"], args, func(i int, scan func(...any) error) error {
		r := &row{}
		if err := scanRow(r, scan, &r.sizes[0], &r.sizes[1], &r.sizes[2], &r.sizes[3], &r.sizes[4]); err != nil {
			return err
		}
		rows[asked[i]] = r
		return nil
	})
	for _, r := range rows {
		if r != nil && err == nil {
			err = t.complete(r)
		}
	}
	return rows, err
}

// insert writes runs that are new, and returns those that are not.
func (t *tx) insert(groups []*group) (known []*group, err error) {
	if len(groups) == 0 {
		return nil, nil
	}
	if err := t.ensure(groups); err != nil {
		return nil, err
	}
	rows, args := make([]*row, len(groups)), make([][]any, len(groups))
	for i, g := range groups {
		rows[i] = t.applied(row{}, g)
		args[i] = rows[i].arguments(t.day)
	}
	changed, err := t.Exec(queries["insert"], args)
	if err != nil {
		return nil, err
	}
	var fresh []*group
	for i, g := range groups {
		if changed[i] == 0 {
			known = append(known, g)
			continue
		}
		fresh = append(fresh, g)
		t.count(nil, rows[i])
		t.tokens.note(t.day, nil, rows[i])
	}
	return known, t.addFiles(fresh)
}

// change writes to runs that are there, and returns those that are not.
func (t *tx) change(groups []*group) (elsewhere []*group, err error) {
	if len(groups) == 0 {
		return nil, nil
	}
	if err := t.ensure(groups); err != nil {
		return nil, err
	}
	held, err := t.held(groups)
	if err != nil {
		return nil, err
	}
	if err := t.readUsage(held, groups); err != nil {
		return nil, err
	}
	var updates, amendments [][]any
	var changed []*group
	for i, g := range groups {
		if held[i] == nil {
			elsewhere = append(elsewhere, g)
			continue
		}
		r := t.applied(*held[i], g)
		if !slices.ContainsFunc(g.ops, func(o *op) bool { return o.err == nil }) {
			continue
		}
		if args := r.arguments(t.day); r.amends(held[i]) {
			amendments = append(amendments, amending(args))
		} else {
			updates = append(updates, args)
		}
		changed = append(changed, g)
		t.count(held[i], r)
		t.tokens.note(t.day, held[i], r)
	}
	if _, err := t.Exec(queries["update"], updates); err != nil {
		return nil, err
	}
	if _, err := t.Exec(queries["amend"], amendments); err != nil {
		return nil, err
	}
	return elsewhere, t.addFiles(changed)
}

// applied is a row after a group's operations, with their errors noted.
func (t *tx) applied(before row, g *group) *row {
	r := before
	for _, o := range g.ops {
		if o.err = r.Apply(o.Op); o.err == nil && len(o.attachments) > 0 {
			r.attached = true
		}
	}
	if r.Posted && !r.UsesModel() {
		r.Usage = trace.Usage{}
	}
	r.workspace, r.project = t.owners.numbers[string(r.Workspace)], t.owners.numbers[string(r.Project)]
	r.weigh(before)
	for _, o := range g.ops {
		if o.err == nil {
			r.bytes += o.beside()
		}
	}
	return &r
}

// beside is what an operation brings that is not in the row. It is not taken
// away when another value replaces it: blobs stay as long as their run.
func (o *op) beside() (bytes int64) {
	for _, a := range o.attachments {
		bytes += int64(len(a.packed))
	}
	for _, b := range o.blobs {
		bytes += b.Disk
	}
	return bytes
}

// addFiles writes attachments, and which blobs belong to runs.
func (t *tx) addFiles(groups []*group) error {
	statements := map[string][][]any{}
	for _, g := range groups {
		w := t.owners.numbers[string(g.workspace)]
		for _, o := range g.ops {
			if o.err != nil {
				continue
			}
			for _, b := range o.blobs {
				statements["add_blob"] = append(statements["add_blob"], []any{int64(t.day), g.id[:], w, b.Blob, b.Disk})
			}
			attach := map[trace.Kind]string{trace.Post: "attach_new", trace.Patch: "attach"}[o.Kind]
			for name, a := range o.attachments {
				statements[attach] = append(statements[attach], []any{int64(t.day), g.id[:], w, name, a.kind, a.packed})
			}
		}
	}
	for _, name := range [...]string{"add_blob", "attach_new", "attach"} {
		if _, err := t.Exec(queries[name], statements[name]); err != nil {
			return err
		}
	}
	return nil
}

// total is by how much what is known of a project changes.
type total struct {
	runs, stubs, ahead, roots, pending, errors, bytes int64
	usage                                             trace.Usage
	first, last                                       int64
	latency                                           map[int]int64
}

// count notes how a row changes what is known of its project.
func (t *tx) count(before, after *row) {
	if before != nil {
		t.total(before.project).add(t.day, before, -1)
	}
	if after != nil {
		t.total(after.project).add(t.day, after, 1)
	}
}

func (t *tx) total(project int64) *total {
	if t.totals[project] == nil {
		t.totals[project] = &total{first: never, last: -never, latency: map[int]int64{}}
	}
	return t.totals[project]
}

// never is a time after all that can be told, in microseconds.
const never = 1 << 62

func (o *total) add(d Date, r *row, sign int64) {
	o.bytes += sign * r.bytes
	if at := began(&r.Run); !at.IsZero() && DateOf(at) > d {
		o.ahead += sign
	}
	if r.kind() == stub {
		o.stubs += sign
		return
	}
	o.usage.Prompt, o.usage.Completion = o.usage.Prompt+sign*r.Usage.Prompt, o.usage.Completion+sign*r.Usage.Completion
	if o.runs += sign; sign > 0 {
		o.first, o.last = min(o.first, micros(r.Start)), max(o.last, micros(r.Start))
	}
	if r.kind() != root {
		return
	}
	o.roots += sign
	switch r.Status() {
	case trace.Pending:
		o.pending += sign
	case trace.Failed:
		o.errors += sign
	}
	if d, ended := r.Latency(); ended {
		o.latency[trace.Bucket(d)] += sign
	}
}

// addTotals writes what was counted.
func (t *tx) addTotals() error {
	var args, latencies [][]any
	for _, project := range slices.Sorted(maps.Keys(t.totals)) {
		o := t.totals[project]
		args = append(args, []any{int64(t.day), project, o.runs, o.stubs, o.ahead, o.roots, o.pending, o.errors, o.bytes, o.first, o.last, o.usage.Prompt, o.usage.Completion})
		for bucket, n := range o.latency {
			if n != 0 {
				latencies = append(latencies, []any{int64(t.day), project, bucket, n})
			}
		}
	}
	slices.SortFunc(latencies, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[1].(int64), b[1].(int64)), cmp.Compare(a[2].(int), b[2].(int)))
	})
	if _, err := t.Exec(queries["add_totals"], args); err != nil {
		return err
	}
	_, err := t.Exec(queries["add_latency"], latencies)
	return err
}
