package storetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

// noise makes content that goes to a blob and does not compress.
func (w *world) noise(seed byte) trace.Content {
	w.Helper()
	b := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	c, err := w.Put(w.Context(), bytes.NewReader(b))
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// perDay is how many runs fill makes a day: more than a batch of a deletion
// removes.
const perDay = 1020

// fill writes runs on several days, one of each with a blob, another a stub.
func (w *world) fill(days int) {
	w.Helper()
	for d := range days {
		var ops []trace.Op
		for n := range perDay - 1 {
			ops = append(ops, w.post("run", float64(d*24*3600+n)))
		}
		ops[0].Run.Outputs = w.noise(byte(d))
		ops = append(ops, patch(w.post("stub", float64(d*24*3600)), func(r *trace.Run) { r.Project, r.Error = w.project, "x" }))
		w.write(ops...)
		w.pass(24 * time.Hour)
	}
}

func testDeleteProject(t *testing.T, w *world) {
	w.fill(2)
	other := w.post("other", 0)
	other.Run.Project, other.Run.Outputs = newID[slipway.ProjectID](), w.noise(9)
	w.write(other)
	before, calls := 2*perDay, 0
	for left := before; left > 0; calls++ {
		now, err := w.DeleteProject(t.Context(), w.project)
		if err != nil {
			t.Fatal(err)
		}
		if now >= left {
			t.Fatalf("%d were left, now %d", left, now)
		}
		left = now
		if s := w.stats(t); s.Runs > left || s.Runs < left-2 { // the stubs are not counted
			t.Fatalf("%d are left, %d counted", left, s.Runs)
		}
		w.again(store.Config{}) // as if it had died
	}
	if calls < 4 {
		t.Errorf("%d calls deleted %d runs", calls, before)
	}
	equal(t, "runs", w.list(t), []trace.Run{})
	equal(t, "stats", w.stats(t), trace.Stats{})
	equal(t, "blobs", w.blobs(), 1)
	equal(t, "the other's run", w.run(other.Run.ID).Name, "other")
	left, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "deleted again", []any{left, err}, []any{0, error(nil)})
}

// What arrives for a project that was deleted is refused, and leaves nothing.
func testDeleteAgain(t *testing.T, w *world) {
	o, other := w.post("again", 0), w.post("other", 0)
	other.Run.Project = newID[slipway.ProjectID]()
	w.write(o)
	for range 2 {
		left, err := w.DeleteProject(t.Context(), w.project)
		equal(t, "left", []any{left, err}, []any{0, error(nil)})
		late := end(o, 1)
		late.Run.Project, late.Run.Outputs = w.project, w.noise(1)
		errs := w.tryWrite(o, late, other)
		equal(t, "codes", []slipway.Code{slipway.CodeOf(errs[0]), slipway.CodeOf(errs[1])}, []slipway.Code{slipway.CodeInvalid, slipway.CodeInvalid})
		w.absent(o.Run.ID)
		equal(t, "blobs", w.blobs(), 0)
		equal(t, "the other's", w.run(other.Run.ID).Name, "other")
	}
	equal(t, "error", w.Expect(t.Context(), w.project), error(nil))
	w.write(w.post("made again", 0))
	_, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "error", err, error(nil))
	w.pass(time.Hour) // nothing that found the project is on its way any more
	w.write(w.post("later", 0))
	left, err := w.DeleteProject(t.Context(), newID[slipway.ProjectID]())
	equal(t, "a project that never was", []any{left, err}, []any{0, error(nil)})
}

