// Package api is the HTTP side of the control plane: routes, request checking, presenters.
package api

import _ "embed"

// Document is the OpenAPI 3.1 description of this API, the source of package wire and of request checking.
//
//go:embed openapi.json
var Document []byte
