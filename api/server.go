package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/peer"
)

// Control is what the API asks of the control plane.
type Control interface {
	Create(context.Context, slipway.Principal, slipway.NewDeployment) (slipway.DeploymentView, error)
	Get(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error)
	List(context.Context, slipway.Principal, slipway.DeploymentFilter) ([]slipway.DeploymentView, error)
	Patch(context.Context, slipway.Principal, slipway.DeploymentID, slipway.Change) (slipway.DeploymentView, error)
	Revise(context.Context, slipway.Principal, slipway.DeploymentID, slipway.Change) (slipway.RevisionView, error)
	CountFree(context.Context, slipway.Principal) (int, error)
	Delete(context.Context, slipway.Principal, slipway.DeploymentID, slipway.DeleteOptions) error
	DeleteMany(context.Context, slipway.Principal, []slipway.DeploymentID) ([]error, error)
	ForceDelete(context.Context, slipway.Principal, slipway.DeploymentID, slipway.DeleteOptions) error
	Redeploy(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.DeploymentView, error)
	RotatePassword(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error)
	Interrupt(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) error
	GetRevision(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.RevisionView, error)
	ListRevisions(context.Context, slipway.Principal, slipway.RevisionFilter) ([]slipway.RevisionView, error)
	Logs(context.Context, slipway.Principal, slipway.LogQuery) ([]slipway.StoredLine, int64, error)
	Events(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, after int64) ([]slipway.StatusEvent, error)
	Metrics(context.Context, slipway.Principal, slipway.MetricsQuery) (slipway.Metrics, error)
	NewUpload(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.Upload, error)
	ReceiveUpload(ctx context.Context, id slipway.UploadID, body io.Reader) error
	NewPushToken(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.PushToken, error)
	CreateListener(context.Context, slipway.Principal, slipway.Listener) (slipway.Listener, error)
	GetListener(context.Context, slipway.Principal, slipway.ListenerID) (slipway.Listener, error)
	ListListeners(ctx context.Context, who slipway.Principal, limit, offset int) ([]slipway.Listener, error)
	PatchListener(context.Context, slipway.Principal, slipway.ListenerID, slipway.ListenerChange) (slipway.Listener, error)
	DeleteListener(context.Context, slipway.Principal, slipway.ListenerID) error
	Deletions
	Workspaces
	Keys
}

// Signer makes addresses that authorise themselves.
type Signer interface {
	Sign(message string) string
	Verify(message, signature string) bool
}

// Config is what the API is served with.
type Config struct {
	Control   Control
	Keys      slipway.Authenticator
	Signer    Signer
	PublicURL string // where clients reach this server; "" for what they say in Host
	Ready     func() bool
	Full      func() bool  // whether the disk is so full that nothing new is taken; nil for never
	Proxies   peer.Proxies // whose word is taken for where a request comes from
	// Scrape answers what Prometheus asks at /metrics, with what a key may see.
	// Nil for no such route.
	Scrape func(slipway.Principal) http.Handler
	// Stopping ends when the server takes no more requests: so do streams, which
	// would not by themselves. Nil for never.
	Stopping context.Context
	Logger   *slog.Logger
}

// server implements wire.StrictServerInterface.
type server struct {
	Config
	streams streams
	mux     *router
}

// prefixes are where the API is served; self-hosted installations of the
// contract have it under /api-host (contract §1).
var prefixes = []string{"", "/api-host"}

// Handler serves the control plane's API.
type Handler struct {
	http.Handler
	routes []Route
}

// Route is what is served under one pattern of http.ServeMux.
type Route struct {
	Pattern string
	Scope   slipway.Scope // what a key needs; "" where none is asked for
}

// Routes lists what is served.
func (h *Handler) Routes() []Route { return slices.Clone(h.routes) }

// New returns the handler of the control plane's API.
func New(config Config) (*Handler, error) {
	set, err := check.Compile(Document)
	if err != nil {
		return nil, fmt.Errorf("compile API document: %w", err)
	}
	s := &server{Config: config}
	if s.Stopping == nil {
		s.Stopping = context.Background()
	}
	s.mux = &router{mux: http.NewServeMux()}
	strict := wire.NewStrictHandlerWithOptions(s, []wire.StrictMiddlewareFunc{withRequest}, wire.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.refuseRequest,
		ResponseErrorHandlerFunc: s.fail,
	})
	for _, prefix := range prefixes {
		wire.HandlerWithOptions(strict, wire.StdHTTPServerOptions{
			BaseURL: prefix, ErrorHandlerFunc: s.refuseRequest,
			BaseRouter:  &checkedMux{s.mux.mux, prefix, set, s.guard, s.mux.operation},
			Middlewares: []wire.MiddlewareFunc{s.conditional(set, prefix)},
		})
		s.routePlanned(prefix, set)
		s.mux.open("PUT "+prefix+"/uploads/{upload_id}", s.receiveUpload)
		s.mux.open("GET "+prefix+"/openapi.json", serve("application/json", Document))
		s.mux.open("GET "+prefix+"/docs", s.serveReference())
	}
	s.mux.open("GET /healthz", serve("application/json", []byte(`{"status":"ok"}`)))
	s.mux.open("GET /readyz", s.ready)
	if s.Scrape != nil {
		s.mux.add(Route{"GET /metrics", slipway.ScopeRead}, s.scrape)
	}
	return &Handler{plain(s.mux.mux), s.mux.routes}, nil
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case !s.Ready():
		answer(w, http.StatusServiceUnavailable, []byte(`{"status":"starting"}`))
	case s.Full != nil && s.Full(): // what runs is served
		answer(w, http.StatusOK, []byte(`{"status":"ready","disk":"full"}`))
	default:
		answer(w, http.StatusOK, []byte(`{"status":"ready"}`))
	}
}
