// Package api is the HTTP side of the control plane: routes, request checking, presenters.
package api

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/slipwayhq/slipway/api/reference"
)

// Document is the OpenAPI 3.1 description of this API, the source of package wire and of request checking.
//
//go:embed openapi.json
var Document []byte

func serve(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body) // a client that is gone needs no answer
	}
}

// serveReference has the browser hold the page to loading nothing. The page is
// rendered when it is first asked for: that takes longer than all else that a
// server does before it is ready.
func (s *server) serveReference() http.HandlerFunc {
	render := sync.OnceValues(func() ([]byte, error) { return reference.Render(Document) })
	return func(w http.ResponseWriter, r *http.Request) {
		page, err := render()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		serve("text/html; charset=utf-8", page)(w, r)
	}
}
