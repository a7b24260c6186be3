package storetest

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// testAnyOrder draws a post and patches of a run, and writes them in another
// order, split, repeated, in several batches and on several days: the run is the
// same. The patches tell different things, or the same: which of two patches
// wins is a question of order.
func testAnyOrder(t *testing.T, w *world) {
	rapid.Check(t, func(rt *rapid.T) {
		w.project = newID[slipway.ProjectID]()
		o := w.post("run", 0)
		if rapid.Bool().Draw(rt, "child") {
			o = w.below(w.post("parent", -1), "run", 0)
		}
		o.Run.Type = rapid.SampledFrom([]string{"chain", "llm"}).Draw(rt, "type")
		o.Run = w.more(rt, o.Run, "post")
		patches := w.patches(rt, o)
		var want trace.State
		for _, op := range append([]trace.Op{o}, patches...) {
			if err := op.Check(); err != nil {
				rt.Fatal(err)
			}
			if err := want.Apply(op); err != nil {
				rt.Fatal(err)
			}
		}
		ops := append(rapid.Permutation(patches).Draw(rt, "order"), patches[:rapid.IntRange(0, len(patches)).Draw(rt, "again")]...)
		for n := range rapid.IntRange(1, 2).Draw(rt, "posts") {
			at := rapid.IntRange(0, len(ops)).Draw(rt, "post at")
			second := o
			if n > 0 {
				at = len(ops)
				second.Run.Name = "second"
			}
			ops = append(ops[:at:at], append([]trace.Op{second}, ops[at:]...)...)
		}
		for len(ops) > 0 {
			n := rapid.IntRange(1, len(ops)).Draw(rt, "batch")
			errs, err := w.Write(context.Background(), ops[:n])
			if err != nil {
				rt.Fatal(err)
			}
			for _, err := range errs {
				if err != nil && !errors.Is(err, trace.ErrDuplicate) {
					rt.Fatal(err)
				}
			}
			if ops = ops[n:]; rapid.IntRange(0, 20).Draw(rt, "days") == 0 {
				w.pass(24 * time.Hour)
			}
		}
		got, err := w.Run(context.Background(), w.workspace, o.Run.ID, trace.AllFields)
		if err != nil {
			rt.Fatal(err)
		}
		if !want.UsesModel() {
			want.Usage = trace.Usage{}
		}
		equal(rt, "run", got, want.Run)
		equal(rt, "usage of the project", w.stats(rt).Usage, want.Usage)
		w.now.Store(new(start))
	})
}

// more tells, or does not, what a run may tell.
func (w *world) more(rt *rapid.T, r trace.Run, by string) trace.Run {
	maybe := func(what string) bool { return rapid.Bool().Draw(rt, by+" tells "+what) }
	if maybe("end") {
		r.End = at(float64(rapid.IntRange(0, 5).Draw(rt, "end")))
	}
	if maybe("error") {
		r.Error = by + " failed"
	}
	if maybe("tags") {
		r.Tags = []string{by}
	}
	if maybe("extra") {
		r.Extra = value(map[string]any{"metadata": map[string]any{"by": by}})
	}
	if maybe("outputs") {
		r.Outputs = value(map[string]any{"by": by})
	}
	if maybe("events") {
		r.Events = value([]string{by})
	}
	if maybe("usage") {
		r.Usage = trace.Usage{Prompt: int64(len(by)), Completion: 100}
	}
	if maybe("attachment") {
		r.Attachments = map[string]trace.Attachment{"shared": {Type: by, Content: trace.Inline([]byte(by))}, by: {Type: by, Content: trace.Inline([]byte(by))}}
	}
	return r
}

// patches are parts of one patch, each field in one of them or some.
func (w *world) patches(rt *rapid.T, of trace.Op) []trace.Op {
	whole := patch(of, func(r *trace.Run) { *r = w.more(rt, *r, "patch") })
	parts := make([]trace.Op, rapid.IntRange(1, 4).Draw(rt, "parts"))
	for i := range parts {
		parts[i] = patch(of, func(*trace.Run) {})
		if rapid.Bool().Draw(rt, "without place") {
			parts[i].Run.Order, parts[i].Run.Trace, parts[i].Run.Parent = "", trace.ID{}, trace.ID{}
		}
		if rapid.Bool().Draw(rt, "with project") {
			parts[i].Run.Project = of.Run.Project
		}
	}
	for _, move := range []func(to *trace.Run){
		func(to *trace.Run) { to.End = whole.Run.End },
		func(to *trace.Run) { to.Error = whole.Run.Error },
		func(to *trace.Run) { to.Tags = whole.Run.Tags },
		func(to *trace.Run) { to.Extra = whole.Run.Extra },
		func(to *trace.Run) { to.Outputs = whole.Run.Outputs },
		func(to *trace.Run) { to.Events = whole.Run.Events },
		func(to *trace.Run) { to.Usage = whole.Run.Usage },
		func(to *trace.Run) { to.Attachments = maps.Clone(whole.Run.Attachments) },
	} {
		for range rapid.IntRange(1, 2).Draw(rt, "told") {
			move(&parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "part")].Run)
		}
	}
	return parts
}

// testQueryModel writes random runs and asks random queries; the answers are
// those of a list in memory.
func testQueryModel(t *testing.T, w *world) {
	rapid.Check(t, func(rt *rapid.T) {
		w.project = slipway.ProjectID(newID[slipway.ProjectID]())
		other := slipway.ProjectID(newID[slipway.ProjectID]())
		var model []trace.Run
		var batches [3][]trace.Op // on days of their own
		for range rapid.IntRange(0, 20).Draw(rt, "runs") {
			r, ops := w.random(rt, model, other)
			model = append(model, r)
			for _, o := range ops {
				n := rapid.IntRange(0, len(batches)-1).Draw(rt, "batch")
				batches[n] = append(batches[n], o)
			}
		}
		for _, ops := range batches {
			w.mustWrite(rt, ops...)
			w.pass(24 * time.Hour)
		}
		if len(model) == 0 {
			return
		}
		for range 3 {
			w.compare(rt, model, w.randomQuery(rt, model, other))
		}
		w.now.Store(new(start))
	})
}
