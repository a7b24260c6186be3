package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
)

// Control is what the API asks of the control plane.
type Control interface {
	Create(context.Context, slipway.Principal, slipway.NewDeployment) (slipway.DeploymentView, error)
	Get(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error)
	List(context.Context, slipway.Principal, slipway.DeploymentFilter) ([]slipway.DeploymentView, error)
	Patch(context.Context, slipway.Principal, slipway.DeploymentID, slipway.Change) (slipway.DeploymentView, error)
	Delete(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, tracing bool) error
	ForceDelete(context.Context, slipway.Principal, slipway.DeploymentID) error
	Redeploy(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.DeploymentView, error)
	Interrupt(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) error
	GetRevision(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.RevisionView, error)
	ListRevisions(context.Context, slipway.Principal, slipway.RevisionFilter) ([]slipway.RevisionView, error)
	Logs(context.Context, slipway.Principal, slipway.LogQuery) ([]slipway.StoredLine, int64, error)
	NewUpload(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.Upload, error)
	ReceiveUpload(ctx context.Context, id slipway.UploadID, body io.Reader) error
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
	Logger    *slog.Logger
}

// server implements wire.StrictServerInterface.
type server struct{ Config }

// prefixes are where the API is served; self-hosted installations of the
// contract have it under /api-host (contract §1).
var prefixes = []string{"", "/api-host"}

// New returns the handler of the control plane's API.
func New(config Config) (http.Handler, error) {
	set, err := check.Compile(Document)
	if err != nil {
		return nil, fmt.Errorf("compile API document: %w", err)
	}
	s := &server{config}
	mux := http.NewServeMux()
	strict := wire.NewStrictHandlerWithOptions(s, nil, wire.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.refuseRequest,
		ResponseErrorHandlerFunc: s.fail,
	})
	for _, prefix := range prefixes {
		wire.HandlerWithOptions(strict, wire.StdHTTPServerOptions{
			BaseURL: prefix, BaseRouter: CheckedMux(mux, prefix, set, s.guard), ErrorHandlerFunc: s.refuseRequest,
		})
		s.routePlanned(mux, prefix, set)
		mux.HandleFunc("PUT "+prefix+"/uploads/{upload_id}", s.receiveUpload)
		mux.HandleFunc("GET "+prefix+"/openapi.json", serveDocument)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, []byte(`{"status":"ok"}`)) })
	mux.HandleFunc("GET /readyz", s.ready)
	return plain(mux), nil
}

func serveDocument(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Document) }

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.Ready() {
		answer(w, http.StatusOK, []byte(`{"status":"ready"}`))
		return
	}
	answer(w, http.StatusServiceUnavailable, []byte(`{"status":"starting"}`))
}

// plain answers what no route takes as the contract's server does: never a
// redirect, always JSON.
func plain(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) != r.URL.Path { // the mux would redirect it
			answer(w, http.StatusNotFound, []byte(`{"detail":"Not Found"}`))
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		if allowed := methodsOf(mux, r); allowed != "" {
			w.Header().Set("Allow", allowed)
			answer(w, http.StatusMethodNotAllowed, []byte(`{"detail":"Method Not Allowed"}`))
			return
		}
		answer(w, http.StatusNotFound, []byte(`{"detail":"Not Found"}`))
	})
}

// methodsOf lists the methods that are served at the path of a request.
func methodsOf(mux *http.ServeMux, r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}
