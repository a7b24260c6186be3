package check

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting, a little below where CPython gives up.
const maxDepth = 900

// maxValues bounds what one body makes us hold: a value takes many times the memory of the two bytes that it may be
// written in.
const maxValues = 200_000

// maxDigits is CPython's limit on the length of an integer.
const maxDigits = 4300

type syntaxError struct {
	msg string
	at  int // in code points
}

// reader reads one JSON document as CPython's json.loads does.
type reader struct {
	s     string
	at    int
	depth int
	count int
	err   *syntaxError
}

// read parses a whole document.
func read(raw []byte) (value, *syntaxError) {
	r := reader{s: strings.TrimPrefix(string(raw), "\ufeff")}
	if !utf8.ValidString(r.s) {
		r.fail("Invalid UTF-8", firstInvalid(r.s))
		return value{}, r.err
	}
	r.space()
	v, ok := r.value()
	if !ok {
		return value{}, r.err
	}
	r.space()
	if r.at != len(r.s) {
		r.fail("Extra data", r.at)
	}
	return v, r.err
}

func firstInvalid(s string) int {
	for i, c := range s {
		if c == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(s)
}

func (r *reader) fail(msg string, at int) bool {
	if r.err == nil {
		r.err = &syntaxError{msg, utf8.RuneCountInString(r.s[:at])}
	}
	return false
}

func (r *reader) space() {
	for r.at < len(r.s) {
		switch r.s[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next is the byte to be read, 0 at the end; a 0 in the text is no part of any syntax either.
func (r *reader) next() byte {
	if r.at < len(r.s) {
		return r.s[r.at]
	}
	return 0
}

func (r *reader) value() (value, bool) {
	if r.count++; r.count > maxValues {
		return value{}, r.fail("Too many values", r.at)
	}
	switch r.next() {
	case '"':
		s, broken, ok := r.text()
		return value{kind: kindText, text: s, broken: broken}, ok
	case '{':
		return r.nested(r.dict)
	case '[':
		return r.nested(r.list)
	default:
		return r.scalar()
	}
}

func (r *reader) nested(inner func() (value, bool)) (value, bool) {
	if r.depth == maxDepth {
		return value{}, r.fail("Nested too deeply", r.at)
	}
	r.depth++
	v, ok := inner()
	r.depth--
	return v, ok
}

var words = []struct {
	text string
	val  value
}{
	{"null", value{}},
	{"true", value{kind: kindBool, yes: true}},
	{"false", value{kind: kindBool}},
	{"NaN", value{kind: kindFloat, num: math.NaN()}},
	{"Infinity", value{kind: kindFloat, num: math.Inf(1)}},
	{"-Infinity", value{kind: kindFloat, num: math.Inf(-1)}},
}

func (r *reader) scalar() (value, bool) {
	if c := r.next(); c >= '0' && c <= '9' {
		return r.number()
	}
	for i := range words {
		if strings.HasPrefix(r.s[r.at:], words[i].text) {
			r.at += len(words[i].text)
			return words[i].val, true
		}
	}
	return r.number()
}

// number takes the longest prefix that is one; what follows is for the caller to refuse.
func (r *reader) number() (value, bool) {
	start := r.at
	end := start
	if r.next() == '-' {
		end++
	}
	whole := digits(r.s, end)
	if whole == end {
		return value{}, r.fail("Expecting value", start)
	}
	if r.s[end] == '0' {
		whole = end + 1
	}
	end = exponent(r.s, fraction(r.s, whole))
	r.at = end
	if end > whole {
		f, _ := strconv.ParseFloat(r.s[start:end], 64) // beyond the range it is an infinity, as in Python
		return value{kind: kindFloat, num: f}, true
	}
	if end-start > maxDigits+1 || end-start > maxDigits && r.s[start] != '-' {
		return value{}, r.fail("Exceeds the limit of digits in an integer", start)
	}
	if r.s[start:end] == "-0" {
		start++
	}
	return value{kind: kindInt, text: r.s[start:end]}, true
}

// digits returns the end of the digits that begin at i.
func digits(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

func fraction(s string, i int) int {
	if i < len(s) && s[i] == '.' {
		if end := digits(s, i+1); end > i+1 {
			return end
		}
	}
	return i
}

func exponent(s string, i int) int {
	if i == len(s) || s[i] != 'e' && s[i] != 'E' {
		return i
	}
	from := i + 1
	if from < len(s) && (s[from] == '+' || s[from] == '-') {
		from++
	}
	if end := digits(s, from); end > from {
		return end
	}
	return i
}
