package registry

import (
	"regexp"
	"strings"

	"github.com/slipwayhq/slipway"
)

// prefix is the first segment of every repository (slipway.Repository). No path of
// the API has it after /v2/, so that both can be served at one address.
const prefix = "registry"

// longest is how long the name of a repository may be, in bytes.
const longest = 255

var (
	imageName  = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	deployment = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	tagName    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	digestText = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// name is that of a repository.
type name struct {
	deployment slipway.DeploymentID
	image      string // one segment or several
}

// parseName reads registry/<deployment>/<image>.
func parseName(s string) (name, bool) {
	rest, ours := strings.CutPrefix(s, prefix+"/")
	id, image, _ := strings.Cut(rest, "/")
	if !ours || len(s) > longest || !deployment.MatchString(id) || !imageName.MatchString(image) {
		return name{}, false
	}
	return name{slipway.DeploymentID(id), image}, true
}

func (n name) String() string { return slipway.Repository(n.deployment) + "/" + n.image }

// reference is a name of an image as clients write it, which may lie here.
type reference struct {
	host string
	name
	at string // a tag or a digest
}

// parseReference reads host/registry/<deployment>/<image>, with a tag, a digest
// or both; of both, the digest counts.
func parseReference(uri string) (reference, bool) {
	host, rest, _ := strings.Cut(uri, "/")
	rest, at, pinned := strings.Cut(rest, "@")
	path, tag := rest, "latest"
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		path, tag = rest[:colon], rest[colon+1:]
	}
	n, ok := parseName(path)
	if !pinned {
		at = tag
	}
	ok = ok && (digestText.MatchString(at) || !pinned && tagName.MatchString(at))
	return reference{host, n, at}, ok
}

// hexOf is the part of a digest that names a file.
func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
