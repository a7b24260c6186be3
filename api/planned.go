package api

import (
	"net/http"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/check"
)

// notYet refuses what is in the document but not on this server. Its words must
// not be those by which clients know a product that is switched off (contract §1).
func notYet(what string) error {
	return slipway.Errorf(slipway.CodeNotImplemented, "%s is not available on this server yet.", what)
}

// planned is the extension by which the document names a part to come.
const planned = "x-slipway-planned"

// routePlanned registers the operations to come. Whoever may use them learns
// that they are not there; nothing of the request is looked at.
func (s *server) routePlanned(prefix string, set *check.Set) {
	for _, route := range set.Routes() {
		op := set.Route(route)
		if what := op.Extension(planned); what != "" {
			refuse := func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, notYet(what)) }
			s.mux.operation(withPrefix(prefix, route), op, s.guard(op, refuse))
		}
	}
}

// withPrefix puts a prefix before the path of a route.
func withPrefix(prefix, route string) string {
	method, path, _ := strings.Cut(route, " ")
	return method + " " + prefix + path
}
