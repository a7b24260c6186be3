// Package api is the HTTP side of the control plane: routes, request checking, presenters.
package api

import (
	_ "embed"
	"net/http"
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

// serveReference has the browser hold the page to loading nothing.
func serveReference(page []byte) http.HandlerFunc {
	send := serve("text/html; charset=utf-8", page)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		send(w, r)
	}
}
