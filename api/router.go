package api

import (
	"net/http"
	"path"
	"strings"

	"github.com/slipwayhq/slipway/api/check"
)

// router remembers of each route who may use it: http.ServeMux does not tell
// what it serves.
type router struct {
	mux    *http.ServeMux
	routes []Route
}

// open serves a route to everyone.
func (r *router) open(pattern string, handler http.HandlerFunc) {
	r.add(Route{Pattern: pattern}, handler)
}

// operation serves an operation to keys with its scope; the handler is guarded
// already.
func (r *router) operation(pattern string, op *check.Operation, handler http.HandlerFunc) {
	r.add(Route{pattern, scopeOf(op)}, handler)
}

func (r *router) add(route Route, handler http.HandlerFunc) {
	r.routes = append(r.routes, route)
	r.mux.HandleFunc(route.Pattern, handler)
}

// plain answers what no route takes as the contract's server does: never a
// redirect, always JSON.
func plain(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) != r.URL.Path { // the mux would redirect it
			answer(w, http.StatusNotFound, []byte(`{"detail":"Not Found"}`))
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refuseMethod(mux, w, r)
	})
}

// refuseMethod answers for a path that is served by other methods, or not at all.
func refuseMethod(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	allowed := methodsOf(mux, r)
	if allowed == "" {
		answer(w, http.StatusNotFound, []byte(`{"detail":"Not Found"}`))
		return
	}
	w.Header().Set("Allow", allowed)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusMethodNotAllowed, []byte(`{"detail":"Method Not Allowed"}`))
}

// methodsOf lists the methods that are served at the path of a request.
func methodsOf(mux *http.ServeMux, r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}
