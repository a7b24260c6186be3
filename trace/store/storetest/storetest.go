// Package storetest is the suite that every engine of traces must pass.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

// Place is where a store is, empty when a test gets it. Open may be called again
// once what it returned is closed.
type Place struct {
	Open  func(testing.TB) store.Engine
	Blobs store.Blobs
}

// Run tests stores in the places that make returns.
func Run(t *testing.T, place func(*testing.T) Place) {
	tests := map[string]func(*testing.T, *world){
		"Row":            testRow,
		"Orders":         testOrders,
		"Usage":          testUsage,
		"OpenAgain":      testOpenAgain,
		"Duplicate":      testDuplicate,
		"Refused":        testRefused,
		"Workspaces":     testWorkspaces,
		"Stub":           testStub,
		"StubDeleted":    testStubDeleted,
		"Midnight":       testMidnight,
		"Skew":           testSkew,
		"Ahead":          testAhead,
		"Wandering":      testWandering,
		"Strays":         testStrays,
		"Orphans":        testOrphans,
		"StrangeText":    testStrangeText,
		"Large":          testLarge,
		"Attachments":    testAttachments,
		"LongNames":      testLongNames,
		"Together":       testTogether,
		"Spoilt":         testSpoilt,
		"AnyOrder":       testAnyOrder,
		"QueryModel":     testQueryModel,
		"Queries":        testQueries,
		"Pages":          testPages,
		"Parts":          testParts,
		"HeavyPages":     testHeavyPages,
		"OfRoot":         testOfRoot,
		"Trace":          testTrace,
		"Stats":          testStats,
		"StatsOfMany":    testStatsOfMany,
		"DeleteProject":  testDeleteProject,
		"DeleteAgain":    testDeleteAgain,
		"WriteMeanwhile": testWriteMeanwhile,
		"Loose":          testLoose,
		"RetainAge":      testRetainAge,
		"RetainBytes":    testRetainBytes,
		"Sweep":          testSweep,
		"Days":           testDays,
		"Closed":         testClosed,
		"EndedContext":   testEndedContext,
		"ReadWhileDrops": testReadWhileDrops,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{TB: t, place: place(t), workspace: newID[slipway.WorkspaceID](), project: newID[slipway.ProjectID]()}
			w.now.Store(new(start))
			w.open(store.Config{})
			test(t, w)
		})
	}
}

// start is when the clock of a test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a store, a workspace and a project in it.
type world struct {
	testing.TB
	*store.Store
	place     Place
	workspace slipway.WorkspaceID
	project   slipway.ProjectID
	now       atomic.Pointer[time.Time]
	ids       int
}

func newID[T ~string]() T { return slipway.NewID[T](start) }

// open opens the store, with the test's clock, and sees to its end.
func (w *world) open(c store.Config) {
	w.Helper()
	c.Now = func() time.Time { return *w.now.Load() }
	s := store.New(w.place.Open(w.TB), w.place.Blobs, c)
	w.Store = s
	w.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	})
}

// again closes and opens it.
func (w *world) again(c store.Config) {
	w.Helper()
	if err := w.Close(); err != nil {
		w.Fatal(err)
	}
	w.open(c)
}

// pass lets time pass.
func (w *world) pass(d time.Duration) { w.now.Store(new(w.now.Load().Add(d))) }

// id is another one.
func (w *world) id() trace.ID {
	w.ids++
	id, err := trace.ParseID(fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(w.ids)*2654435761, w.ids))
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// at is a moment some seconds into the test's time.
func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second))).Truncate(time.Microsecond)
}

// post is one of a root run that began some seconds into the test's time.
func (w *world) post(name string, seconds float64) trace.Op {
	id := w.id()
	return trace.Op{Kind: trace.Post, Run: trace.Run{
		ID: id, Trace: id, Workspace: w.workspace, Project: w.project, Name: name, Type: "chain", Start: at(seconds),
		Order: trace.Order("").With(at(seconds), id), Inputs: value(map[string]any{"question": name}),
	}}
}

// below is the post of a child.
func (w *world) below(parent trace.Op, name string, seconds float64) trace.Op {
	o := w.post(name, seconds)
	p := parent.Run
	o.Run.Trace, o.Run.Parent, o.Run.Order = p.Trace, p.ID, p.Order.With(o.Run.Start, o.Run.ID)
	return o
}

// patch is one of a run, with its identity and place only.
func patch(of trace.Op, change func(*trace.Run)) trace.Op {
	r := trace.Run{ID: of.Run.ID, Workspace: of.Run.Workspace, Trace: of.Run.Trace, Parent: of.Run.Parent, Order: of.Run.Order}
	change(&r)
	return trace.Op{Kind: trace.Patch, Run: r}
}

func end(of trace.Op, seconds float64) trace.Op {
	return patch(of, func(r *trace.Run) { r.End, r.Outputs = at(seconds), value(map[string]any{"answer": seconds}) })
}

func value(v any) trace.Content {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return trace.Inline(b)
}

// write wants all operations to be taken.
func (w *world) write(ops ...trace.Op) {
	w.Helper()
	for i, err := range w.tryWrite(ops...) {
		if err != nil {
			w.Fatalf("operation %d: %v", i, err)
		}
	}
}

func (w *world) tryWrite(ops ...trace.Op) []error {
	w.Helper()
	errs, err := w.Write(w.Context(), ops)
	if err != nil {
		w.Fatal(err)
	}
	return errs
}

// run reads a run with all that is known of it.
func (w *world) run(id trace.ID) trace.Run {
	w.Helper()
	r, err := w.Run(w.Context(), w.workspace, id, trace.AllFields)
	if err != nil {
		w.Fatalf("run %s: %v", id, err)
	}
	return r
}

func (w *world) status(id trace.ID) trace.Status {
	w.Helper()
	r := w.run(id)
	return r.Status()
}

func (w *world) absent(id trace.ID) {
	w.Helper()
	if r, err := w.Run(w.Context(), w.workspace, id, 0); !errors.Is(err, slipway.ErrNoRow) {
		w.Fatalf("run %s is there: %+v, %v", id, r, err)
	}
}

// all reads all pages of a query.
func (w *world) all(t failer, q trace.Query) []trace.Run {
	t.Helper()
	if q.Workspace == "" {
		q.Workspace = w.workspace
	}
	runs := []trace.Run{}
	for {
		page, err := w.Query(context.Background(), q)
		if err != nil {
			t.Fatalf("query: %v", err)
		}
		runs = append(runs, page.Runs...)
		if q.After = page.Next; q.After.IsZero() {
			return runs
		}
		if len(runs) > 100_000 {
			t.Fatalf("the pages do not end")
		}
	}
}

func names(runs []trace.Run) []string {
	all := []string{}
	for _, r := range runs {
		all = append(all, r.Name)
	}
	return all
}

// failer is a test of either kind: testing's or rapid's.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func equal(t failer, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
