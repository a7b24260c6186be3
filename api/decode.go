package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
)

// MaxBody bounds a request's JSON body, in bytes. No honest one comes near.
const MaxBody = 8 << 20

// Guard wraps the handler of one operation, outside of its request checking: who may not call learns nothing of
// faults. The operation's scope is its extension "x-slipway-scope".
type Guard func(op *check.Operation, next http.HandlerFunc) http.HandlerFunc

// checkedMux puts request checking in front of each handler that is registered.
type checkedMux struct {
	*http.ServeMux
	base     string
	set      *check.Set
	guard    Guard
	register func(pattern string, op *check.Operation, handler http.HandlerFunc)
}

// CheckedMux is what wire.HandlerWithOptions should register its handlers on, under the same base URL. A handler is
// called only for requests that fit the document, in canonical form. It panics, as http.ServeMux does, when a pattern
// is registered that the document does not know. A nil guard lets everyone in.
func CheckedMux(mux *http.ServeMux, base string, set *check.Set, guard Guard) wire.ServeMux {
	if guard == nil {
		guard = func(_ *check.Operation, next http.HandlerFunc) http.HandlerFunc { return next }
	}
	register := func(pattern string, _ *check.Operation, handler http.HandlerFunc) { mux.HandleFunc(pattern, handler) }
	return &checkedMux{mux, base, set, guard, register}
}

func (m *checkedMux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	op := m.set.Route(method + " " + strings.TrimPrefix(path, m.base))
	if op == nil {
		panic(fmt.Sprintf("api: %s is not in the document", pattern))
	}
	m.register(pattern, op, m.guard(op, func(w http.ResponseWriter, r *http.Request) {
		if checked := Decode(op, w, r); checked != nil {
			handler(w, checked)
		}
	}))
}

// Decode holds a request to its operation. It returns the request in canonical form; or it answers, with 422 for
// faults, 413 for a body beyond MaxBody, 400 for one that breaks off, and returns nil.
func Decode(op *check.Operation, w http.ResponseWriter, r *http.Request) *http.Request {
	raw, ok := readBody(op, w, r)
	if !ok {
		return nil
	}
	body, faults := checkBody(op, r, raw)
	if len(faults) == 1 && faults[0].Type == "json_invalid" {
		return refuse(w, faults)
	}
	query, details := op.Query(parseQuery(r.URL.RawQuery))
	path, pathDetails := checkPath(op, r)
	header, headerDetails := op.Header(r.Header)
	details = slices.Concat(pathDetails, details, headerDetails, faults)
	if len(details) > 0 {
		return refuse(w, details)
	}
	return canonical(op, r, path, query, header, body)
}

func refuse(w http.ResponseWriter, details []check.Detail) *http.Request {
	answer(w, http.StatusUnprocessableEntity, check.Report(details))
	return nil
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

func readBody(op *check.Operation, w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if !op.TakesBody() || r.Body == nil {
		return nil, true
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, []byte(`{"detail":"The request body is larger than 8 MiB."}`))
	case err != nil:
		answer(w, http.StatusBadRequest, []byte(`{"detail":"The request body could not be read."}`))
	}
	return raw, err == nil
}

func checkBody(op *check.Operation, r *http.Request, raw []byte) ([]byte, []check.Detail) {
	if isJSON(r.Header.Get("Content-Type")) {
		return op.Body(raw)
	}
	return op.Text(raw)
}

// isJSON says whether a body is JSON by its declared type; without a declaration it is.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func checkPath(op *check.Operation, r *http.Request) (values map[string]string, details []check.Detail) {
	values = map[string]string{}
	for _, name := range op.PathNames() {
		value, faults := op.Path(name, r.PathValue(name))
		values[name] = value
		details = append(details, faults...)
	}
	return values, details
}

// canonical returns a copy of the request with its parts replaced.
func canonical(op *check.Operation, r *http.Request, path map[string]string, query url.Values, header map[string]string, body []byte) *http.Request {
	out := *r
	if len(header) > 0 {
		out.Header = r.Header.Clone()
	}
	for name, value := range header {
		out.Header.Set(name, value)
	}
	address := *r.URL
	address.RawQuery = query.Encode()
	out.URL = &address
	for name, value := range path {
		out.SetPathValue(name, value)
	}
	if op.TakesBody() {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.ContentLength = int64(len(body))
	}
	return &out
}
