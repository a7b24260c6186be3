package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

// full is a run of which all is known.
func (w *world) full() trace.Op {
	parent := w.post("parent", 0)
	o := w.below(parent, "full", 1.000001)
	r := &o.Run
	r.Type, r.End, r.Error, r.Tags, r.Reference = "llm", at(2), "it broke\nbadly", []string{"a", "b"}, w.id()
	r.Inputs, r.Outputs = value(map[string]any{"long": strings.Repeat("word ", 1000)}), value(strings.Repeat("short ", 100))
	r.Extra, r.Events = value(map[string]any{"metadata": map[string]any{"k": "v"}}), value([]any{map[string]any{"name": "start"}})
	r.Serialized = value(map[string]any{"id": []string{"x"}})
	r.Usage = trace.Usage{Prompt: 12, Completion: 34}
	r.Attachments = map[string]trace.Attachment{"image": {Type: "image/png", Content: trace.Inline([]byte{0, 1, 2, 255})}}
	return o
}

func testRow(t *testing.T, w *world) {
	o := w.full()
	filled(t, reflect.ValueOf(o.Run), "run")
	w.write(o)
	equal(t, "run", w.run(o.Run.ID), o.Run)
	light := o.Run
	light.Inputs, light.Outputs, light.Extra, light.Events, light.Serialized, light.Attachments = trace.Content{}, trace.Content{}, trace.Content{}, trace.Content{}, trace.Content{}, nil
	light.Usage = trace.Usage{}
	r, err := w.Run(t.Context(), w.workspace, o.Run.ID, 0)
	equal(t, "error", err, error(nil))
	equal(t, "run without heavy fields", r, light)
	equal(t, "runs of the parent that never came", names(w.all(t, trace.Query{Projects: []slipway.ProjectID{w.project}, Parent: o.Run.Parent})), []string{"full"})
}

// filled fails where a field is zero: a field that is added to the domain must
// be given a value in the fixture and so come back from the store.
func filled(t failer, v reflect.Value, path string) {
	t.Helper()
	if v.IsZero() {
		t.Fatalf("the fixture's %s is zero", path)
	}
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[trace.Content]() {
		return
	}
	for i := range v.NumField() {
		filled(t, v.Field(i), path+"."+v.Type().Field(i).Name)
	}
}

// What models have used counts once: for their run, the root of the trace and the
// project, and no more when the run is gone.
func testUsage(t *testing.T, w *world) {
	used := func(of trace.Op, prompt, completion int64) trace.Op {
		return patch(of, func(r *trace.Run) { r.Usage = trace.Usage{Prompt: prompt, Completion: completion} })
	}
	root := w.post("root", 0)
	first, second, tool := w.below(root, "first", 1), w.below(root, "second", 2), w.below(root, "tool", 3)
	first.Run.Type, second.Run.Type, tool.Run.Type = "llm", "embedding", "tool"
	w.write(used(second, 5, 0), root, first, tool)
	w.write(used(first, 100, 20), used(root, 105, 20), used(tool, 1, 1), second)
	w.write(used(first, 100, 21)) // told better
	w.write(used(first, 100, 21)) // sent again
	usage := func(of trace.Op) trace.Usage { return w.run(of.Run.ID).Usage }
	equal(t, "usages", []trace.Usage{usage(root), usage(first), usage(second), usage(tool)}, []trace.Usage{{Prompt: 105, Completion: 21}, {Prompt: 100, Completion: 21}, {Prompt: 5}, {}})
	equal(t, "of the project", w.stats(t).Usage, trace.Usage{Prompt: 105, Completion: 21})
	kept := w.post("kept", 4)
	kept.Run.Type, kept.Run.Project, kept.Run.Usage = "llm", newID[slipway.ProjectID](), trace.Usage{Prompt: 1, Completion: 2}
	w.write(kept)
	_, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "error", err, error(nil))
	equal(t, "of the project that is gone", w.stats(t).Usage, trace.Usage{})
	equal(t, "of the other", usage(kept), trace.Usage{Prompt: 1, Completion: 2})
	lost := w.below(kept, "lost", 5) // which is told of before anybody knows where it is
	lost.Run.Type, lost.Run.Project = "llm", kept.Run.Project
	nowhere := used(lost, 10, 10)
	nowhere.Run.Trace, nowhere.Run.Parent, nowhere.Run.Order = trace.ID{}, trace.ID{}, ""
	w.write(nowhere)
	w.write(patch(lost, func(r *trace.Run) { r.Error = "x" }))
	w.write(lost)
	equal(t, "of what was lost, and its root", []trace.Usage{usage(lost), usage(kept)}, []trace.Usage{{Prompt: 10, Completion: 10}, {Prompt: 11, Completion: 12}})
	late := root
	late.Run.Project = kept.Run.Project
	w.write(late)
	equal(t, "of the trace that is gone", usage(late), trace.Usage{})
}

