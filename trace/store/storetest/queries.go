package storetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

func mustFilter(text string) *trace.Filter {
	f, err := trace.ParseFilter(text)
	if err != nil {
		panic(err)
	}
	return f
}

func testQueries(t *testing.T, w *world) {
	first := w.post("first", 1)
	first.Run.Tags, first.Run.Extra = []string{"beta"}, value(map[string]any{"metadata": map[string]any{"user": "anna", "n": 3}})
	second := w.post("second", 2)
	second.Run.Error = "exploded near Zürich"
	inner := w.below(first, "inner", 3)
	inner.Run.Type, inner.Run.Inputs = "llm", value("Where IS the needle?")
	elsewhere := w.post("elsewhere", 4)
	elsewhere.Run.Project = newID[slipway.ProjectID]()
	w.write(first, second, inner, elsewhere, end(first, 11), end(inner, 3.5))
	mine := []slipway.ProjectID{w.project}
	for name, c := range map[string]struct {
		query trace.Query
		want  []string
	}{
		"all":         {trace.Query{}, []string{"inner", "second", "first"}},
		"oldest":      {trace.Query{Oldest: true}, []string{"first", "second", "inner"}},
		"projects":    {trace.Query{Projects: append([]slipway.ProjectID{elsewhere.Run.Project, elsewhere.Run.Project}, mine...)}, []string{"elsewhere", "inner", "second", "first"}},
		"no project":  {trace.Query{Projects: []slipway.ProjectID{"00000000-0000-0000-0000-000000000000"}}, []string{}},
		"roots":       {trace.Query{Root: new(true)}, []string{"second", "first"}},
		"no roots":    {trace.Query{Root: new(false)}, []string{"inner"}},
		"ids":         {trace.Query{IDs: []trace.ID{first.Run.ID, elsewhere.Run.ID, w.id()}}, []string{"first"}},
		"trace":       {trace.Query{Trace: first.Run.ID}, []string{"inner", "first"}},
		"parent":      {trace.Query{Parent: first.Run.ID}, []string{"inner"}},
		"type":        {trace.Query{Type: "llm"}, []string{"inner"}},
		"failed":      {trace.Query{Error: new(true)}, []string{"second"}},
		"not failed":  {trace.Query{Error: new(false)}, []string{"inner", "first"}},
		"status":      {trace.Query{Status: trace.Success}, []string{"inner", "first"}},
		"name":        {trace.Query{Name: "second"}, []string{"second"}},
		"tag":         {trace.Query{Tag: "beta"}, []string{"first"}},
		"since":       {trace.Query{Since: at(2)}, []string{"inner", "second"}},
		"until":       {trace.Query{Until: at(2)}, []string{"first"}},
		"text":        {trace.Query{Text: "needle WHERE"}, []string{"inner"}},
		"error text":  {trace.Query{Text: "zürich"}, []string{"second"}},
		"no text":     {trace.Query{Text: "needle nowhere"}, []string{}},
		"filter":      {trace.Query{Filter: mustFilter(`and(eq(run_type, "llm"), lt(latency, 1))`)}, []string{"inner"}},
		"latency":     {trace.Query{Filter: mustFilter(`gt(latency, "5s")`)}, []string{"first"}},
		"metadata":    {trace.Query{Filter: mustFilter(`and(eq(metadata_key, "user"), eq(metadata_value, "anna"))`)}, []string{"first"}},
		"no metadata": {trace.Query{Filter: mustFilter(`and(eq(metadata_key, "user"), eq(metadata_value, "3"))`)}, []string{}},
		"id":          {trace.Query{Filter: mustFilter(fmt.Sprintf("eq(id, %q)", second.Run.ID))}, []string{"second"}},
		"one of":      {trace.Query{Filter: mustFilter(`in(name, ["first", "inner"])`)}, []string{"inner", "first"}},
	} {
		if c.query.Projects == nil {
			c.query.Projects = mine
		}
		equal(t, name, names(w.all(t, c.query)), c.want)
	}
	_, err := w.Query(t.Context(), trace.Query{Workspace: w.workspace})
	equal(t, "code of a query for everything", slipway.CodeOf(err), slipway.CodeInvalid)
}

