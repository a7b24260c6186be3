package client

import (
	"net/http"
	"strings"
	"time"
)

// callTimeout bounds one control plane request; the contract promises an answer
// within 30 s.
const callTimeout = 60 * time.Second

// Client speaks to a control plane.
type Client struct{ endpoint }

// New returns a client of the control plane at baseURL, such as
// http://127.0.0.1:8124. Nothing is sent yet.
func New(baseURL, apiKey string, opts ...Option) *Client {
	return &Client{newEndpoint(baseURL, apiKey, opts)}
}

// Option changes how a Client or an Agent speaks.
type Option func(*endpoint)

// WithHTTPClient sends by h instead of http.DefaultClient. Redirects are not
// followed in any case: they would carry the key elsewhere.
func WithHTTPClient(h *http.Client) Option {
	return func(e *endpoint) { e.http = *h }
}

// WithWorkspace names the workspace for a key that is good for several.
func WithWorkspace(id string) Option {
	return func(e *endpoint) { e.header.Set("X-Tenant-Id", id) }
}

// endpoint is where requests go, and what they carry.
type endpoint struct {
	base   string
	header http.Header
	http   http.Client
}

func newEndpoint(baseURL, apiKey string, opts []Option) endpoint {
	e := endpoint{base: strings.TrimRight(baseURL, "/"), header: http.Header{"User-Agent": {"slipway-client"}}}
	if apiKey != "" {
		e.header.Set("X-Api-Key", apiKey)
	}
	for _, opt := range opts {
		opt(&e)
	}
	e.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return e
}

// URL is the address that the client was made with.
func (e *endpoint) URL() string { return e.base }