// Orders are given back as they came, whoever wrote them.
func testOrders(t *testing.T, w *world) {
	upper, short := w.post("upper", 0), w.below(w.post("parent", 0), "short", 1)
	upper.Run.Order = trace.Order(strings.ToUpper(string(upper.Run.Order)))
	short.Run.Order = trace.Order(strings.ReplaceAll(string(short.Run.Order), "000000Z", "000Z"))
	for _, o := range []trace.Op{upper, short} {
		w.write(o)
		equal(t, "order", w.run(o.Run.ID).Order, o.Run.Order)
	}
}

func testOpenAgain(t *testing.T, w *world) {
	o := w.post("kept", 0)
	w.write(o)
	w.again(store.Config{})
	w.write(end(o, 1))
	equal(t, "status", w.status(o.Run.ID), trace.Success)
	equal(t, "second post", errors.Is(w.tryWrite(o)[0], trace.ErrDuplicate), true)
}

func testDuplicate(t *testing.T, w *world) {
	o := w.post("first", 0)
	second := o
	second.Run.Name = "second"
	errs := w.tryWrite(o, second, w.post("other", 0))
	equal(t, "errors", []bool{errs[0] == nil, errors.Is(errs[1], trace.ErrDuplicate), errs[2] == nil}, []bool{true, true, true})
	w.write(end(o, 1))
	for range 2 {
		equal(t, "error", errors.Is(w.tryWrite(second)[0], trace.ErrDuplicate), true)
		equal(t, "name", w.run(o.Run.ID).Name, "first")
		equal(t, "status", w.status(o.Run.ID), trace.Success)
		w.pass(3 * 24 * time.Hour)
	}
	w.write(end(o, 1)) // a patch that is sent again
	equal(t, "runs", w.stats(t).Runs, 2)
}

func testRefused(t *testing.T, w *world) {
	good := w.post("good", 0)
	noID, noName, wrongPlace := w.post("a", 0), w.post("b", 0), w.below(good, "c", 1)
	noID.Run.ID, noName.Run.Name, wrongPlace.Run.Parent = trace.ID{}, "", w.id()
	errs := w.tryWrite(noID, good, noName, wrongPlace)
	for i, code := range []slipway.Code{slipway.CodeInvalid, "", slipway.CodeInvalid, slipway.CodeInvalid} {
		if slipway.CodeOf(errs[i]) != code || code == "" && errs[i] != nil {
			t.Errorf("operation %d: %v, want the code %q", i, errs[i], code)
		}
	}
	equal(t, "runs", names(w.list(t)), []string{"good"})
}

// list are the runs of the project, newest first.
func (w *world) list(t failer) []trace.Run {
	t.Helper()
	return w.all(t, trace.Query{Projects: []slipway.ProjectID{w.project}})
}

func (w *world) stats(t failer) trace.Stats {
	t.Helper()
	all, err := w.Stats(w.Context(), []slipway.ProjectID{w.project})
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	return all[w.project]
}

// Nobody can patch, or be in the way of, a run of another workspace.
func testWorkspaces(t *testing.T, w *world) {
	mine := w.post("mine", 0)
	w.write(mine)
	other := newID[slipway.WorkspaceID]()
	theirs := mine
	theirs.Run.Workspace, theirs.Run.Project, theirs.Run.Name = other, newID[slipway.ProjectID](), "theirs"
	w.write(end(theirs, 5), theirs)
	equal(t, "mine", w.status(mine.Run.ID), trace.Pending)
	r, err := w.Run(t.Context(), other, mine.Run.ID, 0)
	equal(t, "error", err, error(nil))
	equal(t, "theirs", []string{r.Name, string(r.Status())}, []string{"theirs", "success"})
	found := w.all(t, trace.Query{Workspace: other, Projects: []slipway.ProjectID{w.project}})
	equal(t, "my runs by their key", found, []trace.Run{})
	runs, err := w.Trace(t.Context(), other, mine.Run.ID, nil)
	equal(t, "error", err, error(nil))
	equal(t, "their trace", names(runs), []string{"theirs"})
}

