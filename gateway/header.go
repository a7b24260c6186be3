package gateway

import (
	"net/http"
	"net/http/httputil"
	"strings"
)

// ourCookies begin so. With paths, agents share an origin with the dashboard:
// its session must not reach them, and they must not replace it.
const ourCookies = "slipway"

// stripHeaders takes out what agents trust and clients must not say. Underscores
// count as hyphens, since some servers turn one into the other.
func stripHeaders(h http.Header, trusted bool) {
	for name := range h {
		if name[0]|0x20 != 'x' {
			continue
		}
		if isReserved(name) || !trusted && isForwarding(name) {
			delete(h, name)
		}
	}
}

func isReserved(name string) bool {
	return isNamed(name, "x-api-key") || isNamed(name, "x-auth-scheme") || isNamed(name, "x-service-key") ||
		beginsWith(name, "x-slipway-")
}

func isForwarding(name string) bool {
	return beginsWith(name, "x-forwarded-") || isNamed(name, "x-real-ip")
}

func isNamed(name, want string) bool { return len(name) == len(want) && beginsWith(name, want) }

// beginsWith compares a header's name as it came to small letters and hyphens. It
// is done for each header of a request and makes no text of its own.
func beginsWith(name, want string) bool {
	if len(name) < len(want) {
		return false
	}
	for i := range len(want) {
		if fold(name[i]) != want[i] {
			return false
		}
	}
	return true
}

// fold makes a capital a small letter and an underscore a hyphen.
func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// setForwarded says where a request came from. What the peer says of that is
// believed, and added to, only if the peer is a proxy of ours.
func (g *Gateway) setForwarded(r *httputil.ProxyRequest) {
	trusted := g.config.Proxies.Trusts(r.In.RemoteAddr)
	stripHeaders(r.Out.Header, trusted)
	if trusted {
		copyValues(r.Out.Header, r.In.Header, "X-Forwarded-For")
	}
	r.SetXForwarded()
	if trusted {
		copyValues(r.Out.Header, r.In.Header, "X-Forwarded-Host", "X-Forwarded-Proto")
	}
}

func copyValues(to, from http.Header, names ...string) {
	for _, name := range names {
		if values := from[name]; len(values) > 0 {
			to[name] = append([]string(nil), values...)
		}
	}
}

// stripCookies takes our own cookies out of a request.
func stripCookies(h http.Header) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	var kept []string
	for cookie := range strings.SplitSeq(strings.Join(lines, "; "), ";") {
		if cookie = strings.TrimSpace(cookie); cookie != "" && !isOurs(cookie) {
			kept = append(kept, cookie)
		}
	}
	if len(kept) == 0 {
		h.Del("Cookie")
		return
	}
	h.Set("Cookie", strings.Join(kept, "; "))
}

// stripSetCookies takes our own cookies out of an answer.
func stripSetCookies(h http.Header) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	h.Del("Set-Cookie")
	for _, line := range lines {
		if !isOurs(line) {
			h.Add("Set-Cookie", line)
		}
	}
}

// stripOrigin takes out of an answer what browsers take for the word of a whole
// origin: with paths, it is not one agent's to give. With a service worker for "/"
// an agent would see what is sent to all others.
func stripOrigin(h http.Header) {
	h.Del("Service-Worker-Allowed")
	h.Del("Clear-Site-Data")
	h.Del("Strict-Transport-Security")
}

func isOurs(cookie string) bool {
	name := strings.ToLower(strings.TrimSpace(cookie))
	name = strings.TrimPrefix(name, "__host-")
	name = strings.TrimPrefix(name, "__secure-")
	return strings.HasPrefix(name, ourCookies)
}

// presentKey shows the agent that the request is at the client's key, if it is
// one that takes keys, and the workspace that it is used for: the agent asks us
// about both, and a key may be good for several. It may be another agent at each
// attempt.
func (p *passage) presentKey(h http.Header) {
	delete(h, "X-Api-Key")
	if p.stay.keys != "" && len(p.apiKey) > 0 {
		h["X-Api-Key"] = p.apiKey
		h["X-Tenant-Id"] = []string{string(p.stay.keys)}
	}
}