// testPages has runs that began in the same microsecond, on several days.
func testPages(t *testing.T, w *world) {
	var want []trace.ID
	for range 4 {
		var ops []trace.Op
		for range 7 {
			o := w.post("run", float64(len(want)/5)*20_000)
			ops, want = append(ops, o), append(want, o.Run.ID)
		}
		w.write(ops...)
		w.pass(24 * time.Hour)
	}
	for _, oldest := range []bool{false, true} {
		for limit := 1; limit < len(want)+2; limit += 4 {
			q := trace.Query{Projects: []slipway.ProjectID{w.project}, Oldest: oldest, Limit: limit}
			got := w.all(t, q)
			equal(t, "runs", len(got), len(want))
			equal(t, "in order", slices.IsSortedFunc(got, func(a, b trace.Run) int {
				return q.Compare(trace.Cursor{Start: a.Start, ID: a.ID}, trace.Cursor{Start: b.Start, ID: b.ID})
			}), true)
		}
	}
}

// A query that looks at many runs for few is answered in parts.
func testParts(t *testing.T, w *world) {
	w.again(store.Config{Looks: 10})
	for d := range 3 {
		for n := range 15 {
			w.write(w.post(fmt.Sprintf("run %d-%d", d, n), float64(d*24*3600+n)))
		}
		w.pass(24 * time.Hour)
	}
	q := trace.Query{Workspace: w.workspace, Projects: []slipway.ProjectID{w.project}, Text: "run 0-3"}
	page, err := w.Query(t.Context(), q)
	equal(t, "first page", []any{len(page.Runs), page.Next.IsZero(), err}, []any{0, false, error(nil)})
	equal(t, "all", names(w.all(t, q)), []string{"run 0-3"})
}

// A page ends where its runs are too large together, whatever makes them so, and
// what is not shown is not read.
func testHeavyPages(t *testing.T, w *world) {
	const runs, size, most = 60, 1<<20 - 100, 34 << 20
	long := strings.Repeat("no luck ", size/8)
	root, other := w.post("root", 0), w.post("other root", 0)
	other.Run.Project = newID[slipway.ProjectID]()
	w.write(other)
	ops, ids := []trace.Op{root}, []trace.ID{root.Run.ID}
	for i := range runs {
		o := w.below(root, "below", float64(i+1))
		if o.Run.Error = long; i%2 == 0 {
			o.Run.Error = ""
			for _, c := range []*trace.Content{&o.Run.Inputs, &o.Run.Outputs, &o.Run.Extra, &o.Run.Events} {
				*c = value(long[:size/4])
			}
			heavy := w.below(other, "below", float64(i+1))
			heavy.Run.Project = other.Run.Project
			heavy.Run.Inputs, heavy.Run.Outputs, heavy.Run.Extra, heavy.Run.Events = o.Run.Inputs, o.Run.Outputs, o.Run.Extra, o.Run.Events
			w.write(heavy)
		}
		ops, ids = append(ops, o), append(ids, o.Run.ID)
	}
	w.write(ops...)
	for name, q := range map[string]trace.Query{
		"list":   {Projects: []slipway.ProjectID{w.project}},
		"search": {Projects: []slipway.ProjectID{w.project}, Filter: mustFilter(`neq(name, "nobody")`)},
		"trace":  {Trace: root.Run.ID},
		"ids":    {IDs: ids},
	} {
		q.Workspace, q.Limit, q.Select = w.workspace, 100, trace.AllFields
		pages, all := 0, 0
		for done := false; !done; pages++ {
			page, err := w.Query(t.Context(), q)
			if err != nil || len(page.Runs) == 0 {
				t.Fatalf("%s: a page of %d runs, %v", name, len(page.Runs), err)
			}
			var held int64
			for _, r := range page.Runs {
				held += r.Held()
			}
			if all += len(page.Runs); held > most {
				t.Errorf("%s: a page of %d MiB", name, held>>20)
			}
			q.After, done = page.Next, page.Next.IsZero()
		}
		equal(t, name, all, runs+1)
		equal(t, name+" in pages", pages, 2)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	page, err := w.Query(t.Context(), trace.Query{Workspace: w.workspace, Trace: other.Run.ID, Filter: mustFilter(`eq(name, "other root")`), Select: trace.AllFields})
	runtime.ReadMemStats(&after)
	equal(t, "found", []any{names(page.Runs), err}, []any{[]string{"other root"}, error(nil)})
	if made := int64(after.TotalAlloc - before.TotalAlloc); made > runs/4*size {
		t.Errorf("%d MiB are read of a trace to find its root", made>>20)
	}
}

func testOfRoot(t *testing.T, w *world) {
	for _, name := range []string{"a", "b"} {
		parent := w.post(name, 0)
		parent.Run.Extra = value(map[string]any{"metadata": map[string]any{"is": name}})
		w.write(w.below(parent, "below "+name, 1), parent)
	}
	q := trace.Query{Projects: []slipway.ProjectID{w.project}, OfRoot: mustFilter(`has(metadata, '{"is": "b"}')`)}
	equal(t, "runs", names(w.all(t, q)), []string{"below b", "b"})
	q.Root = new(false)
	equal(t, "children", names(w.all(t, q)), []string{"below b"})
}

func testTrace(t *testing.T, w *world) {
	a := w.post("a", 0)
	b, d := w.below(a, "b", 1), w.below(a, "d", 3)
	c := w.below(b, "c", 4) // later than d, and below b
	w.write(d, c, b, a, w.post("other", 2))
	runs, err := w.Trace(t.Context(), w.workspace, a.Run.ID, nil)
	equal(t, "error", err, error(nil))
	equal(t, "depth first", names(runs), []string{"a", "b", "c", "d"})
	runs, err = w.Trace(t.Context(), w.workspace, w.id(), nil)
	equal(t, "error", err, error(nil))
	equal(t, "trace that is not there", runs, []trace.Run{})
}

// random makes a run, and the operations that tell of it.
func (w *world) random(rt *rapid.T, before []trace.Run, other slipway.ProjectID) (trace.Run, []trace.Op) {
	pick := func(what string, n int) int { return rapid.IntRange(0, n).Draw(rt, what) }
	o := w.post([]string{"agent", "tool", "model"}[pick("name", 2)], float64(pick("start", 20)*6*3600))
	if len(before) > 0 && pick("child", 1) == 1 {
		o = w.below(trace.Op{Run: before[pick("parent", len(before)-1)]}, o.Run.Name, float64(pick("start", 20)*6*3600))
	}
	r := &o.Run
	r.Type = []string{"chain", "llm"}[pick("type", 1)]
	if pick("elsewhere", 4) == 0 {
		r.Project = other
	}
	if pick("failed", 3) == 0 {
		r.Error = "failed"
	}
	if pick("tagged", 2) == 0 {
		r.Tags = []string{"t"}
	}
	if pick("metadata", 2) == 0 {
		r.Extra = value(map[string]any{"metadata": map[string]any{"k": fmt.Sprint(pick("value", 1))}})
	}
	ops := []trace.Op{o}
	if pick("ends", 1) == 1 {
		r.End = r.Start.Add(time.Duration(pick("took", 3)) * time.Second)
		ops = append(ops, patch(o, func(p *trace.Run) { p.End = r.End }))
	}
	return o.Run, ops
}

func (w *world) mustWrite(rt *rapid.T, ops ...trace.Op) {
	errs, err := w.Write(context.Background(), ops)
	if err != nil || slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		rt.Fatal(errs, err)
	}
}

