package check

import (
	"math"
	"strconv"
	"unicode/utf8"
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindFloat
	kindText
	kindList
	kindDict
)

// value is one JSON value as Python would hold it.
type value struct {
	kind    kind
	yes     bool    // a bool's value
	broken  bool    // a text holds a lone surrogate, in three bytes as if it were a code point
	num     float64 // a float's value
	text    string  // a text, or an integer's canonical digits
	items   []value
	members []member
}

// member is one key of a dict; keys are unique, in the order of their first mention.
type member struct {
	key string
	val value
}

func text(s string) value { return value{kind: kindText, text: s} }

// print appends the value as JSON, as json.dumps does without ASCII escaping.
func (v *value) print(out []byte) []byte {
	switch v.kind {
	case kindBool:
		return strconv.AppendBool(out, v.yes)
	case kindInt:
		return append(out, v.text...)
	case kindFloat:
		return printFloat(out, v.num)
	case kindText:
		return printText(out, v.text)
	case kindList:
		return v.printList(out)
	case kindDict:
		return v.printDict(out)
	default:
		return append(out, "null"...)
	}
}

func (v *value) printList(out []byte) []byte {
	out = append(out, '[')
	for i := range v.items {
		if i > 0 {
			out = append(out, ',')
		}
		out = v.items[i].print(out)
	}
	return append(out, ']')
}

func (v *value) printDict(out []byte) []byte {
	out = append(out, '{')
	for i := range v.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(printText(out, v.members[i].key), ':')
		out = v.members[i].val.print(out)
	}
	return append(out, '}')
}

// printFloat appends Python's repr; what JSON cannot say is null.
func printFloat(out []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(out, "null"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(out, f, 'e', -1, 64)
	}
	start := len(out)
	out = strconv.AppendFloat(out, f, 'f', -1, 64)
	for _, c := range out[start:] {
		if c == '.' {
			return out
		}
	}
	return append(out, ".0"...)
}

const hex = "0123456789abcdef"

// printText appends s as a JSON string, escaping only what must be.
func printText(out []byte, s string) []byte {
	out = append(out, '"')
	from := 0
	for i := 0; i < len(s); {
		n := plain(s[i:])
		if n > 0 {
			i += n
			continue
		}
		out = append(out, s[from:i]...)
		out, n = printEscape(out, s[i:])
		i += n
		from = i
	}
	return append(append(out, s[from:]...), '"')
}

// plain says how many bytes at the start of s make one character that needs no escape; 0 if it needs one.
func plain(s string) int {
	c := s[0]
	if c < utf8.RuneSelf {
		if c < 0x20 || c == '"' || c == '\\' {
			return 0
		}
		return 1
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return 0
	}
	return n
}

// printEscape appends the escape for what s begins with, and says how many bytes that was.
func printEscape(out []byte, s string) ([]byte, int) {
	switch c := s[0]; c {
	case '"', '\\':
		return append(out, '\\', c), 1
	case '\n':
		return append(out, `\n`...), 1
	case '\r':
		return append(out, `\r`...), 1
	case '\t':
		return append(out, `\t`...), 1
	case '\b':
		return append(out, `\b`...), 1
	case '\f':
		return append(out, `\f`...), 1
	default:
		code, n := rune(c), 1
		if c >= utf8.RuneSelf {
			code, n = surrogate(s)
		}
		return append(out, '\\', 'u', hex[code>>12&15], hex[code>>8&15], hex[code>>4&15], hex[code&15]), n
	}
}

// surrogate reads the three bytes that stand for a lone surrogate.
func surrogate(s string) (rune, int) {
	if len(s) < 3 || s[0] != 0xed {
		return utf8.RuneError, 1
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
}

func appendSurrogate(out []byte, code rune) []byte {
	return append(out, 0xed, 0x80|byte(code>>6&0x3f), 0x80|byte(code&0x3f))
}
