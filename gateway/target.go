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
	name string // slug or id
	path string // of the agent, still encoded, begins with a slash
}

// target tells name and path apart. A host of ours decides before the path does.
func (g *Gateway) target(r *http.Request) (target, bool) {
	raw := rawPath(r.URL)
	if name, ok := hostName(r.Host, g.config.Domain); ok {
		return target{name, rooted(raw)}, true
	}
	rest, ok := strings.CutPrefix(raw, prefix)
	if !ok {
		return target{}, false
	}
	name, path, _ := strings.Cut(rest, "/")
	return target{name, "/" + path}, name != ""
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
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}
