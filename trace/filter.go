package trace

import "slices"

// Filter is a condition on a run, in the filter language of LangSmith, as its
// SDKs send it:
//
//	and(eq(run_type, "llm"), gt(latency, 2.5), or(has(tags, "beta"), neq(error, null)))
//
// The comparisons are eq, neq, gt, gte, lt and lte; in takes a list; has is of
// tags or metadata, exists of metadata, search of all text. and, or and not put
// them together. What compares a run's metadata_key and metadata_value in one
// and is about one entry of them.
type Filter struct {
	needs Fields
	holds condition
}

// condition is a part of a filter.
type condition interface {
	holds(*subject) bool
	// narrow says what must hold of all runs for which the condition does, if a
	// query can say it.
	narrow(*Query)
}

// Needs are the heavy fields that Holds looks at.
func (f *Filter) Needs() Fields {
	if f == nil {
		return 0
	}
	return f.needs
}

// Holds says whether a run matches. The nil filter holds for all.
func (f *Filter) Holds(r *Run) bool { return f == nil || f.holds.holds(&subject{Run: r}) }

type (
	all  []condition
	some []condition
	not  struct{ condition }
	// entry holds where one entry of the metadata meets all of it.
	entry []comparison
)

func (a all) holds(s *subject) bool {
	return !slices.ContainsFunc(a, func(c condition) bool { return !c.holds(s) })
}

func (a all) narrow(q *Query) {
	for _, c := range a {
		c.narrow(q)
	}
}

func (o some) holds(s *subject) bool {
	return slices.ContainsFunc(o, func(c condition) bool { return c.holds(s) })
}
func (some) narrow(*Query) {}

func (n not) holds(s *subject) bool { return !n.condition.holds(s) }
func (not) narrow(*Query)           {}

func (e entry) holds(s *subject) bool {
	for key, v := range s.metadata() {
		met := func(c comparison) bool {
			if c.field.name == metadataKey {
				return c.compare(literal{text: key, kind: isText})
			}
			return c.compare(literal{text: plain(v), kind: isText})
		}
		if !slices.ContainsFunc(e, func(c comparison) bool { return !met(c) }) {
			return true
		}
	}
	return false
}
func (entry) narrow(*Query) {}
