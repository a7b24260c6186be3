package check

import "encoding/json"

// checker holds one value to one schema: it appends the canonical form to w.out, or faults to w.details.
type checker interface {
	check(w *walk, v *value)
	// takes says whether v is of this type already, without conversion; a union prefers such a member.
	takes(v *value) bool
	// label is pydantic's name for this type within a union.
	label() string
}

// walk is one pass over one value.
type walk struct {
	out     []byte
	loc     []step
	slots   []int32
	details []Detail
}

// step is a key, or an index where the key is empty and index is not negative.
type step struct {
	key   string
	index int
}

func at(key string) step  { return step{key, -1} }
func nth(index int) step  { return step{"", index} }
func (w *walk) in(s step) { w.loc = append(w.loc, s) }
func (w *walk) leave()    { w.loc = w.loc[:len(w.loc)-1] }
func (w *walk) place() []any {
	loc := make([]any, len(w.loc))
	for i, s := range w.loc {
		if s.index >= 0 {
			loc[i] = s.index
		} else {
			loc[i] = s.key
		}
	}
	return loc
}

func (w *walk) fault(kind, msg string, v *value, ctx json.RawMessage) {
	w.details = append(w.details, Detail{kind, w.place(), msg, v.print(nil), ctx})
}

// messages are pydantic's texts for faults that carry no values.
var messages = map[string]string{
	"bool_parsing":          "Input should be a valid boolean, unable to interpret input",
	"bool_type":             "Input should be a valid boolean",
	"dict_type":             "Input should be a valid dictionary",
	"finite_number":         "Input should be a finite number",
	"float_parsing":         "Input should be a valid number, unable to parse string as a number",
	"float_type":            "Input should be a valid number",
	"int_from_float":        "Input should be a valid integer, got a number with a fractional part",
	"int_parsing":           "Input should be a valid integer, unable to parse string as an integer",
	"int_parsing_size":      "Unable to parse input string as an integer, exceeded maximum size",
	"int_type":              "Input should be a valid integer",
	"list_type":             "Input should be a valid list",
	"model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
	"string_type":           "Input should be a valid string",
	"string_unicode":        "Input should be a valid string, unable to parse raw data as a unicode string",
	"datetime_type":         "Input should be a valid datetime",
	"uuid_type":             "UUID input should be a string, bytes or UUID object",
}

func (w *walk) plainFault(kind string, v *value) { w.fault(kind, messages[kind], v, nil) }

// unicode refuses a text that UTF-8 cannot say.
func (w *walk) unicode(v *value) bool {
	if v.kind == kindText && v.broken {
		w.plainFault("string_unicode", v)
		return false
	}
	return true
}
