package langsmith

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/peer"
	"github.com/slipwayhq/slipway/trace/store"
)

// Projects are the tracing projects that somebody may see.
type Projects interface {
	ListProjects(context.Context, slipway.Principal, slipway.ProjectFilter) ([]slipway.TracingProject, error)
	GetProject(context.Context, slipway.Principal, slipway.ProjectID) (slipway.TracingProject, error)
	// ProjectNamed makes the project if there is none.
	ProjectNamed(ctx context.Context, who slipway.Principal, name string) (slipway.TracingProject, error)
	CreateProject(context.Context, slipway.Principal, slipway.NewProject) (slipway.TracingProject, error)
	UpdateProject(context.Context, slipway.Principal, slipway.ProjectID, slipway.ProjectPatch) (slipway.TracingProject, error)
	DeleteProject(context.Context, slipway.Principal, slipway.ProjectID) error
	GetWorkspace(context.Context, slipway.Principal, slipway.WorkspaceID) (slipway.Workspace, error)
	// Organisation names the installation.
	Organisation(context.Context) (slipway.WorkspaceID, error)
}

// Signer makes addresses that authorise themselves.
type Signer interface {
	Sign(message string) string
	Verify(message, signature string) bool
}

// Config is what the protocol is served with.
type Config struct {
	Runs      *store.Store
	Projects  Projects
	Keys      slipway.Tracers
	Signer    Signer
	Proxies   peer.Proxies  // whose word is taken for where a request comes from
	PublicURL string        // where clients reach this server; "" for what they say in Host
	Room      func() error  // what to tell who brings runs while the disk is almost full; nil for always nil
	Stalled   time.Duration // before a request is given up of which nothing comes; 0 for 30 s
	Now       func() time.Time
	Logger    *slog.Logger
}

// Handler serves the protocol, for what Matches.
type Handler struct {
	Config
	mux    *http.ServeMux
	routes []string
	memory budget
	shares *semaphore.Weighted
}

// prefixes are where it is served: SDKs are told one or the other, and the
// default of some has none.
var prefixes = []string{"", "/api", "/api/v1", "/v1"}

// New returns the handler of the protocol.
func New(c Config) *Handler {
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Stalled = cmp.Or(c.Stalled, 30*time.Second)
	h := &Handler{Config: c, mux: http.NewServeMux(), shares: semaphore.NewWeighted(maxShares)}
	for _, prefix := range prefixes {
		for _, r := range h.table() {
			h.handle(r.method+" "+prefix+r.path, r.serve)
		}
	}
	h.handle("POST /api/v2/runs/query", h.reading(h.queryRunsV2))
	h.handle("GET /api/v2/runs/{run}", h.reading(h.getRunV2))
	return h
}

type route struct {
	method, path string
	serve        http.HandlerFunc
}

func (h *Handler) table() []route {
	return []route{
		{"GET", "/info", h.info},
		{"GET", "/settings", h.reading(h.settings)},
		{"GET", "/auth/public", h.open(h.verify)},
		{"GET", "/auth/verify", h.open(h.verify)},
		{"POST", "/metadata/submit", h.open(h.submitMetadata)},
		{"POST", "/runs/multipart", h.writing(h.takeMultipart)},
		{"POST", "/runs/batch", h.writing(h.takeBatch)},
		{"POST", "/runs", h.writing(h.postRun)},
		{"PATCH", "/runs/{run}", h.writing(h.patchRun)},
		{"GET", "/runs/{run}", h.reading(h.getRun)},
		{"POST", "/runs/query", h.reading(h.queryRuns)},
		{"GET", "/runs/{run}/attachments/{name}", h.open(h.getAttachment)},
		{"GET", "/sessions", h.reading(h.listSessions)},
		{"POST", "/sessions", h.writing(h.createSession)},
		{"GET", "/sessions/{session}", h.reading(h.getSession)},
		{"PATCH", "/sessions/{session}", h.writing(h.updateSession)},
		{"DELETE", "/sessions/{session}", h.deleting(h.deleteSession)},
		{"POST", exportPath, h.writing(h.takeSpans)},
	}
}

func (h *Handler) handle(pattern string, serve http.HandlerFunc) {
	h.routes = append(h.routes, pattern)
	h.mux.HandleFunc(pattern, serve)
}

// Routes lists what is served, as patterns of http.ServeMux.
func (h *Handler) Routes() []string { return slices.Clone(h.routes) }

// owned are the first segments of paths below a prefix that are the protocol's.
var owned = map[string]bool{"info": true, "settings": true, "metadata": true, "runs": true, "sessions": true, "otel": true, "auth": true}

// Matches says whether a request is for the protocol rather than the API of the
// control plane, which has paths below / and /v1 too.
func Matches(r *http.Request) bool {
	path := r.URL.Path
	rest, ok := strings.CutPrefix(path, "/api/v2/runs")
	if ok && (rest == "" || rest[0] == '/') {
		return true
	}
	path = strings.TrimPrefix(path, "/api")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/")
	first, _, _ := strings.Cut(path, "/")
	return owned[first]
}

// ServeHTTP answers also what no route takes: never a redirect, always JSON.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := h.mux.Handler(r); pattern != "" {
		h.mux.ServeHTTP(w, r)
		return
	}
	status, text := http.StatusNotFound, "Not Found"
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := h.mux.Handler(other); pattern != "" {
			status, text = http.StatusMethodNotAllowed, "Method Not Allowed"
			w.Header().Add("Allow", method)
		}
	}
	answer(w, status, detail{Detail: text})
}
