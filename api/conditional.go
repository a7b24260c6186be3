package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
)

// conditional gives use cases what the headers of their request demand:
// Idempotency-Key and If-Match, where the operation takes them. It comes after
// request checking, so that it sees bodies in canonical form.
func (s *server) conditional(set *check.Set, prefix string) wire.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Match") == "" && r.Header["Idempotency-Key"] == nil {
				next.ServeHTTP(w, r)
				return
			}
			method, path, _ := strings.Cut(r.Pattern, " ")
			op := set.Route(method + " " + strings.TrimPrefix(path, prefix))
			r, err := s.condition(op, prefix, r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (s *server) condition(op *check.Operation, prefix string, r *http.Request) (*http.Request, error) {
	if op.TakesHeader("If-Match") && r.Header.Get("If-Match") != "" {
		tags, any, err := parseTags(r.Header.Values("If-Match"))
		if err != nil {
			return r, err
		}
		if !any {
			r = r.WithContext(slipway.WithTags(r.Context(), tags))
		}
	}
	if op.TakesHeader("Idempotency-Key") && r.Header["Idempotency-Key"] != nil {
		key := r.Header.Get("Idempotency-Key")
		if err := slipway.CheckRequestKey(key); err != nil {
			return r, err
		}
		r = r.WithContext(slipway.WithRequestKey(r.Context(), slipway.RequestKey{Value: key, Hash: s.hashRequest(op, prefix, r)}))
	}
	return r, nil
}

// hashRequest tells whether two requests ask for the same, whichever prefix
// they came by. It is signed: a body may hold secrets that are short enough to
// be guessed from a plain hash.
func (s *server) hashRequest(op *check.Operation, prefix string, r *http.Request) string {
	h := sha256.New()
	_, path, _ := strings.Cut(r.Pattern, " ")
	parts := []string{r.Method, strings.TrimPrefix(path, prefix)}
	for _, name := range op.PathNames() {
		parts = append(parts, r.PathValue(name))
	}
	io.WriteString(h, strings.Join(append(parts, r.URL.RawQuery), "\n")+"\n")
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body) // from memory: it has been checked
		h.Write(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.Signer.Sign("request/" + hex.EncodeToString(h.Sum(nil)))
}

// quoted is a deployment's tag as a header holds it.
func quoted(d slipway.DeploymentView) *string { return new(`"` + d.Tag() + `"`) }

// parseTags reads the list of an If-Match (RFC 9110 §13.1.1). Weak tags are
// left out: they never match.
func parseTags(values []string) (tags []string, any bool, err error) {
	tags = []string{}
	rest := strings.Join(values, ",")
	if strings.TrimSpace(rest) == "*" {
		return nil, true, nil
	}
	for {
		if rest = strings.TrimLeft(rest, " \t,"); rest == "" {
			return tags, false, nil
		}
		tag, weak := strings.CutPrefix(rest, "W/")
		opened, ok := strings.CutPrefix(tag, `"`)
		tag, after, closed := strings.Cut(opened, `"`)
		after = strings.TrimLeft(after, " \t")
		if !ok || !closed || after != "" && after[0] != ',' {
			return nil, false, slipway.Errorf(slipway.CodeInvalid, `Invalid If-Match: send an ETag as it was answered, in its quotes, several with commas between, or *.`)
		}
		if !weak {
			tags = append(tags, tag)
		}
		rest = after
	}
}
