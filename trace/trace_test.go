package trace_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	rootID  = "0a000000-0000-4000-8000-000000000001"
	childID = "0b000000-0000-4000-8000-000000000002"
	leafID  = "0c000000-0000-4000-8000-000000000003"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func id(t testing.TB, text string) trace.ID {
	t.Helper()
	id, err := trace.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// refused wants an error for the sender that says some words.
func refused(t testing.TB, err error, words ...string) {
	t.Helper()
	if slipway.CodeOf(err) == "" {
		t.Fatalf("the error is not for the sender: %v", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

func value(v any) trace.Content {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return trace.Inline(b)
}

func TestParseID(t *testing.T) {
	for _, text := range []string{rootID, strings.ToUpper(rootID), strings.ReplaceAll(rootID, "-", "")} {
		equal(t, text, id(t, text).String(), rootID)
	}
	for _, text := range []string{"", "x", rootID + "0", rootID[1:], "0a000000x0000-4000-8000-000000000001", strings.Repeat("g", 32), strings.Repeat("0", 32), strings.Repeat("long", 1000)} {
		_, err := trace.ParseID(text)
		refused(t, err, "UUID")
		if len(err.Error()) > 200 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestOrder(t *testing.T) {
	root := trace.Order("").With(start, id(t, rootID))
	child := root.With(start.Add(1500*time.Microsecond), id(t, childID))
	equal(t, "order", string(child), "20260301T120000000000Z"+rootID+".20260301T120000001500Z"+childID)
	steps, err := child.Steps()
	equal(t, "error", err, error(nil))
	equal(t, "steps", steps, []trace.Step{{Start: start, ID: id(t, rootID)}, {Start: start.Add(1500 * time.Microsecond), ID: id(t, childID)}})
	began, ok := child.Began()
	equal(t, "began", []any{began, ok}, []any{start, true})
	steps, err = trace.Order("20260301T120000123Z" + rootID).Steps() // as in the vendor's examples
	equal(t, "milliseconds", []any{steps[0].Start, err}, []any{start.Add(123 * time.Millisecond), error(nil)})
	for order, plain := range map[trace.Order]bool{
		root: true, child: true, trace.Order("20260301T120000123Z" + rootID): false, root + "." + trace.Order("20260301T120000000000Z"+strings.ReplaceAll(childID, "-", "")): false,
		trace.Order(strings.ToUpper(string(child))): false,
	} {
		equal(t, string(order)+" is plain", order.Plain(), plain)
	}
	for _, text := range []string{"", "x", rootID, "20260301T120000000000Z", "20260301T120000000000Zx", "20261301T120000000000Z" + rootID, "20260301T12000000000xZ" + rootID, "20260301T120000000000Z" + rootID + ".", strings.Repeat("x.", 1000)} {
		_, err := trace.Order(text).Steps()
		refused(t, err, "dotted_order")
	}
}

func post(t testing.TB) trace.Op {
	t.Helper()
	return trace.Op{Kind: trace.Post, Run: trace.Run{ID: id(t, rootID), Workspace: "w", Project: "p", Name: "run", Start: start}}
}

func TestCheckFillsIn(t *testing.T) {
	root := post(t)
	equal(t, "error", root.Check(), error(nil))
	equal(t, "root", []any{root.Run.Trace, root.Run.Type, string(root.Run.Order)}, []any{root.Run.ID, "chain", "20260301T120000000000Z" + rootID})
	leaf := post(t)
	leaf.Run.ID = id(t, leafID)
	leaf.Run.Order = root.Run.Order.With(start, id(t, childID)).With(start, leaf.Run.ID)
	equal(t, "error", leaf.Check(), error(nil))
	equal(t, "leaf", []trace.ID{leaf.Run.Trace, leaf.Run.Parent}, []trace.ID{root.Run.ID, id(t, childID)})
	bare := trace.Op{Kind: trace.Patch, Run: trace.Run{ID: root.Run.ID, Workspace: "w"}}
	equal(t, "error", bare.Check(), error(nil))
	equal(t, "patch of nothing", bare.Run.Fields(), trace.Fields(0))
}

func TestCheckRefuses(t *testing.T) {
	order := trace.Order("").With(start, id(t, rootID)).With(start, id(t, childID))
	for name, c := range map[string]struct {
		change func(*trace.Run)
		says   []string
	}{
		"no id":               {func(r *trace.Run) { r.ID = trace.ID{} }, []string{"id", "UUID"}},
		"no name":             {func(r *trace.Run) { r.Name = "" }, []string{rootID, "name"}},
		"no start":            {func(r *trace.Run) { r.Start = time.Time{} }, []string{"start_time"}},
		"no project":          {func(r *trace.Run) { r.Project = "" }, []string{"project"}},
		"parent alone":        {func(r *trace.Run) { r.Parent = id(t, childID) }, []string{"trace_id", "dotted_order"}},
		"bad order":           {func(r *trace.Run) { r.Order = "x" }, []string{"dotted_order"}},
		"order of another":    {func(r *trace.Run) { r.Order = order }, []string{rootID, childID, "its id"}},
		"trace of another":    {func(r *trace.Run) { r.ID, r.Order, r.Trace = id(t, childID), order, id(t, leafID) }, []string{"trace_id", leafID}},
		"parent of another":   {func(r *trace.Run) { r.ID, r.Order, r.Parent = id(t, childID), order, id(t, leafID) }, []string{"parent_run_id"}},
		"too large":           {func(r *trace.Run) { r.Outputs = trace.Content{Blob: "b", Size: trace.MaxValue + 1} }, []string{"outputs", "bytes"}},
		"nameless attachment": {func(r *trace.Run) { r.Attachments = map[string]trace.Attachment{"": {}} }, []string{"attachment"}},
		"large attachment": {func(r *trace.Run) {
			r.Attachments = map[string]trace.Attachment{"big": {Content: trace.Content{Size: trace.MaxValue + 1}}}
		}, []string{"attachment big"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := post(t)
			c.change(&o.Run)
			refused(t, o.Check(), c.says...)
		})
	}
}

func TestCheckCleans(t *testing.T) {
	o := post(t)
	o.Run.Name, o.Run.Error, o.Run.Inputs = "a\x00\xff", strings.Repeat("é", 1<<20), trace.Inline([]byte("\"\xff\""))
	o.Run.Tags = make([]string, 5000)
	equal(t, "error", o.Check(), error(nil))
	equal(t, "name and inputs", []string{o.Run.Name, string(o.Run.Inputs.Inline)}, []string{"a\uFFFD\uFFFD", "\"\uFFFD\""})
	equal(t, "size", o.Run.Inputs.Size, int64(len(o.Run.Inputs.Inline)))
	if n := len(o.Run.Error); n > 1<<20 || n < 1<<20-10 || len(o.Run.Tags) != 1000 {
		t.Errorf("the error has %d bytes, and there are %d tags", n, len(o.Run.Tags))
	}
}

func TestApply(t *testing.T) {
	o := post(t)
	o.Run.Inputs, o.Run.Tags = value(1), []string{"post"}
	p := trace.Op{Kind: trace.Patch, Run: trace.Run{ID: o.Run.ID, Workspace: "w", Project: "of the patch", End: start, Tags: []string{}, Inputs: value(2)}}
	var ahead, behind trace.State
	for _, step := range []error{ahead.Apply(o), ahead.Apply(p), behind.Apply(p), behind.Apply(o)} {
		equal(t, "error", step, error(nil))
	}
	equal(t, "patch first", behind.Run, ahead.Run)
	equal(t, "project", ahead.Project, slipway.ProjectID("p"))
	equal(t, "tags", ahead.Tags, []string{})
	equal(t, "inputs", ahead.Inputs, value(2))
	before := ahead
	equal(t, "second post", ahead.Apply(o), trace.ErrDuplicate)
	equal(t, "after it", ahead, before)
	equal(t, "patch of nothing", ahead.Apply(trace.Op{Kind: trace.Patch, Run: trace.Run{ID: o.Run.ID, Workspace: "w"}}), error(nil))
	equal(t, "after it", ahead, before)
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		run  trace.Run
		want trace.Status
	}{{trace.Run{}, trace.Pending}, {trace.Run{End: start}, trace.Success}, {trace.Run{Error: "x"}, trace.Failed}, {trace.Run{Error: "x", End: start}, trace.Failed}} {
		equal(t, fmt.Sprint(c.run), c.run.Status(), c.want)
	}
}

func TestTimes(t *testing.T) {
	want := start.Add(1500 * time.Microsecond)
	for _, text := range []string{"2026-03-01T12:00:00.001500Z", "2026-03-01T14:00:00.0015+02:00", "2026-03-01T12:00:00.001500", "2026-03-01 12:00:00.0015", "2026-03-01T12:00:00.001500999Z"} {
		got, err := trace.ParseTime(text)
		equal(t, text, []any{got, err}, []any{want, error(nil)})
	}
	got, err := trace.Millis(float64(want.UnixMicro()) / 1000)
	equal(t, "milliseconds", []any{got, err}, []any{want, error(nil)})
	for _, text := range []string{"", "yesterday", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		_, err := trace.ParseTime(text)
		refused(t, err, "time")
	}
	_, err = trace.Millis(1e300)
	refused(t, err, "milliseconds")
}

func TestHistogram(t *testing.T) {
	_, ok := trace.Histogram{}.Quantile(0.5)
	equal(t, "of nothing", ok, false)
	h := trace.Histogram{}
	for ms := 1; ms <= 1000; ms++ {
		h[trace.Bucket(time.Duration(ms)*time.Millisecond)]++
	}
	for q, want := range map[float64]float64{0.5: 500, 0.95: 950, 0.99: 990, 1: 1000} {
		d, _ := h.Quantile(q)
		if got := d.Seconds() * 1000; got < want*0.91 || got > want*1.09 {
			t.Errorf("quantile %v is %v ms, want %v", q, got, want)
		}
	}
	none, _ := trace.Histogram{trace.Bucket(0): 3}.Quantile(0.5)
	if none > time.Microsecond {
		t.Errorf("of nothing but zeros it is %v", none)
	}
}

// Parents that are missing, that go in circles, or that are the run itself.
func TestArrange(t *testing.T) {
	a, b, c := id(t, rootID), id(t, childID), id(t, leafID)
	runs := []trace.Run{{ID: a, Trace: a, Parent: b, Start: start}, {ID: b, Trace: a, Parent: a, Start: start}, {ID: c, Trace: c, Parent: c, Start: start}}
	trace.Arrange(runs)
	for _, r := range runs {
		if r.Order == "" {
			t.Errorf("run %s has no order", r.ID)
		}
	}
}

func TestQueryCheck(t *testing.T) {
	q := trace.Query{Projects: []slipway.ProjectID{"p", "p"}, IDs: []trace.ID{{1}, {2}, {1}}, Limit: 1 << 20}
	equal(t, "error", q.Check(), error(nil))
	equal(t, "query", []int{len(q.Projects), len(q.IDs), q.Limit}, []int{1, 2, trace.MaxLimit})
	q = trace.Query{}
	equal(t, "error", q.Check(), error(nil))
	equal(t, "limit", q.Limit, trace.DefaultLimit)
	for says, q := range map[string]trace.Query{
		"limit": {Limit: -1}, "status": {Status: "odd"}, "runs": {IDs: make([]trace.ID, 1001)},
	} {
		refused(t, q.Check(), says)
	}
}

func TestCursor(t *testing.T) {
	c := trace.Cursor{Start: start.Add(time.Microsecond), ID: id(t, rootID)}
	again, err := trace.ParseCursor(c.String())
	equal(t, "cursor", []any{again, err}, []any{c, error(nil)})
	for _, text := range []string{"", "x", "!!", c.String() + "AA"} {
		_, err := trace.ParseCursor(text)
		refused(t, err, "cursor")
	}
}
