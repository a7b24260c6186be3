package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// prefix is where deployments are found without a domain.
const prefix = "/d/"

// target is what a request asks for.
type target struct {
	name     string // slug or id
	path     string // of the agent, still encoded, begins with a slash
	method   string
	upgrades bool // to another protocol
	shares   bool // an origin with others, which have paths of their own
}

func (t target) intent() intent { return intentOf(t.method, t.path, t.upgrades) }

// target tells name and path apart. A host of ours decides before the path does.
func (g *Gateway) target(r *http.Request) (target, bool) {
	t := target{method: r.Method, upgrades: len(r.Header["Upgrade"]) > 0}
	raw := rawPath(r.URL)
	if name, ok := hostName(r.Host, g.config.Domain); ok {
		t.name, t.path = name, rooted(raw)
		return t, true
	}
	rest, ok := strings.CutPrefix(raw, prefix)
	if !ok {
		return t, false
	}
	name, path, _ := strings.Cut(rest, "/")
	t.name, t.path, t.shares = name, "/"+path, true
	return t, name != ""
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// hostName returns what stands before the domain. Deeper names are ours too:
// nothing else should answer there.
func hostName(host, domain string) (string, bool) {
	if domain == "" {
		return "", false
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	name, ok := strings.CutSuffix(host, "."+domain)
	return name, ok && name != ""
}

// rawPath returns the path as it came. EscapedPath alone would not do: if a
// client left one odd byte unencoded, it encodes the decoded path anew, and an
// encoded slash becomes a plain one.
func rawPath(u *url.URL) string {
	switch {
	case u.RawPath != "":
		return u.RawPath
	case isSimple(u.Path):
		return u.Path
	}
	return u.EscapedPath()
}
