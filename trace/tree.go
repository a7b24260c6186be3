package trace

import (
	"cmp"
	"slices"
	"strings"
)

// Arrange sorts the runs of a trace as their tree, depth first, and gives those
// an order that were sent without: below their parents, or below the root of the
// trace where a parent is not among them.
func Arrange(runs []Run) {
	at := make(map[ID]*Run, len(runs))
	for i := range runs {
		at[runs[i].ID] = &runs[i]
	}
	for i := range runs {
		order(at, &runs[i], 0)
	}
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(strings.Compare(string(a.Order), string(b.Order)), a.Start.Compare(b.Start))
	})
}

// order of a run. Parents that go in circles end at the bound.
func order(at map[ID]*Run, r *Run, deep int) Order {
	if r.Order != "" {
		return r.Order
	}
	var above Order
	switch parent, root := at[r.Parent], at[r.Trace]; {
	case deep >= maxSteps:
	case parent != nil && parent != r:
		above = order(at, parent, deep+1)
	case root != nil && root != r:
		above = order(at, root, deep+1)
	}
	if r.Order == "" { // unless it was above itself
		r.Order = above.With(r.Start, r.ID)
	}
	return r.Order
}