// Runs are written while a day's blobs are removed, and while space is given back.
func testWriteMeanwhile(t *testing.T, w *world) {
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var writes sync.Once
	meanwhile := func(ops ...trace.Op) {
		writes.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			errs, err := w.Write(ctx, ops)
			if err != nil || slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
				t.Errorf("nothing is written meanwhile: %v, %v", errs, err)
			}
		})
	}
	var removing, trimming func()
	open := w.place.Open
	w.place.Open = func(t testing.TB) store.Engine { return watchedEngine{open(t), func() { trimming() }} }
	w.place.Blobs = watchedBlobs{w.place.Blobs, func() { removing() }}
	w.open(store.Config{Age: 24 * time.Hour})
	other := w.post("meanwhile", 1)
	other.Run.Project = newID[slipway.ProjectID]()
	removing, trimming = func() {}, func() { meanwhile(other) }
	w.write(w.post("run", 0))
	left, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "left", []any{left, err}, []any{0, error(nil)})

	w.pass(time.Hour)
	o := w.post("run", 3600)
	o.Run.Outputs = w.noise(1)
	w.write(o)
	w.pass(48 * time.Hour)
	late := patch(o, func(r *trace.Run) { r.Events = w.noise(2) })
	writes, removing = sync.Once{}, func() { meanwhile(w.post("meanwhile", 48*3600), late) }
	dropped, err := w.Retain(t.Context())
	equal(t, "dropped", []any{len(dropped), err}, []any{1, error(nil)})
	equal(t, "blobs", w.blobs(), 0)
}

// watchedEngine and watchedBlobs tell when they begin to give back space.
type watchedEngine struct {
	store.Engine
	trimming func()
}

func (e watchedEngine) Trim(ctx context.Context, d store.Date) error {
	e.trimming()
	return e.Engine.Trim(ctx, d)
}

type watchedBlobs struct {
	store.Blobs
	removing func()
}

func (b watchedBlobs) DeleteAll(ctx context.Context, folder string) error {
	b.removing()
	return b.Blobs.DeleteAll(ctx, folder)
}

// A patch that tells no project waits an hour for its post, and no longer: the run
// may be one that was removed before.
func testLoose(t *testing.T, w *world) {
	o, told, late := w.post("removed", 0), w.post("told", 1), w.post("late", 2)
	w.write(o)
	_, err := w.DeleteProject(t.Context(), w.project)
	equal(t, "error", err, error(nil))
	large := func(n byte) func(*trace.Run) { return func(r *trace.Run) { r.Outputs = w.noise(n) } }
	named := patch(told, large(2))
	named.Run.Project = newID[slipway.ProjectID]()
	told.Run.Project, late.Run.Project = named.Run.Project, named.Run.Project
	w.write(patch(o, large(1)), named, patch(late, large(3)))
	retain := func() {
		_, err := w.Retain(t.Context())
		equal(t, "error", err, error(nil))
	}
	retain()
	w.pass(50 * time.Minute)
	retain()
	equal(t, "blobs", w.blobs(), 3)
	w.write(late)
	w.pass(20 * time.Minute)
	retain()
	equal(t, "blobs", w.blobs(), 2)
	w.write(told)
	for _, o := range []trace.Op{told, late} {
		w.read(w.run(o.Run.ID).Outputs)
	}
	o.Run.Project = told.Run.Project
	w.write(o)
	equal(t, "outputs of what was removed", w.run(o.Run.ID).Outputs, trace.Content{})
}

func testRetainAge(t *testing.T, w *world) {
	w.again(store.Config{Age: 3 * 24 * time.Hour})
	old, long := w.post("old", 0), w.post("long", 0)
	old.Run.Outputs = w.noise(1)
	w.write(old, long)
	for day := 1; day <= 3; day++ {
		w.pass(24 * time.Hour)
		w.write(w.post("run", float64(day*24*3600)))
		dropped, err := w.Retain(t.Context())
		equal(t, "dropped", []any{len(dropped), err}, []any{0, error(nil)})
	}
	w.pass(24 * time.Hour)
	dropped, err := w.Retain(t.Context())
	equal(t, "dropped", []any{len(dropped), err}, []any{1, error(nil)})
	equal(t, "day", dropped[0].Date, start.Truncate(24*time.Hour))
	w.absent(old.Run.ID)
	equal(t, "blobs", w.blobs(), 0)
	equal(t, "runs", w.stats(t).Runs, 3)
	// What is told of it now does not make its day anew.
	w.write(end(long, 5))
	w.absent(long.Run.ID)
	days, err := w.Days(t.Context())
	equal(t, "error", err, error(nil))
	for _, d := range days {
		if d.Date.Before(start.Add(24 * time.Hour).Truncate(24 * time.Hour)) {
			t.Errorf("there is a day %s", d.Date)
		}
	}
}

