package langsmith

import (
	"net/http"
	"strings"

	"github.com/slipwayhq/slipway"
)

// serve answers a request of somebody who may ask for it.
type serve func(w http.ResponseWriter, r *http.Request, who slipway.Principal) error

// open serves everybody.
func (h *Handler) open(do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			h.refuse(w, r, err)
		}
	}
}

// reading, writing and deleting serve keys with the scope, and agents, whose
// keys are good for their own project.
func (h *Handler) reading(do serve) http.HandlerFunc { return h.guard(slipway.ScopeRead, do) }

func (h *Handler) writing(do serve) http.HandlerFunc { return h.guard(slipway.ScopeDeploy, do) }

func (h *Handler) deleting(do serve) http.HandlerFunc { return h.guard(slipway.ScopeDelete, do) }

func (h *Handler) guard(scope slipway.Scope, do serve) http.HandlerFunc {
	return h.open(func(w http.ResponseWriter, r *http.Request) error {
		who, err := h.Keys.Tracer(r.Context(), h.caller(r))
		if err != nil {
			return err
		}
		if who.Deployment == "" && !who.May(scope) {
			return slipway.Errorf(slipway.CodeForbidden, "This API key lacks the scope '%s'.", scope)
		}
		return do(w, r, who)
	})
}

// caller is who a request says that it is of. X-Api-Key goes before a bearer.
func (h *Handler) caller(r *http.Request) slipway.Caller {
	c := slipway.Caller{Tenant: r.Header.Get("X-Tenant-Id"), Address: h.Proxies.Client(r)}
	if c.Token = r.Header.Get("X-Api-Key"); c.Token != "" {
		return c
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if strings.EqualFold(scheme, "bearer") {
		c.Credential = slipway.Credential{Token: strings.TrimSpace(token), Bearer: true}
	}
	return c
}

// base is where the client reached this server.
func (h *Handler) base(r *http.Request) string {
	if h.PublicURL != "" {
		return h.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
