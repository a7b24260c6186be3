// Package tracetest makes what agents send, for tests and measurements.
package tracetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// Traffic makes operations as agents send them: traces of a root and three
// children, whose values are text of about 2 KB a run.
type Traffic struct {
	Workspace slipway.WorkspaceID
	Project   slipway.ProjectID
	random    *rand.Rand
}

func NewTraffic(seed uint64, now time.Time) *Traffic {
	return &Traffic{slipway.NewID[slipway.WorkspaceID](now), slipway.NewID[slipway.ProjectID](now), rand.New(rand.NewPCG(seed, 1))}
}

var words = strings.Fields("the agent asked for weather in a town and got an answer that it did not expect because tools may fail when nobody looks after them which is why people read traces to learn what happened and when")

func (f *Traffic) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%s ", words[f.random.IntN(len(words))])
		if f.random.IntN(8) == 0 {
			fmt.Fprintf(&b, "%x ", f.random.Uint32())
		}
	}
	return b.String()
}

func (f *Traffic) id() trace.ID {
	var id trace.ID
	for i := range id {
		id[i] = byte(f.random.Uint32())
	}
	return id
}

// Trace is one: posts and, for each, the patch that ends it.
func (f *Traffic) Trace(begin time.Time) (ops []trace.Op) {
	id := f.id()
	root := trace.Run{ID: id, Trace: id, Order: trace.Order("").With(begin, id), Start: begin, Name: "agent", Type: "chain"}
	runs := []trace.Run{root}
	for n := range 3 {
		c := trace.Run{ID: f.id(), Trace: id, Parent: id, Start: begin.Add(time.Duration(n+1) * time.Millisecond), Name: []string{"model", "tools", "model"}[n], Type: "llm"}
		c.Order = root.Order.With(c.Start, c.ID)
		runs = append(runs, c)
	}
	for _, r := range runs {
		r.Workspace, r.Project = f.Workspace, f.Project
		r.Inputs = value(map[string]any{"messages": []any{map[string]any{"role": "user", "content": f.text(800)}}})
		r.Extra = value(map[string]any{
			"metadata": map[string]any{"ls_provider": "x", "thread_id": r.Trace.String(), "langgraph_node": r.Name, "langgraph_step": 3},
			"runtime":  map[string]any{"sdk": "langsmith-py", "sdk_version": "0.11.0", "library": "langsmith", "platform": "Linux-6.1.0-x86_64-with-glibc2.36", "runtime": "python", "runtime_version": "3.12.4"},
		})
		p := trace.Run{ID: r.ID, Workspace: f.Workspace, Trace: r.Trace, Parent: r.Parent, Order: r.Order, End: r.Start.Add(time.Second)}
		p.Outputs = value(map[string]any{"messages": []any{map[string]any{"role": "assistant", "content": f.text(800)}}})
		ops = append(ops, trace.Op{Kind: trace.Post, Run: r}, trace.Op{Kind: trace.Patch, Run: p})
	}
	return ops
}

// Stream is what many agents send: of each trace the posts, and the patches only
// after others have begun, as calls of models take longer than a client waits
// before it sends. Most patches so find their runs in the store.
func (f *Traffic) Stream(begin time.Time, traces int) (ops []trace.Op) {
	const open = 64 // traces that have begun and not ended
	var patches [][]trace.Op
	for n := range traces {
		var mine []trace.Op
		for _, o := range f.Trace(begin.Add(time.Duration(n) * 10 * time.Millisecond)) {
			if o.Kind == trace.Post {
				ops = append(ops, o)
			} else {
				mine = append(mine, o)
			}
		}
		if patches = append(patches, mine); len(patches) > open {
			ops, patches = append(ops, patches[0]...), patches[1:]
		}
	}
	for _, rest := range patches {
		ops = append(ops, rest...)
	}
	return ops
}

// Bytes are those that an operation brings.
func Bytes(o trace.Op) (b []byte) {
	for _, c := range []trace.Content{o.Run.Inputs, o.Run.Outputs, o.Run.Extra} {
		b = append(b, c.Inline...)
	}
	return b
}

func value(v any) trace.Content {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers can always be written
	}
	return trace.Inline(b)
}
