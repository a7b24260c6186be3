package langsmith

import (
	"bytes"
	"encoding/binary"
	"io"
)

// maxNesting is how deep arrays and objects may lie in each other, as in
// encoding/json.
const maxNesting = 10000

// checked passes one JSON value on, of any length, and fails with errNoJSON where
// it is none. It holds a byte for each array or object that is open.
type checked struct {
	from io.Reader
	scan scanner
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if !c.scan.take(p[:n]) || err == io.EOF && !c.scan.ended() {
		return 0, errNoJSON
	}
	return n, err
}

// isJSON is json.Valid, which takes three times as long for what is mostly text.
func isJSON(text []byte) bool {
	var s scanner
	return s.take(text) && s.ended()
}

// plainBytes is how many bytes of a string stand for themselves. Nearly all of
// what is large is in strings.
func plainBytes(text []byte) (n int) {
	for _, special := range []byte{'"', '\\'} {
		if i := bytes.IndexByte(text, special); i >= 0 {
			text = text[:i]
		}
	}
	for n+8 <= len(text) && !anyControl(binary.LittleEndian.Uint64(text[n:])) {
		n += 8
	}
	for n < len(text) && text[n] >= ' ' {
		n++
	}
	return n
}

// anyControl says whether one of eight bytes is below a space.
func anyControl(eight uint64) bool {
	const spaces, tops = 0x2020202020202020, 0x8080808080808080
	return (eight-spaces)&^eight&tops != 0
}

// scanner is an automaton that reads JSON byte by byte.
type scanner struct {
	at   state
	open []byte // '[' or '{' of what is open
	rest string // of a literal, or hexadecimal digits of a string
	key  bool   // the string is the name of a member
}

type state uint8

const (
	wantValue state = iota // or, in an array that was just opened, its end
	wantFirst              // the name of the first member, or the end
	wantName               // the name of another one
	wantColon
	afterValue
	inString
	inEscape
	inHex
	inLiteral
	inMinus
	inZero
	inDigits
	inPoint
	inFraction
	inE
	inSign
	inExponent
	inArray // just opened
)

// ended says whether what was read is one whole value.
func (s *scanner) ended() bool {
	switch s.at {
	case afterValue, inZero, inDigits, inFraction, inExponent:
		return len(s.open) == 0
	}
	return false
}

// take goes on with some text, and says whether it may be there.
func (s *scanner) take(text []byte) bool {
	for ; len(text) > 0; text = text[1:] {
		if s.at == inString {
			if text = text[plainBytes(text):]; len(text) == 0 {
				break
			}
		}
		if !s.step(text[0]) {
			return false
		}
	}
	return true
}

// step takes a byte, and says whether it may be there.
func (s *scanner) step(b byte) bool {
	switch s.at {
	case inString:
		return s.inString(b)
	case inEscape:
		return s.inEscape(b)
	case inHex:
		return s.inHex(b)
	case inLiteral:
		return s.inLiteral(b)
	case inMinus, inZero, inDigits, inPoint, inFraction, inE, inSign, inExponent:
		return s.inNumber(b)
	}
	if b == ' ' || b == '\t' || b == '\n' || b == '\r' {
		return true
	}
	switch s.at {
	case inArray:
		return b == ']' && s.close('[') || s.value(b)
	case wantValue:
		return s.value(b)
	case wantFirst:
		return b == '}' && s.close('{') || s.name(b)
	case wantName:
		return s.name(b)
	case wantColon:
		return b == ':' && s.to(wantValue)
	}
	return s.after(b)
}

func (s *scanner) to(at state) bool { s.at = at; return true }

func (s *scanner) value(b byte) bool {
	switch {
	case b == '{' || b == '[':
		if len(s.open) == maxNesting {
			return false
		}
		s.open = append(s.open, b)
		if b == '{' {
			return s.to(wantFirst)
		}
		return s.to(inArray)
	case b == '"':
		s.key = false
		return s.to(inString)
	case b == 't':
		s.rest = "rue"
	case b == 'f':
		s.rest = "alse"
	case b == 'n':
		s.rest = "ull"
	case b == '-':
		return s.to(inMinus)
	case b == '0':
		return s.to(inZero)
	case '1' <= b && b <= '9':
		return s.to(inDigits)
	default:
		return false
	}
	return s.to(inLiteral)
}

func (s *scanner) name(b byte) bool {
	s.key = true
	return b == '"' && s.to(inString)
}

func (s *scanner) close(opened byte) bool {
	last := len(s.open) - 1
	if last < 0 || s.open[last] != opened {
		return false
	}
	s.open = s.open[:last]
	return s.to(afterValue)
}

func (s *scanner) after(b byte) bool {
	switch b {
	case ']':
		return s.close('[')
	case '}':
		return s.close('{')
	case ',':
		if len(s.open) == 0 {
			return false
		}
		if s.open[len(s.open)-1] == '{' {
			return s.to(wantName)
		}
		return s.to(wantValue)
	}
	return false
}

func (s *scanner) inString(b byte) bool {
	switch {
	case b == '"' && s.key:
		return s.to(wantColon)
	case b == '"':
		return s.to(afterValue)
	case b == '\\':
		return s.to(inEscape)
	}
	return b >= ' '
}

func (s *scanner) inEscape(b byte) bool {
	switch b {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return s.to(inString)
	case 'u':
		s.rest = "xxxx"
		return s.to(inHex)
	}
	return false
}

func (s *scanner) inHex(b byte) bool {
	if s.rest = s.rest[1:]; s.rest == "" {
		s.at = inString
	}
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

func (s *scanner) inLiteral(b byte) bool {
	if b != s.rest[0] {
		return false
	}
	if s.rest = s.rest[1:]; s.rest == "" {
		s.at = afterValue
	}
	return true
}

func (s *scanner) inNumber(b byte) bool {
	digit := '0' <= b && b <= '9'
	switch at := s.at; {
	case at == inMinus && b == '0':
		return s.to(inZero)
	case at == inMinus:
		return digit && s.to(inDigits)
	case digit && at != inZero:
		return s.to(digits[at])
	case b == '.' && (at == inZero || at == inDigits):
		return s.to(inPoint)
	case (b == 'e' || b == 'E') && (at == inZero || at == inDigits || at == inFraction):
		return s.to(inE)
	case (b == '+' || b == '-') && at == inE:
		return s.to(inSign)
	case at == inPoint || at == inE || at == inSign || digit:
		return false
	}
	s.at = afterValue
	return s.step(b)
}

// digits is where a digit leads to.
var digits = map[state]state{inDigits: inDigits, inPoint: inFraction, inFraction: inFraction, inE: inExponent, inSign: inExponent, inExponent: inExponent}