func (w *world) randomQuery(rt *rapid.T, model []trace.Run, other slipway.ProjectID) trace.Query {
	q := trace.Query{Workspace: w.workspace, Projects: []slipway.ProjectID{w.project}, Limit: rapid.IntRange(3, 12).Draw(rt, "limit")}
	if rapid.Bool().Draw(rt, "both projects") {
		q.Projects = append(q.Projects, other)
	}
	q.Oldest = rapid.Bool().Draw(rt, "oldest")
	q.Root = rapid.SampledFrom([]*bool{nil, nil, new(true), new(false)}).Draw(rt, "root")
	q.Error = rapid.SampledFrom([]*bool{nil, nil, new(true), new(false)}).Draw(rt, "error")
	q.Type = rapid.SampledFrom([]string{"", "", "llm"}).Draw(rt, "type")
	q.Name = rapid.SampledFrom([]string{"", "", "", "tool"}).Draw(rt, "name")
	q.Tag = rapid.SampledFrom([]string{"", "", "t"}).Draw(rt, "tag")
	q.Status = rapid.SampledFrom([]trace.Status{"", "", trace.Pending, trace.Success, trace.Failed}).Draw(rt, "status")
	one := rapid.SampledFrom(model).Draw(rt, "one")
	switch rapid.IntRange(0, 12).Draw(rt, "what") {
	case 0:
		q.Trace = one.Trace
	case 1:
		q.Parent = one.Parent
	case 2:
		q.IDs = []trace.ID{one.ID, model[0].ID}
	case 3:
		q.Since = one.Start
	case 4:
		q.Until = one.Start
	case 5:
		q.After = trace.Cursor{Start: one.Start, ID: one.ID}
	}
	filters := []string{
		"", "", `and(eq(metadata_key, "k"), eq(metadata_value, "1"))`, `or(has(tags, "t"), gt(latency, 1.5))`, `not(eq(name, "agent"))`,
		`neq(error, null)`, `eq(is_root, false)`, fmt.Sprintf("gte(start_time, %q)", one.Start.Format(time.RFC3339Nano)),
		fmt.Sprintf("and(lt(start_time, %q), eq(status, \"pending\"))", one.Start.Format(time.RFC3339Nano)), fmt.Sprintf("in(id, [%q])", one.ID),
	}
	q.Filter = mustFilter(rapid.SampledFrom(filters).Draw(rt, "filter"))
	return q
}

