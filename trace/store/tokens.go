package store

import (
	"slices"

	"github.com/slipwayhq/slipway/trace"
)

// tokens are the statements by which a transaction tells of usage.
type tokens struct{ remove, tell [][]any }

// note says how the usage of a run has changed; before is nil of a new one. Where
// it was not read it has not changed.
func (t *tokens) note(d Date, before, after *row) {
	place := func(r *row) []any { return []any{int64(d), r.Run.Trace[:], r.ID[:], r.workspace} }
	var was trace.Usage
	if before != nil {
		was = before.Usage
	}
	moved := before != nil && before.Run.Trace != after.Run.Trace
	if was == after.Usage && !moved {
		return
	}
	if (was != trace.Usage{}) {
		t.remove = append(t.remove, place(before))
	}
	if (after.Usage != trace.Usage{}) {
		t.tell = append(t.tell, append(place(after), after.Usage.Prompt, after.Usage.Completion))
	}
}

func (t *tx) writeTokens() error {
	if _, err := t.Exec(queries["delete_tokens"], t.tokens.remove); err != nil {
		return err
	}
	_, err := t.Exec(queries["tell_tokens"], t.tokens.tell)
	return err
}

// readUsage reads what rows have used, where groups may change that, or what it
// counts for. Rows may be nil.
func (t *tx) readUsage(rows []*row, groups []*group) error {
	var asked []*row
	for i, r := range rows {
		if r != nil && groups[i].mayMoveUsage(r) {
			asked = append(asked, r)
		}
	}
	return t.usage(asked)
}

// mayMoveUsage is for a row that is there.
func (g *group) mayMoveUsage(r *row) bool {
	return !r.Posted || slices.ContainsFunc(g.ops, func(o *op) bool {
		return o.Run.Usage != trace.Usage{} || o.Run.Type != "" || o.Run.Project != "" && o.Run.Project != r.Project
	})
}

// usage reads what rows have used by themselves.
func (t *tx) usage(rows []*row) error {
	args := make([][]any, len(rows))
	for i, r := range rows {
		args[i] = []any{int64(t.day), r.Run.Trace[:], r.ID[:], r.workspace}
	}
	return t.Query(queries["tokens"], args, func(i int, scan func(...any) error) error {
		return scan(&rows[i].Usage.Prompt, &rows[i].Usage.Completion)
	})
}

// shownUsage reads the usage of runs as it is shown: of roots that of all runs of
// the trace that are in the same project, as who sees one need not see another.
func (t *tx) shownUsage(rows []*row) error {
	var roots, others []*row
	for _, r := range rows {
		if r.Root() {
			roots = append(roots, r)
		} else {
			others = append(others, r)
		}
	}
	args := make([][]any, len(roots))
	for i, r := range roots {
		args[i] = []any{int64(t.day), r.Run.Trace[:], r.workspace, r.project}
	}
	err := t.Query(queries["tokens_of_trace"], args, func(i int, scan func(...any) error) error {
		return scan(&roots[i].Usage.Prompt, &roots[i].Usage.Completion)
	})
	if err != nil {
		return err
	}
	return t.usage(others)
}
