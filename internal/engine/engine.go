// Package engine reaches a Docker Engine: who builds images and who runs them
// share how it is found, how its errors are told apart, and how an image is
// fetched and pinned.
package engine

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
)

// Engine is a client of a Docker Engine. Nothing is sent until it is used: an
// engine that does not answer now may later.
type Engine struct {
	*client.Client
	// Owner names the installation for which images are kept: others may use
	// the same engine.
	Owner string
	// Pulls remembers what was fetched; "" does not.
	Pulls Pulls
	// Logins are the server's own at registries.
	Logins Logins
}

// Open returns a client of the engine at a host such as
// unix:///var/run/docker.sock. The version of the API is the newest that both
// know, from 1.41 (Docker Engine 20.10) on.
func Open(host string) (*Engine, error) {
	c, err := client.New(client.WithHost(host), client.WithUserAgent("slipway"), client.WithHTTPRequestHook(boundPing))
	if err != nil {
		return nil, fmt.Errorf("docker host %q: %w", host, err)
	}
	return &Engine{Client: c}, nil
}

// pingWithin is how long an engine may take to say which versions it knows; it is
// asked twice.
const pingWithin = 3 * time.Second

// boundPing bounds the question for the version, which comes before all others: the
// client holds a lock meanwhile, at which everybody waits, whatever their contexts
// say.
func boundPing(r *http.Request) error {
	if path.Base(r.URL.Path) != "_ping" {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingWithin)
	context.AfterFunc(ctx, cancel) // of the answer nobody tells us
	*r = *r.WithContext(ctx)
	return nil
}

// Explain says of an error that the engine could not be reached; another try
// may find it. Every other error stays as it is.
func (e *Engine) Explain(err error) error {
	if err == nil || !client.IsErrConnectionFailed(err) {
		return err
	}
	return fmt.Errorf("the container engine at %s does not answer: %w", e.DaemonHost(), err)
}

// NotFound says whether the engine knows nothing of what it was asked about.
func NotFound(err error) bool { return errdefs.IsNotFound(err) }

// NoEngine is the failure of who wants an image run where nothing can.
func NoEngine() *slipway.Failure {
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "start", Code: "no_engine",
		Message: "This server has no container engine to run images with.",
		Hint: "Start the server with one: slipway server --docker-host unix:///var/run/docker.sock, or set SLIPWAY_DOCKER_HOST. " +
			"Or deploy the source, for example with langgraph deploy --remote.",
	}
}

// Has says whether the engine holds an image.
func (e *Engine) Has(ctx context.Context, image string) (bool, error) {
	_, err := e.ImageInspect(ctx, image)
	if NotFound(err) {
		return false, nil
	}
	return err == nil, e.Explain(err)
}
