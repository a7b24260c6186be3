package api

import (
	"net/url"
	"strings"
)

// parseQuery reads a query as the contract's server does: what is no valid escape is taken as it stands, and a
// semicolon separates nothing.
func parseQuery(raw string) url.Values {
	out := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		out[name] = append(out[name], unescape(value))
	}
	return out
}

func unescape(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b, _ := url.QueryUnescape(s[i : i+3])
			out.WriteString(b)
			i += 2
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
