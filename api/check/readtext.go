package check

import (
	"strings"
	"unicode/utf8"
)

// text reads a string, and says whether it holds a lone surrogate.
func (r *reader) text() (s string, broken, ok bool) {
	open := r.at
	r.at++
	from := r.at
	var out []byte
	for {
		if r.at = special(r.s, r.at); r.at == len(r.s) {
			return "", false, r.fail("Unterminated string starting at", open)
		}
		switch r.s[r.at] {
		case '"':
			r.at++
			if out == nil {
				return r.s[from : r.at-1], false, true
			}
			return string(append(out, r.s[from:r.at-1]...)), broken, true
		case '\\':
			out = append(out, r.s[from:r.at]...)
			if out, ok = r.escape(out, open, &broken); !ok {
				return "", false, false
			}
			from = r.at
		default:
			return "", false, r.fail("Invalid control character at", r.at)
		}
	}
}

// special returns where the next byte lies that is not simply part of a string.
func special(s string, i int) int {
	for i < len(s) && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

var escapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads what a backslash begins; open is where the string began.
func (r *reader) escape(out []byte, open int, broken *bool) ([]byte, bool) {
	backslash := r.at
	r.at++
	if r.at == len(r.s) {
		return out, r.fail("Unterminated string starting at", open)
	}
	if r.s[r.at] == 'u' {
		return r.unicode(out, broken)
	}
	c, known := escapes[r.s[r.at]]
	if !known {
		return out, r.fail("Invalid \\escape", backslash)
	}
	if out == nil {
		out = []byte{}
	}
	r.at++
	return append(out, c), true
}

// unicode reads the rest of \uXXXX, and the second half of a pair.
func (r *reader) unicode(out []byte, broken *bool) ([]byte, bool) {
	code, ok := r.hex4()
	if !ok {
		return out, false
	}
	if high(code) && strings.HasPrefix(r.s[r.at:], `\u`) {
		back := r.at
		r.at++
		second, ok := r.hex4()
		if !ok {
			return out, false
		}
		if low(second) {
			return utf8.AppendRune(out, 0x10000+(code-0xd800)<<10+(second-0xdc00)), true
		}
		r.at = back
	}
	if high(code) || low(code) {
		*broken = true
		return appendSurrogate(out, code), true
	}
	return utf8.AppendRune(out, code), true
}

func high(c rune) bool { return c >= 0xd800 && c < 0xdc00 }
func low(c rune) bool  { return c >= 0xdc00 && c < 0xe000 }

// hex4 reads a u and four digits. Four digits that end the document are refused too: a quote must follow.
func (r *reader) hex4() (code rune, ok bool) {
	u := r.at
	if len(r.s)-u <= 5 {
		return 0, r.fail("Invalid \\uXXXX escape", u)
	}
	for _, c := range []byte(r.s[u+1 : u+5]) {
		d := strings.IndexByte(hex, c|0x20)
		if d < 0 || c < '0' {
			return 0, r.fail("Invalid \\uXXXX escape", u)
		}
		code = code<<4 | rune(d)
	}
	r.at += 5
	return code, true
}
