package gateway

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/slipwayhq/slipway"
)

// maxLayers is how often a path may be encoded over; a client has no use for
// more than two.
const maxLayers = 4

// checkPath refuses what an agent might read as another path than we do. It
// looks at the path as it came and at each layer of encoding below, since we do
// not know how often an agent decodes.
func checkPath(raw string) error {
	if isSimple(raw) && !strings.HasPrefix(raw, "/i") && !strings.HasPrefix(raw, "/I") {
		return nil
	}
	for range maxLayers {
		if err := checkLayer(raw); err != nil {
			return err
		}
		inner := unescape(raw)
		if inner == raw {
			return nil
		}
		raw = inner
	}
	return slipway.Errorf(slipway.CodeInvalid, "The path is encoded too often.")
}

// isSimple says whether a path is one as most are: of letters, digits and hyphens
// between single slashes. Nothing but its first segment can be wrong with it.
func isSimple(path string) bool {
	for i := range len(path) {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '/' && (i == 0 || path[i-1] != '/'):
		default:
			return false
		}
	}
	return true
}

func checkLayer(path string) error {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, isControl) {
		return slipway.Errorf(slipway.CodeInvalid, "The path holds a control character or is not UTF-8.")
	}
	first := true
	for segment := range strings.FieldsFuncSeq(path, isSeparator) {
		name := plain(segment)
		if name == ".." {
			return slipway.Errorf(slipway.CodeInvalid, "The path climbs.")
		}
		if first && strings.EqualFold(strings.TrimRight(name, "."), "internal") {
			return slipway.Errorf(slipway.CodeNotFound, "Not found.")
		}
		first = first && name == "."
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// isSeparator counts the backslash, which some URL parsers turn into a slash.
func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// plain is a segment without parameters, without what a careless parser would
// cut off, and with full-width letters narrowed as Unicode normalization does.
func plain(segment string) string {
	if i := strings.IndexAny(segment, ";?#"); i >= 0 {
		segment = segment[:i]
	}
	return strings.TrimSpace(strings.Map(narrow, segment))
}

func narrow(r rune) rune {
	if r >= 0xff01 && r <= 0xff5e {
		return r - 0xfee0
	}
	return r
}

// unescape decodes one layer as a lenient server does: what is no escape stays.
func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c, ok := escaped(text[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// escaped reads an escape at the beginning of text.
func escaped(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, ok1 := unhex(text[1])
	low, ok2 := unhex(text[2])
	return high<<4 | low, ok1 && ok2
}

func unhex(c byte) (byte, bool) {
	lower := c | 0x20
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= lower && lower <= 'f':
		return lower - 'a' + 10, true
	}
	return 0, false
}

// setPath makes u write the path as it came, but for bytes that may not stand
// in a path unencoded.
func setPath(u *url.URL, raw string) {
	if isSimple(raw) {
		u.Path = raw
		return
	}
	u.RawPath = encodeOdd(raw)
	u.Path = unescape(u.RawPath)
}

func encodeOdd(raw string) string {
	odd := 0
	for i := range len(raw) {
		if !inPath(raw[i]) {
			odd++
		}
	}
	if odd == 0 {
		return raw
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(raw)+2*odd)
	for i := range len(raw) {
		if c := raw[i]; inPath(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func inPath(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-_.~!$&'()*+,;=:@/%", c) >= 0
}