// A run is shown once its post has come, and patches that came before count.
func testStub(t *testing.T, w *world) {
	o := w.post("late", 0)
	o.Run.End = at(100)
	w.write(end(o, 2))
	w.absent(o.Run.ID)
	equal(t, "runs", w.list(t), []trace.Run{})
	equal(t, "counted", w.stats(t).Runs, 0)
	w.pass(48 * time.Hour)
	w.write(o)
	r := w.run(o.Run.ID)
	equal(t, "end", r.End, at(2))
	equal(t, "outputs", r.Outputs, value(map[string]any{"answer": 2}))
	equal(t, "counted", w.stats(t).Runs, 1)
	equal(t, "stored twice", len(w.list(t)), 1)
}

// A stub is of the project that any of its patches tells, and goes with it.
func testStubDeleted(t *testing.T, w *world) {
	o := w.post("late", 0)
	w.write(end(o, 2))
	w.write(patch(o, func(r *trace.Run) { r.Project = w.project }))
	left, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "left", []any{left, err}, []any{0, error(nil)})
	w.pass(time.Hour)
	w.write(o)
	equal(t, "status", w.status(o.Run.ID), trace.Pending)
}

// What is told of a run on another day finds it.
func testMidnight(t *testing.T, w *world) {
	root := w.post("root", 11*3600+3500)
	child := w.below(root, "child", 12*3600+10) // the next day
	w.write(root)
	w.pass(12*time.Hour + time.Minute)
	w.write(child, end(root, 12*3600+20))
	bare := trace.Op{Kind: trace.Patch, Run: trace.Run{ID: child.Run.ID, Workspace: w.workspace, End: at(12*3600 + 15)}}
	w.pass(72 * time.Hour)
	w.write(bare)
	for _, id := range []trace.ID{root.Run.ID, child.Run.ID} {
		equal(t, "status", w.status(id), trace.Success)
	}
	runs, err := w.Trace(t.Context(), w.workspace, root.Run.ID, nil)
	equal(t, "error", err, error(nil))
	equal(t, "trace", names(runs), []string{"root", "child"})
}

// Of a clock that is wrong no day is made, and what is kept is as it was told.
func testSkew(t *testing.T, w *world) {
	const year = 365 * 24 * 3600
	past, future, backwards := w.post("past", -10*year), w.post("future", 10*year), w.post("backwards", 100)
	w.write(past, future, backwards)
	w.pass(48 * time.Hour)
	w.write(end(past, -10*year+1), end(future, 10*year+2), end(backwards, 50))
	for _, o := range []trace.Op{past, future, backwards} {
		equal(t, "second post", errors.Is(w.tryWrite(o)[0], trace.ErrDuplicate), true)
		equal(t, "start", w.run(o.Run.ID).Start, o.Run.Start)
	}
	r := w.run(backwards.Run.ID)
	d, ended := r.Latency()
	equal(t, "latency", []any{d, ended}, []any{time.Duration(0), true})
	equal(t, "newest first", names(w.list(t)), []string{"future", "backwards", "past"})
	days, err := w.Days(t.Context())
	equal(t, "error", err, error(nil))
	equal(t, "days", len(days), 1)
}

// What was from the future when it came is found when its day is today.
func testAhead(t *testing.T, w *world) {
	var ops []trace.Op
	for days := range 5 {
		ops = append(ops, w.post("ahead", float64(days*24*3600)))
	}
	w.write(ops...)
	for range 6 {
		w.pass(24 * time.Hour)
		for i, err := range w.tryWrite(ops...) {
			equal(t, fmt.Sprint("second post ", i), errors.Is(err, trace.ErrDuplicate), true)
		}
		w.write(end(ops[4], 5*24*3600))
	}
	equal(t, "runs", w.stats(t).Runs, len(ops))
}

// A patch that tells nothing of where its run stands comes before a post that is
// kept with another day.
func testWandering(t *testing.T, w *world) {
	o := w.post("wanders", 0)
	w.write(trace.Op{Kind: trace.Patch, Run: trace.Run{ID: o.Run.ID, Workspace: w.workspace, Tags: []string{"early"}}})
	w.pass(24 * time.Hour)
	yesterday := w.post("yesterday", 0)
	o.Run.Order, o.Run.Start = trace.Order("").With(at(-12*3600-1), o.Run.ID), at(-12*3600-1)
	w.write(o, yesterday)
	equal(t, "tags", w.run(o.Run.ID).Tags, []string{"early"})
	equal(t, "runs", names(w.list(t)), []string{"yesterday", "wanders"})
}

