package registry

import (
	"net/http"
	"net/url"
	"strings"
)

// root is the path below which the protocol wants everything.
const root = "/v2/"

// Matches says whether a request is for the registry rather than the API, which
// has paths below /v2/ too.
func Matches(q *http.Request) bool {
	return q.URL.Path == root || strings.HasPrefix(q.URL.Path, root+prefix+"/")
}

// ServeHTTP serves the distribution protocol for repositories below /v2/registry/,
// and /v2/ itself, at which clients try their password.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	if err := r.serve(w, q); err != nil {
		r.answerError(w, q, err)
	}
}

func (r *Registry) serve(w http.ResponseWriter, q *http.Request) error {
	g, err := r.authenticate(q)
	if err != nil {
		return err
	}
	if q.URL.Path == root {
		return r.ping(w, q, g)
	}
	t, err := parseTarget(q.URL)
	if err != nil {
		return err
	}
	handle, known := handlers[t.resource][q.Method]
	if !known {
		return notServed(t, q.Method)
	}
	writes := q.Method != http.MethodGet && q.Method != http.MethodHead
	if err := g.check(t.name, writes); err != nil {
		return err
	}
	if writes {
		ctx, leave, err := r.visits.enter(q.Context(), g.deployment)
		if err != nil {
			return err
		}
		defer leave()
		var done func()
		q, done = r.receiving(ctx, w, q)
		defer done()
	}
	if err := r.alive(q.Context(), g); err != nil { // after entering: what lives now is waited for
		return err
	}
	return handle(visitor{r.repository(t.name), g, t, w, q})
}

func (r *Registry) ping(w http.ResponseWriter, q *http.Request, g grant) error {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "Use GET.")
	}
	if err := r.alive(q.Context(), g); err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, struct{}{})
	return nil
}

// visitor is one request for a repository.
type visitor struct {
	repository
	grant  grant
	target target
	w      http.ResponseWriter
	q      *http.Request
}

// handlers by resource and method.
var handlers = map[string]map[string]func(visitor) error{
	"blob":     {http.MethodGet: visitor.getBlob, http.MethodHead: visitor.getBlob},
	"manifest": {http.MethodGet: visitor.getManifest, http.MethodHead: visitor.getManifest, http.MethodPut: visitor.putManifest},
	"tags":     {http.MethodGet: visitor.listTags},
	"uploads":  {http.MethodPost: visitor.beginUpload},
	"upload": {
		http.MethodGet: visitor.getUpload, http.MethodPatch: visitor.patchUpload,
		http.MethodPut: visitor.putUpload, http.MethodDelete: visitor.cancelUpload,
	},
}

func notServed(t target, method string) error {
	if method == http.MethodDelete {
		return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "Images are deleted with their deployment, and when no revision needs them.")
	}
	return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "This registry does not serve %s of a %s.", method, t.resource)
}

// target is what the path of a request names.
type target struct {
	name
	resource string // blob, manifest, tags, uploads or upload
	at       string // digest, tag or id of an upload
}

// parseTarget reads a path below /v2/. What follows the repository's name is
// found from the end, since a name may have any number of segments.
func parseTarget(u *url.URL) (target, error) {
	if strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return target{}, errInvalidName // a slash that other readers of this path do not see
	}
	path := strings.TrimPrefix(u.Path, root)
	if rest, ok := strings.CutSuffix(strings.TrimSuffix(path, "/"), "/blobs/uploads"); ok {
		return named(rest, "uploads", "")
	}
	rest, at := cutLast(path)
	rest, resource := cutLast(rest)
	switch resource {
	case "blobs":
		if !digestText.MatchString(at) {
			return target{}, refuse(http.StatusBadRequest, "DIGEST_INVALID", "%q is no SHA-256 digest.", at)
		}
		return named(rest, "blob", at)
	case "manifests":
		if !digestText.MatchString(at) && !tagName.MatchString(at) {
			return target{}, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "%q is neither a tag nor a SHA-256 digest.", at)
		}
		return named(rest, "manifest", at)
	case "tags":
		if at == "list" {
			return named(rest, "tags", "")
		}
	case "uploads":
		if name, ok := strings.CutSuffix(rest, "/blobs"); ok {
			return named(name, "upload", at)
		}
	}
	return target{}, refuse(http.StatusNotFound, "UNSUPPORTED", "The registry serves nothing at this path.")
}

var errInvalidName = refuse(http.StatusBadRequest, "NAME_INVALID", "Names of images here are %s/<deployment id>/<name>, of lower-case letters, digits and . _ - between.", prefix)

func named(repository, resource, at string) (target, error) {
	n, ok := parseName(repository)
	if !ok {
		return target{}, errInvalidName
	}
	return target{n, resource, at}, nil
}

// cutLast cuts the last segment of a path off.
func cutLast(path string) (rest, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}
