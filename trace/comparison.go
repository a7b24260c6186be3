package trace

import (
	"cmp"
	"slices"
	"time"
)

// literal is a value in a filter, or of a field.
type literal struct {
	kind   kind
	text   string
	number float64 // seconds of a latency
	at     time.Time
}

type kind uint8

const (
	isNull kind = iota
	isText
	isNumber
	isTime
	isTruth // number is 0 or 1
)

// order compares two of a kind.
func (l literal) order(o literal) int {
	switch l.kind {
	case isText:
		return cmp.Compare(l.text, o.text)
	case isTime:
		return l.at.Compare(o.at)
	case isNumber, isTruth:
		return cmp.Compare(l.number, o.number)
	}
	return 0
}

// comparison of a field with values: one, but for in.
type comparison struct {
	field  *field
	op     string
	values []literal
}

func (c comparison) holds(s *subject) bool { return c.compare(c.field.of(s)) }

// compare is false for a field that has no value, but where that is asked for.
func (c comparison) compare(is literal) bool {
	equal := func(v literal) bool { return v.kind == is.kind && v.order(is) == 0 }
	switch c.op {
	case "eq", "in":
		return slices.ContainsFunc(c.values, equal)
	case "neq":
		return !equal(c.values[0])
	}
	if is.kind != c.values[0].kind {
		return false
	}
	switch order := is.order(c.values[0]); c.op {
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	case "lt":
		return order < 0
	default:
		return order <= 0
	}
}

func (c comparison) narrow(q *Query) {
	if c.field.narrow != nil {
		c.field.narrow(q, c.op, c.values[0])
	}
}

// field is what a comparison can be about.
type field struct {
	name   string
	kind   kind
	null   bool // it may have no value
	needs  Fields
	of     func(*subject) literal
	narrow func(q *Query, op string, v literal)
}

const (
	metadataKey   = "metadata_key"
	metadataValue = "metadata_value"
)

// fields are those that filters know, by their names.
var fields = func() map[string]*field {
	all := []*field{
		{name: "id", kind: isText, of: func(s *subject) literal { return identity(s.ID) }, narrow: narrowID(func(q *Query, id ID) { q.IDs = meet(q.IDs, id) })},
		{name: "trace_id", kind: isText, null: true, of: func(s *subject) literal { return identity(s.Run.Trace) }, narrow: narrowID(func(q *Query, id ID) { q.Trace = id })},
		{name: "parent_run_id", kind: isText, null: true, of: func(s *subject) literal { return identity(s.Parent) }, narrow: narrowID(func(q *Query, id ID) { q.Parent = id })},
		{name: "reference_example_id", kind: isText, null: true, of: func(s *subject) literal { return identity(s.Reference) }},
		{name: "name", kind: isText, of: func(s *subject) literal { return words(s.Name) }, narrow: narrowText(func(q *Query) *string { return &q.Name })},
		{name: "run_type", kind: isText, of: func(s *subject) literal { return words(s.Type) }, narrow: narrowText(func(q *Query) *string { return &q.Type })},
		{name: "status", kind: isText, of: func(s *subject) literal { return words(string(s.Status())) }, narrow: narrowText(func(q *Query) *string { return (*string)(&q.Status) })},
		{name: "error", kind: isText, null: true, of: func(s *subject) literal { return words(s.Error) }},
		{name: "is_root", kind: isTruth, of: func(s *subject) literal { return truth(s.Root()) }, narrow: narrowRoot},
		{name: "start_time", kind: isTime, of: func(s *subject) literal { return literal{kind: isTime, at: s.Start} }, narrow: narrowStart},
		{name: "end_time", kind: isTime, null: true, of: func(s *subject) literal { return moment(s.End) }},
		{name: "latency", kind: isNumber, null: true, of: latency},
		{name: metadataKey, kind: isText, needs: FieldExtra},
		{name: metadataValue, kind: isText, needs: FieldExtra},
		{name: "thread_id", kind: isText, null: true, needs: FieldExtra, of: func(s *subject) literal { return words(s.thread()) }},
	}
	known := map[string]*field{}
	for _, f := range all {
		known[f.name] = f
	}
	return known
}()

// words is a text, or null where there is none.
func words(text string) literal {
	if text == "" {
		return literal{}
	}
	return literal{kind: isText, text: text}
}

func identity(id ID) literal {
	if id.IsZero() {
		return literal{}
	}
	return words(id.String())
}

func moment(at time.Time) literal {
	if at.IsZero() {
		return literal{}
	}
	return literal{kind: isTime, at: at}
}

func truth(is bool) literal {
	if is {
		return literal{kind: isTruth, number: 1}
	}
	return literal{kind: isTruth}
}

func latency(s *subject) literal {
	d, ended := s.Latency()
	if !ended {
		return literal{}
	}
	return literal{kind: isNumber, number: d.Seconds()}
}

func narrowText(of func(*Query) *string) func(*Query, string, literal) {
	return func(q *Query, op string, v literal) {
		if at := of(q); op == "eq" && *at == "" && v.kind == isText {
			*at = v.text
		}
	}
}

func narrowID(set func(*Query, ID)) func(*Query, string, literal) {
	return func(q *Query, op string, v literal) {
		if id, err := ParseID(v.text); op == "eq" && err == nil {
			set(q, id)
		}
	}
}

// meet leaves id alone of those that are asked for.
func meet(ids []ID, id ID) []ID {
	if len(ids) == 0 {
		return []ID{id}
	}
	return ids
}

func narrowRoot(q *Query, op string, v literal) {
	if op == "eq" && q.Root == nil {
		q.Root = new(v.number == 1)
	}
}

// narrowStart may leave in what lies on a bound: the filter is asked afterwards.
func narrowStart(q *Query, op string, v literal) {
	if from := v.at; (op == "gt" || op == "gte" || op == "eq") && from.After(q.Since) {
		q.Since = from
	}
	if to := v.at.Add(time.Microsecond); (op == "lt" || op == "lte" || op == "eq") && (q.Until.IsZero() || to.Before(q.Until)) {
		q.Until = to
	}
}