// A stray has posts looked for in its own day only, and is found by its post.
func testStrays(t *testing.T, w *world) {
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	open := w.place.Open
	w.place.Open = func(t testing.TB) store.Engine { return countedEngine{open(t), &asked} }
	w.open(store.Config{})
	stray := w.post("stray", 0)
	w.write(trace.Op{Kind: trace.Patch, Run: trace.Run{ID: stray.Run.ID, Workspace: w.workspace, Tags: []string{"early"}}})
	const days = 6
	for day := range days {
		w.write(w.post("run", float64(day*24*3600)))
		w.pass(24 * time.Hour)
	}
	asked = 0
	w.write(w.post("run", days*24*3600), w.post("run", days*24*3600+1))
	if asked > 1 {
		t.Errorf("%d times something was looked for elsewhere", asked)
	}
	stray.Run.Start = at(days * 24 * 3600)
	stray.Run.Order = trace.Order("").With(stray.Run.Start, stray.Run.ID)
	w.write(stray)
	equal(t, "tags", w.run(stray.Run.ID).Tags, []string{"early"})
	equal(t, "runs", w.stats(t).Runs, days+3)
}

func testOrphans(t *testing.T, w *world) {
	missing := w.post("never sent", 0)
	child := w.below(missing, "child", 1)
	grandchild := w.below(child, "grandchild", 2)
	loose := w.post("loose", 3) // as OpenTelemetry tells of it: without an order
	loose.Run.Trace, loose.Run.Parent, loose.Run.Order = missing.Run.ID, child.Run.ID, ""
	w.write(loose, grandchild, child)
	runs, err := w.Trace(t.Context(), w.workspace, missing.Run.ID, nil)
	equal(t, "error", err, error(nil))
	equal(t, "trace", names(runs), []string{"child", "grandchild", "loose"})
	equal(t, "order", runs[2].Order, child.Run.Order.With(at(3), loose.Run.ID))
	equal(t, "roots", w.all(t, trace.Query{Projects: []slipway.ProjectID{w.project}, Root: new(true)}), []trace.Run{})
	equal(t, "parent", w.run(child.Run.ID).Parent, missing.Run.ID)
}

func testStrangeText(t *testing.T, w *world) {
	o := w.post("a\x00b\xff", 0)
	o.Run.Error, o.Run.Tags, o.Run.Type = "\xc3(", []string{"\x00"}, strings.Repeat("é", 5000)
	o.Run.Inputs = trace.Inline([]byte("{\"a\": \"\xff\\u0000\"}"))
	o.Run.Attachments = map[string]trace.Attachment{"ünïcode/../name": {Type: "x", Content: trace.Inline([]byte{})}}
	w.write(o)
	r := w.run(o.Run.ID)
	equal(t, "texts", []string{r.Name, r.Error, r.Tags[0], string(r.Inputs.Inline)}, []string{"a\uFFFDb\uFFFD", "\uFFFD(", "\uFFFD", "{\"a\": \"\uFFFD\\u0000\"}"})
	equal(t, "attachments", r.Attachments, o.Run.Attachments)
	if len(r.Type) > 4<<10 || !strings.HasSuffix(r.Type, "é…") {
		t.Errorf("the type has %d bytes", len(r.Type))
	}
	equal(t, "by the name as it was sent", len(w.all(t, trace.Query{Projects: []slipway.ProjectID{w.project}, Name: "a\x00b\xff"})), 1)
}

