package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// anything takes every value as it is.
type anything struct{}

func (anything) check(w *walk, v *value) { w.out = v.print(w.out) }
func (anything) takes(*value) bool       { return true }
func (anything) label() string           { return "any" }

// str takes texts, of bounded length in code points if max is not negative.
type str struct{ min, max int }

func (c str) takes(v *value) bool { return v.kind == kindText }
func (c str) label() string       { return constrained("str", c.min > 0 || c.max >= 0) }

func (c str) check(w *walk, v *value) {
	if v.kind != kindText {
		w.plainFault("string_type", v)
		return
	}
	if !w.unicode(v) {
		return
	}
	if n := utf8.RuneCountInString(v.text); n < c.min {
		w.fault("string_too_short", "String should have at least "+count(c.min, "character"), v,
			ctx("min_length", strconv.Itoa(c.min)))
	} else if c.max >= 0 && n > c.max {
		w.fault("string_too_long", "String should have at most "+count(c.max, "character"), v,
			ctx("max_length", strconv.Itoa(c.max)))
	}
	w.out = printText(w.out, v.text)
}

func constrained(name string, is bool) string {
	if is {
		return "constrained-" + name
	}
	return name
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// boolean takes true and false, their usual names in English, 0 and 1.
type boolean struct{}

var booleans = map[string]bool{
	"0": false, "off": false, "f": false, "false": false, "n": false, "no": false,
	"1": true, "on": true, "t": true, "true": true, "y": true, "yes": true,
}

func (boolean) takes(v *value) bool { return v.kind == kindBool }
func (boolean) label() string       { return "bool" }

func (boolean) check(w *walk, v *value) {
	name, fault := "", "bool_parsing"
	switch v.kind {
	case kindBool:
		w.out = strconv.AppendBool(w.out, v.yes)
		return
	case kindText:
		name = v.text
	case kindInt:
		name, fault = v.text, integerFault(v.text)
	case kindFloat:
		name, fault = wholeName(v.num)
	default:
		fault = "bool_type"
	}
	if !w.unicode(v) {
		return
	}
	yes, known := booleans[strings.ToLower(name)]
	if !known {
		w.plainFault(fault, v)
		return
	}
	w.out = strconv.AppendBool(w.out, yes)
}

func integerFault(digits string) string {
	if _, err := strconv.ParseInt(digits, 10, 64); err != nil {
		return "bool_type"
	}
	return "bool_parsing"
}

func wholeName(f float64) (name, fault string) {
	if !whole(f) {
		return "", "bool_type"
	}
	return plainFloat(f + 0), "bool_parsing" // + 0 turns -0 to 0
}

// uuid takes the spellings of a UUID and canonicalises them.
type uuid struct{}

func (uuid) takes(v *value) bool { return false }
func (uuid) label() string       { return "uuid" }

func (uuid) check(w *walk, v *value) {
	if v.kind != kindText {
		w.plainFault("uuid_type", v)
		return
	}
	if !w.unicode(v) {
		return
	}
	canonical, fault := parseUUID(v.text)
	if fault != "" {
		w.fault("uuid_parsing", "Input should be a valid UUID, "+fault, v, ctx("error", quote(fault)))
		return
	}
	w.out = printText(w.out, canonical)
}

// literal takes some texts; expected names the published ones.
type literal struct {
	accepted map[string]bool
	expected string
	name     string
}

func newLiteral(published, extra []string) literal {
	c := literal{accepted: map[string]bool{}}
	quoted := make([]string, len(published))
	for i, s := range published {
		c.accepted[s] = true
		quoted[i] = repr(s)
	}
	for _, s := range extra {
		c.accepted[s] = true
	}
	c.name = fmt.Sprintf("literal[%s]", strings.Join(quoted, ","))
	c.expected = quoted[len(quoted)-1]
	if first := quoted[:len(quoted)-1]; len(first) > 0 {
		c.expected = strings.Join(first, ", ") + " or " + c.expected
	}
	return c
}

func repr(s string) string {
	if strings.Contains(s, "'") {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}

func (c literal) takes(v *value) bool { return v.kind == kindText && c.accepted[v.text] }
func (c literal) label() string       { return c.name }

func (c literal) check(w *walk, v *value) {
	if !w.unicode(v) {
		return
	}
	if !c.takes(v) {
		w.fault("literal_error", "Input should be "+c.expected, v, ctx("expected", quote(c.expected)))
		return
	}
	w.out = printText(w.out, v.text)
}

// bounds are inclusive; an infinity is none.
type bounds struct{ min, max float64 }

var unbounded = bounds{math.Inf(-1), math.Inf(1)}

func (b bounds) any() bool { return b != unbounded }

// fault reports a number that is outside, the upper bound first; NaN is outside of both.
func (b bounds) fault(w *walk, v *value, inMin, inMax bool, print func(float64) string) bool {
	kind, key, words, bound := "less_than_equal", "le", "less than or equal to ", b.max
	if inMax || math.IsInf(b.max, 0) {
		if inMin || math.IsInf(b.min, 0) {
			return false
		}
		kind, key, words, bound = "greater_than_equal", "ge", "greater than or equal to ", b.min
	}
	w.fault(kind, "Input should be "+words+plainFloat(bound), v, ctx(key, print(bound)))
	return true
}

// integer takes whole numbers however they are written.
type integer struct{ bounds }

func (integer) takes(v *value) bool { return v.kind == kindInt }
func (c integer) label() string     { return constrained("int", c.any()) }

func (c integer) check(w *walk, v *value) {
	if !w.unicode(v) {
		return
	}
	digits, fault := asInt(v)
	if fault != "" {
		w.plainFault(fault, v)
		return
	}
	if !c.fault(w, v, !intBelow(digits, c.min), !intAbove(digits, c.max), plainFloat) {
		w.out = hold64(w.out, digits)
	}
}

func asInt(v *value) (digits, fault string) {
	switch v.kind {
	case kindInt:
		return v.text, ""
	case kindBool:
		return map[bool]string{false: "0", true: "1"}[v.yes], ""
	case kindText:
		return laxInt(v.text)
	case kindFloat:
		return floatAsInt(v.num)
	default:
		return "", "int_type"
	}
}

func floatAsInt(f float64) (digits, fault string) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "", "finite_number"
	case f != math.Trunc(f):
		return "", "int_from_float"
	case !whole(f):
		return "", "int_parsing_size"
	default:
		return strconv.FormatInt(int64(f), 10), ""
	}
}

// number takes floats and what can be read as one.
type number struct{ bounds }

func (number) takes(v *value) bool { return v.kind == kindFloat }
func (c number) label() string     { return constrained("float", c.any()) }

func (c number) check(w *walk, v *value) {
	if !w.unicode(v) {
		return
	}
	f, fault := asFloat(v)
	if fault != "" {
		w.plainFault(fault, v)
		return
	}
	if !c.fault(w, v, f >= c.min, f <= c.max, func(f float64) string { return string(printFloat(nil, f)) }) {
		w.out = holdFloat(w.out, f)
	}
}

func asFloat(v *value) (f float64, fault string) {
	switch v.kind {
	case kindFloat:
		return v.num, ""
	case kindBool:
		return map[bool]float64{false: 0, true: 1}[v.yes], ""
	case kindInt:
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			return 0, "float_type"
		}
		return f, ""
	case kindText:
		f, ok := laxFloat(v.text)
		if !ok {
			return 0, "float_parsing"
		}
		return f, ""
	default:
		return 0, "float_type"
	}
}