func testRetainBytes(t *testing.T, w *world) {
	w.fill(3)
	w.write(w.post("today", 3*24*3600))
	w.again(store.Config{}) // what is in logs goes to the files
	days, err := w.Days(t.Context())
	equal(t, "days", []any{len(days), err}, []any{4, error(nil)})
	var all int64
	for _, d := range days {
		if all += d.Bytes; d.Bytes < 1<<20 && d != days[3] {
			t.Errorf("a day with a blob of 1 MiB takes %d bytes", d.Bytes)
		}
	}
	w.again(store.Config{Bytes: all - days[0].Bytes - 1})
	dropped, err := w.Retain(t.Context())
	equal(t, "dropped", []any{len(dropped), err}, []any{2, error(nil)})
	equal(t, "runs", w.stats(t).Runs, perDay)
	equal(t, "blobs", w.blobs(), 1)
	w.again(store.Config{Bytes: 1})
	_, err = w.Retain(t.Context())
	equal(t, "error", err, error(nil))
	equal(t, "today's", names(w.list(t)), []string{"today"})
	equal(t, "blobs", w.blobs(), 0)
}

// A blob that no run has taken goes after a day, not before.
func testSweep(t *testing.T, w *world) {
	lost, kept := w.noise(1), w.post("kept", 0)
	kept.Run.Outputs = w.noise(2)
	w.write(kept)
	for _, left := range []int{2, 1, 1} {
		_, err := w.Retain(t.Context())
		equal(t, "blobs", []any{w.blobs(), err}, []any{left, error(nil)})
		w.pass(25 * time.Hour)
	}
	_, err := w.Open(t.Context(), lost)
	equal(t, "the lost one opens", err == nil, false)
	w.read(w.run(kept.Run.ID).Outputs)
	discarded := w.noise(3)
	equal(t, "error", w.Discard(t.Context(), discarded), error(nil))
	equal(t, "blobs", w.blobs(), 1)
}

func testDays(t *testing.T, w *world) {
	days, err := w.Days(t.Context())
	equal(t, "days", []any{len(days), err}, []any{0, error(nil)})
	w.write(w.post("today", 0), w.post("yesterday", -24*3600), w.post("tomorrow", 24*3600), w.post("next year", 365*24*3600))
	days, err = w.Days(t.Context())
	equal(t, "days", []any{len(days), err}, []any{3, error(nil)})
	for i, d := range days {
		equal(t, "date", d.Date, start.Truncate(24*time.Hour).AddDate(0, 0, i-1))
	}
}

func testClosed(t *testing.T, w *world) {
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, write := w.Write(t.Context(), []trace.Op{w.post("late", 0)})
	_, query := w.Query(t.Context(), trace.Query{Workspace: w.workspace, Projects: []slipway.ProjectID{w.project}})
	_, stats := w.Stats(t.Context(), nil)
	_, left := w.DeleteProject(t.Context(), w.project)
	_, retain := w.Retain(t.Context())
	for _, err := range []error{write, query, stats, left, retain} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("error is %v", err)
		}
	}
	equal(t, "closed again", w.Close(), error(nil))
}

func testEndedContext(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := w.post("never", 0)
	_, err := w.Write(ctx, []trace.Op{o})
	equal(t, "error", errors.Is(err, context.Canceled), true)
	w.absent(o.Run.ID)
}

// Days go while others read and write.
func testReadWhileDrops(t *testing.T, w *world) {
	w.again(store.Config{Bytes: 1})
	var all sync.WaitGroup
	ended := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				page, err := w.Query(context.Background(), trace.Query{Workspace: w.workspace, Projects: []slipway.ProjectID{w.project}, Select: trace.AllFields})
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range page.Runs {
					if r.Name != "run" {
						t.Errorf("there is a run %+v", r)
					}
				}
			}
		})
	}
	for d := range 4 {
		w.write(w.post("run", float64(d*24*3600)), w.post("run", float64(d*24*3600+1)))
		if _, err := w.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.pass(24 * time.Hour)
	}
	close(ended)
	all.Wait()
	equal(t, "runs", w.stats(t).Runs, 2)
}
