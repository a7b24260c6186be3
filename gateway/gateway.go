package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// Config is what a gateway is made of. The zero value of a limit means its
// default.
type Config struct {
	Identifier slipway.Identifier
	Domain     string        // names are <slug>.<Domain>; "" for paths only
	HoldLimit  time.Duration // how long a request is held, 60 s
	DialLimit  time.Duration // how long one waits for a new route after a failed dial, 5 s
	KeyTTL     time.Duration // how long a verified key is remembered, 5 s
	MaxHeld    int           // requests held per deployment, 1000
	MaxBody    int64         // bytes of a request's body, 25 MB
	// TrustedProxies are the peers whose X-Forwarded-* are believed.
	TrustedProxies []netip.Prefix
	Logger         *slog.Logger
}

func (c Config) withDefaults() Config {
	c.HoldLimit = or(c.HoldLimit, 60*time.Second)
	c.DialLimit = or(c.DialLimit, 5*time.Second)
	c.KeyTTL = or(c.KeyTTL, 5*time.Second)
	c.MaxHeld = or(c.MaxHeld, 1000)
	c.MaxBody = or(c.MaxBody, 25<<20)
	c.Domain = strings.ToLower(strings.Trim(c.Domain, "."))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Gateway passes requests to the agents that it has routes for.
type Gateway struct {
	config    Config
	keys      *keys
	table     *table
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

var _ slipway.Router = (*Gateway)(nil)

// New makes a gateway without routes, which holds what it does not know until
// SetReady.
func New(config Config) *Gateway {
	g := &Gateway{config: config.withDefaults()}
	g.keys = newKeys(g.config.Identifier, g.config.KeyTTL)
	g.table = newTable()
	g.transport = newTransport()
	g.proxy = g.newProxy()
	return g
}

// Route sets or replaces the route of a deployment. A slug that another
// deployment had goes over to this one.
func (g *Gateway) Route(r slipway.Route) { g.table.set(r) }

// Unroute forgets a deployment. Held requests are answered 404, those that have
// begun go on.
func (g *Gateway) Unroute(d slipway.DeploymentID) { g.table.unset(d) }

// SetReady says that all routes are there: from now on an unknown name is 404.
func (g *Gateway) SetReady() { g.table.setReady() }

// ForgetKeys makes the next request of every key ask the identifier.
func (g *Gateway) ForgetKeys() { g.keys.forget() }

// Idle waits until no request to the deployment is in progress, at any address,
// or ctx ends. Held requests are not in progress.
func (g *Gateway) Idle(ctx context.Context, d slipway.DeploymentID) error {
	return g.table.await(ctx, d, (*entry).idle)
}

// Drained waits until no request is in progress at an address that the
// deployment is no longer served at, or ctx ends. Unlike Idle it ends under a
// steady load: it is what to wait for between a switch and a stop.
func (g *Gateway) Drained(ctx context.Context, d slipway.DeploymentID) error {
	return g.table.await(ctx, d, (*entry).drained)
}

// Close drops the idle connections to agents.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// Matches says whether a request is for an agent, known or not.
func (g *Gateway) Matches(r *http.Request) bool {
	_, ok := g.target(r)
	return ok
}

// ServeHTTP passes a request on, or answers it with an error.
//
// A key of the deployment's workspace, or of the organisation, is needed, as
// X-Api-Key or as a bearer; it is taken out. GET /ok and CORS preflights need
// none. An Authorization that is not our key is the agent's business and goes on
// untouched.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := g.serve(w, r); err != nil {
		answer(w, err)
	}
}

// serve returns an error if nothing was answered yet.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) error {
	p, err := g.check(r)
	if err != nil {
		return err
	}
	if err := g.find(p, r); err != nil {
		return err
	}
	r = r.WithContext(withPassage(r.Context(), p))
	if err := g.limitBody(w, r); err != nil {
		return err
	}
	if err := p.enter(r); err != nil {
		return err
	}
	defer finishBody(r)
	defer p.leave()
	clearDeadlines(w)
	interleave(w)
	g.proxy.ServeHTTP(w, r)
	return nil
}

// check does what needs no route: names, paths, keys.
func (g *Gateway) check(r *http.Request) (*passage, error) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return nil, slipway.Errorf(slipway.CodeNotImplemented, "Method %s is not supported.", r.Method)
	}
	t, ok := g.target(r)
	if !ok {
		return nil, slipway.Errorf(slipway.CodeNotFound, "Not found.")
	}
	if err := checkPath(t.path); err != nil {
		return nil, err
	}
	p := &passage{gateway: g, target: t, probe: probeFrom(r.Context()), keyless: keyless(r, t.path)}
	if p.keyless || p.probe != nil {
		return p, nil
	}
	var err error
	p.admission, err = g.keys.admit(r.Context(), r.Header)
	return p, err
}

// find gives the passage its deployment, if whoever asks may know of it.
func (g *Gateway) find(p *passage, r *http.Request) (err error) {
	if p.probe != nil {
		p.entry = p.probe.entry
		return nil
	}
	if p.entry, err = g.lookup(r.Context(), p); err != nil || p.keyless {
		return err
	}
	return p.admission.permit(p.entry.workspace(), p.entry.id(), p.target.name)
}

// lookup returns the entry of a name; before the gateway is ready, it waits for
// one.
func (g *Gateway) lookup(ctx context.Context, p *passage) (*entry, error) {
	if e := g.table.find(p.target.name); e != nil {
		return e, nil
	}
	e, changed := g.table.findOrWait(p.target.name)
	if changed == nil {
		return e, orUnknown(e, p.target.name)
	}
	if !g.table.strangers.take(p.places()) {
		return nil, errCrowded()
	}
	defer g.table.strangers.free()
	limit := time.NewTimer(g.config.HoldLimit)
	defer limit.Stop()
	for changed != nil {
		if err := wait(ctx, changed, limit.C); err != nil {
			return nil, err
		}
		e, changed = g.table.findOrWait(p.target.name)
	}
	return e, orUnknown(e, p.target.name)
}

func orUnknown(e *entry, name string) error {
	if e == nil {
		return errUnknown(name)
	}
	return nil
}

// keyless says whether a request may pass without a key: a health check that
// says nothing and carries nothing, or a preflight, which can not carry a key.
func keyless(r *http.Request, path string) bool {
	if r.ContentLength != 0 || r.Header.Get("Upgrade") != "" {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return path == "/ok"
	case http.MethodOptions:
		return r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
	}
	return false
}

// clearDeadlines lifts the server's timeouts from a request that may last for
// hours. A writer without deadlines has none to lift.
func clearDeadlines(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
}

// interleave lets an agent answer before its request has come to its end. Else
// the server closes the body at the first byte of the answer, and an agent that
// is quicker than the last look at the body has its connection cut. HTTP/2 knows
// no such thing, and says so.
func interleave(w http.ResponseWriter) { _ = http.NewResponseController(w).EnableFullDuplex() }

// finishBody closes a body that nobody has read, as after failed dials. A server
// whose answers may overtake requests does so only when it has begun to wait for
// the next request, and then panics (net/http's startBackgroundRead).
func finishBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // of the client, who may have left
	}
}
