package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/check"
)

type contextKey int

const (
	principalKey contextKey = iota
	baseKey
)

// principal is who asks; the guard has put it there.
func principal(ctx context.Context) slipway.Principal {
	p, _ := ctx.Value(principalKey).(slipway.Principal)
	return p
}

// base is where the client reached this server.
func base(ctx context.Context) string {
	b, _ := ctx.Value(baseKey).(string)
	return b
}

// scopeOf is the scope that the document declares. An operation without one is
// not served at all.
func scopeOf(op *check.Operation) slipway.Scope {
	scope := slipway.Scope(op.Extension("x-slipway-scope"))
	if !slices.Contains(append(slipway.DefaultScopes(), slipway.ScopeSecretsRead), scope) {
		panic(fmt.Sprintf("api: an operation of the document declares scope %q", scope))
	}
	return scope
}

// guard lets a request pass to an operation if its key has the operation's
// scope.
func (s *server) guard(op *check.Operation, next http.HandlerFunc) http.HandlerFunc {
	scope, anywhere := scopeOf(op), op.Extension("x-slipway-workspace") == "optional"
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := s.admit(r, scope, anywhere)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), principalKey, p)
		next(w, r.WithContext(context.WithValue(ctx, baseKey, s.baseOf(r))))
	}
}

// admit returns who asks, if they have a scope.
func (s *server) admit(r *http.Request, scope slipway.Scope, anywhere bool) (slipway.Principal, error) {
	p, err := s.Keys.Authenticate(r.Context(), s.caller(r, anywhere))
	if err == nil && !p.May(scope) {
		err = slipway.Errorf(slipway.CodeForbidden, "This API key lacks the scope '%s'.", scope)
	}
	return p, err
}

// caller is who a request says that it is of. X-Api-Key goes before a bearer.
func (s *server) caller(r *http.Request, anywhere bool) slipway.Caller {
	c := slipway.Caller{Tenant: r.Header.Get("X-Tenant-Id"), Anywhere: anywhere, Address: s.Proxies.Client(r)}
	if c.Token = r.Header.Get("X-Api-Key"); c.Token == "" {
		c.Credential = slipway.Credential{Token: bearer(r.Header.Get("Authorization")), Bearer: true}
	}
	return c
}

func bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (s *server) baseOf(r *http.Request) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// statusOf is the one place where an error becomes an HTTP status.
var statusOf = map[slipway.Code]int{
	slipway.CodeInvalid:         http.StatusBadRequest,
	slipway.CodeUnauthenticated: http.StatusUnauthorized,
	slipway.CodeForbidden:       http.StatusForbidden,
	slipway.CodeNotFound:        http.StatusNotFound,
	slipway.CodeConflict:        http.StatusConflict,
	slipway.CodeStale:           http.StatusPreconditionFailed,
	slipway.CodeRateLimited:     http.StatusTooManyRequests,
	slipway.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	slipway.CodeFull:            http.StatusInsufficientStorage,
	slipway.CodeUnavailable:     http.StatusServiceUnavailable,
	slipway.CodeNotImplemented:  http.StatusNotImplemented,
}

// fail answers with an error: its own text if it is for the caller, else that
// something is wrong with us, which is logged.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := slipway.CodeOf(err)
	status, expected := statusOf[code]
	refusal := map[string]string{"detail": "Internal Server Error"}
	if e, ok := errors.AsType[*slipway.Error](err); ok {
		refusal["detail"] = e.Text
		explain(e, refusal, w.Header())
	}
	if !expected {
		status = http.StatusInternalServerError
		if r.Context().Err() == nil {
			s.Logger.Error("request failed", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
		}
	}
	if code == slipway.CodeConflict {
		w.Header().Set("X-Should-Retry", "false") // clients send a 409 again otherwise (contract §1)
	}
	body, _ := json.Marshal(refusal)
	answer(w, status, body)
}

// explain adds what an error says beside its text.
func explain(e *slipway.Error, refusal map[string]string, h http.Header) {
	if e.Reason != "" {
		refusal["error"] = e.Reason
	}
	if e.After > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.After.Seconds()))))
	}
}

// refuseRequest answers a request that the generated code could not bind; the
// checks before it leave it little to refuse.
func (s *server) refuseRequest(w http.ResponseWriter, r *http.Request, err error) {
	s.fail(w, r, slipway.Errorf(slipway.CodeInvalid, "The request could not be read: %v", err))
}