// compare asks a query and wants what the list in memory has.
func (w *world) compare(rt *rapid.T, model []trace.Run, q trace.Query) {
	var want []trace.ID
	expected := slices.Clone(model)
	slices.SortFunc(expected, func(a, b trace.Run) int {
		return q.Compare(trace.Cursor{Start: a.Start, ID: a.ID}, trace.Cursor{Start: b.Start, ID: b.ID})
	})
	for _, r := range expected {
		if q.Matches(&r) {
			want = append(want, r.ID)
		}
	}
	var got []trace.ID
	for _, r := range w.all(rt, q) {
		got = append(got, r.ID)
	}
	equal(rt, fmt.Sprintf("runs of %+v", q), got, want)
}

func testStats(t *testing.T, w *world) {
	equal(t, "stats of nothing", w.stats(t), trace.Stats{})
	open, good, bad := w.post("open", 1), w.post("good", 2), w.post("bad", 24*3600)
	inner := w.below(good, "inner", 3)
	w.write(open, good, inner, end(good, 4))
	w.pass(24 * time.Hour)
	w.write(bad, patch(bad, func(r *trace.Run) { r.End, r.Error = at(24*3600+8), "broken" }))
	w.write(end(inner, 3.5))
	s := w.stats(t)
	equal(t, "counts", []int{s.Runs, s.Roots, s.Pending, s.Errors}, []int{4, 3, 1, 1})
	equal(t, "first and last", []time.Time{s.First, s.Last}, []time.Time{at(1), at(24 * 3600)})
	rate, ok := s.ErrorRate()
	equal(t, "error rate", []any{rate, ok}, []any{0.5, true})
	for q, want := range map[float64]time.Duration{0.01: 2 * time.Second, 0.99: 8 * time.Second} {
		if d, ok := s.Latency.Quantile(q); !ok || float64(d) < float64(want)*0.91 || float64(d) > float64(want)*1.09 {
			t.Errorf("quantile %v is %v, want %v", q, d, want)
		}
	}
	if s.Bytes < 400 || s.Bytes > 10_000 {
		t.Errorf("four runs take %d bytes", s.Bytes)
	}
	w.again(store.Config{})
	equal(t, "stats after opening again", w.stats(t), s)
	w.write(patch(open, func(r *trace.Run) { r.End, r.Outputs = at(3), value(1) }))
	s = w.stats(t)
	equal(t, "counts", []int{s.Runs, s.Roots, s.Pending, s.Errors}, []int{4, 3, 0, 1})
}

// What is known of many projects is asked for together.
func testStatsOfMany(t *testing.T, w *world) {
	const many = 30
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	open := w.place.Open
	w.place.Open = func(t testing.TB) store.Engine { return countedEngine{open(t), &asked} }
	w.open(store.Config{})
	var projects []slipway.ProjectID
	for i := range many {
		o := w.post("run", float64(i%2*24*3600))
		o.Run.Project, o.Run.End = newID[slipway.ProjectID](), o.Run.Start.Add(time.Second)
		projects = append(projects, o.Run.Project)
		w.write(o)
	}
	asked = 0
	all, err := w.Stats(t.Context(), append(projects, newID[slipway.ProjectID]()))
	equal(t, "projects", []any{len(all), err}, []any{many, error(nil)})
	for id, s := range all {
		if _, ended := s.Latency.Quantile(0.5); s.Runs != 1 || !ended {
			t.Errorf("project %s: %+v", id, s)
		}
	}
	if asked > 2*3 {
		t.Errorf("two days are asked %d times", asked)
	}
}

// countedEngine counts what readers ask.
type countedEngine struct {
	store.Engine
	asked *int
}

func (e countedEngine) View(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	return e.Engine.View(ctx, d, func(t store.Tx) error { return fn(countedTx{t, e.asked}) })
}

type countedTx struct {
	store.Tx
	asked *int
}

func (t countedTx) Query(query string, args [][]any, row func(int, func(...any) error) error) error {
	*t.asked++
	return t.Tx.Query(query, args, row)
}