// What is large lies in blobs, wherever it came from, and comes back.
func testLarge(t *testing.T, w *world) {
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 3<<20)
	_, _ = random.Read(noise)
	put, err := w.Put(t.Context(), bytes.NewReader(noise))
	equal(t, "error", err, error(nil))
	equal(t, "size", put.Size, int64(len(noise)))
	o := w.post("large", 0)
	o.Run.Outputs = value(strings.Repeat("many words ", 1<<18))
	o.Run.Attachments = map[string]trace.Attachment{"noise": {Type: "application/octet-stream", Content: put}}
	w.write(o)
	r := w.run(o.Run.ID)
	for _, c := range []struct {
		is   trace.Content
		want []byte
	}{{r.Outputs, o.Run.Outputs.Inline}, {r.Attachments["noise"].Content, noise}} {
		equal(t, "size", c.is.Size, int64(len(c.want)))
		equal(t, "in a blob", c.is.Blob != "" && c.is.Inline == nil, true)
		equal(t, "content", bytes.Equal(w.read(c.is), c.want), true)
	}
	small, err := w.Put(t.Context(), strings.NewReader("small"))
	equal(t, "error", err, error(nil))
	equal(t, "small", small, trace.Inline([]byte("small")))
	equal(t, "blobs", w.blobs(), 2)
	equal(t, "refused", errors.Is(w.tryWrite(o)[0], trace.ErrDuplicate), true)
	// Its outputs went to a blob once more, and from there; its attachment is that of the run.
	equal(t, "blobs", w.blobs() <= 2, true)
}

func (w *world) read(c trace.Content) []byte {
	w.Helper()
	r, err := w.Open(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func (w *world) blobs() int {
	w.Helper()
	names, err := w.place.Blobs.List(w.Context(), "traces")
	if err != nil {
		w.Fatal(err)
	}
	return len(names)
}

// A patch's attachment replaces the post's of its name, whichever came first.
func testAttachments(t *testing.T, w *world) {
	file := func(text string) trace.Attachment {
		return trace.Attachment{Type: "text/plain", Content: trace.Inline([]byte(text))}
	}
	for _, postFirst := range []bool{true, false} {
		o := w.post("post", 0)
		o.Run.Attachments = map[string]trace.Attachment{"both": file("post"), "post": file("post")}
		p := patch(o, func(r *trace.Run) {
			r.Attachments = map[string]trace.Attachment{"both": file("patch"), "patch": file("patch")}
		})
		if postFirst {
			w.write(o)
			w.write(p)
		} else {
			w.write(p)
			w.write(o)
		}
		equal(t, "attachments", w.run(o.Run.ID).Attachments, map[string]trace.Attachment{"both": file("patch"), "post": file("post"), "patch": file("patch")})
	}
}

// The longest names, of text that does not compress, and what is longer.
func testLongNames(t *testing.T, w *world) {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	name := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(' ' + 1 + random.IntN('~'-' '))
		}
		return string(b)
	}
	o, long := w.post(name(4<<10), 0), w.post("long", 1)
	o.Run.Type, o.Run.Tags = name(4<<10), []string{name(4 << 10)}
	o.Run.Attachments = map[string]trace.Attachment{name(1 << 10): {Type: "x", Content: trace.Inline([]byte("1"))}}
	long.Run.Attachments = map[string]trace.Attachment{name(1<<10 + 1): {Type: "x", Content: trace.Inline([]byte("1"))}}
	errs := w.tryWrite(o, long)
	equal(t, "errors", []any{errs[0], slipway.CodeOf(errs[1])}, []any{error(nil), slipway.CodeInvalid})
	equal(t, "run", w.run(o.Run.ID), o.Run)
}

// Operations of many writers, some on the same runs.
func testTogether(t *testing.T, w *world) {
	const writers, each = 16, 25
	shared := w.post("shared", 0)
	ops := make([][]trace.Op, writers)
	for i := range ops {
		for j := range each {
			ops[i] = append(ops[i], w.post("own", float64(i*each+j)))
		}
	}
	var duplicates sync.Map
	var all sync.WaitGroup
	for i, mine := range ops {
		all.Go(func() {
			errs, err := w.Write(t.Context(), []trace.Op{shared})
			if err != nil {
				t.Error(err)
				return
			}
			duplicates.Store(i, errors.Is(errs[0], trace.ErrDuplicate))
			for _, o := range mine {
				for _, o := range []trace.Op{o, end(o, 1e6)} {
					if errs, err := w.Write(t.Context(), []trace.Op{o}); err != nil || errs[0] != nil {
						t.Error(errs, err)
					}
				}
			}
		})
	}
	all.Wait()
	first := 0
	duplicates.Range(func(_, duplicate any) bool {
		if !duplicate.(bool) {
			first++
		}
		return true
	})
	equal(t, "posts of the shared run that were taken", first, 1)
	s := w.stats(t)
	equal(t, "runs", []int{s.Runs, s.Roots, s.Pending}, []int{writers*each + 1, writers*each + 1, 1})
	equal(t, "list", len(w.list(t)), writers*each+1)
}
