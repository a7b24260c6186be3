package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway/accesslog"
	"github.com/slipwayhq/slipway/internal/peer"
)

// Config is what a gateway is made of. The zero value of a limit means its
// default.
type Config struct {
	Identifier slipway.Identifier
	Domain     string        // names are <slug>.<Domain>; "" for paths only
	HoldLimit  time.Duration // how long a request is held, 60 s
	WakeAgain  time.Duration // how long to wait for what is asleep before asking again, 10 s
	DialLimit  time.Duration // how long one waits for a new route after a failed dial, 5 s
	KeyTTL     time.Duration // how long a verified key is remembered, 5 s
	MaxHeld    int           // requests held per deployment, 1000
	MaxOpen    int           // requests in progress per deployment, as many as take three quarters of the files that may be open
	MaxBody    int64         // bytes of a request's body, 25 MB
	BodyIdle   time.Duration // how long a request may stop in the middle of its body, 60 s
	// Wake asks for a deployment to be started that is asleep and has a request.
	Wake func(context.Context, slipway.DeploymentID) error
	// Guesses bounds the wrong keys of each client; nil for no bound.
	Guesses Guesses
	// Proxies are the peers whose X-Forwarded-* are believed.
	Proxies   peer.Proxies
	AccessLog *accesslog.Log // nil for none
	Logger    *slog.Logger
}

func (c Config) withDefaults() Config {
	c.HoldLimit = or(c.HoldLimit, 60*time.Second)
	c.WakeAgain = or(c.WakeAgain, 10*time.Second)
	c.DialLimit = or(c.DialLimit, 5*time.Second)
	c.KeyTTL = or(c.KeyTTL, 5*time.Second)
	c.MaxHeld = or(c.MaxHeld, 1000)
	c.MaxOpen = or(c.MaxOpen, maxOpen())
	c.MaxBody = or(c.MaxBody, 25<<20)
	c.BodyIdle = or(c.BodyIdle, time.Minute)
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
	streams   *httputil.ReverseProxy // the same with smaller buffers
	life      context.Context        // ends with Close
	end       context.CancelFunc
	waking    sync.WaitGroup
}

var _ slipway.Router = (*Gateway)(nil)

// New makes a gateway without routes, which holds what it does not know until
// SetReady.
func New(config Config) *Gateway {
	g := &Gateway{config: config.withDefaults()}
	g.keys = newKeys(g.config)
	g.table = newTable()
	g.transport = newTransport()
	g.proxy, g.streams = g.newProxy(&buffers{}), g.newProxy(streamBuffers{})
	g.life, g.end = context.WithCancel(context.Background())
	return g
}

// Route sets or replaces the route of a deployment. A slug that another
// deployment had goes over to this one.
func (g *Gateway) Route(r slipway.Route) { g.table.set(r) }

// Unroute forgets a deployment. Held requests are answered 404, those that have
// begun go on.
func (g *Gateway) Unroute(d slipway.DeploymentID) { g.table.unset(d) }

// Routes says whether requests to a deployment find it.
func (g *Gateway) Routes(d slipway.DeploymentID) bool { return g.table.find(string(d)) != nil }

// SetReady says that all routes are there: from now on an unknown name is 404.
func (g *Gateway) SetReady() { g.table.setReady() }

// ForgetKeys makes the next request of every key ask the identifier.
func (g *Gateway) ForgetKeys() { g.keys.forget() }

// Idle waits until no request is in progress at all, or ctx ends. Held requests are
// not in progress. Upgraded connections are, which a server that shuts down takes
// for none of its own.
func (g *Gateway) Idle(ctx context.Context) (err error) {
	g.table.ids.Range(func(d, _ any) bool {
		err = g.table.await(ctx, slipway.DeploymentID(d.(string)), (*entry).idle)
		return err == nil
	})
	return err
}

// Drained waits until no request is in progress at an address that the
// deployment is no longer served at, and, while it hands over, none that writes
// anywhere; or until ctx ends. It ends under a steady load: it is what to wait for
// between a switch and a stop.
func (g *Gateway) Drained(ctx context.Context, d slipway.DeploymentID) error {
	return g.table.await(ctx, d, (*entry).drained)
}

// Answered waits until each request in progress, at any address, has the head of
// its answer, or ctx ends. One that has none may not have been read by its agent.
func (g *Gateway) Answered(ctx context.Context, d slipway.DeploymentID) error {
	return g.table.await(ctx, d, (*entry).answered)
}

// Close ends upgraded connections and drops the idle ones to agents.
func (g *Gateway) Close() {
	g.end()
	g.waking.Wait()
	g.table.cut()
	g.transport.CloseIdleConnections()
}

// Matches says whether a request is for an agent, known or not.
func (g *Gateway) Matches(r *http.Request) bool {
	_, ok := g.target(r)
	return ok
}

// ServeHTTP passes a request on, or answers it with an error.
//
// A key of the deployment's workspace, or of the organisation, is needed, as
// X-Api-Key or as a bearer; it is taken out. GET /ok and CORS preflights need
// none, nor does a deployment that is public; a key that comes all the same is
// taken out there too. An Authorization that is not our key is the agent's
// business and goes on untouched.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &passage{gateway: g, observer: observer{
		ResponseWriter: w, client: r.Context(), began: time.Now(),
	}}
	p.observer.identify(r.Header)
	whole := false
	defer func() { g.account(p, r, whole) }()
	err := g.serve(p, &p.observer, r)
	g.boundRest(p, r)
	if err != nil {
		answer(&p.observer, err)
	}
	whole = true
}

// serve returns an error if nothing was answered yet.
func (g *Gateway) serve(p *passage, w http.ResponseWriter, r *http.Request) error {
	if err := g.check(p, r); err != nil {
		return err
	}
	if err := g.find(p, r); err != nil {
		return err
	}
	r = r.WithContext(p.within(r.Context()))
	if err := g.limitBody(p, w, r); err != nil {
		return err
	}
	if err := p.enter(r); err != nil {
		return err
	}
	defer p.leave()
	clearDeadlines(w, r)
	if p.target.upgrades {
		w = switching{&p.observer, p}
	}
	if wantsStream(r, p.target.path) {
		g.streams.ServeHTTP(w, r)
	} else {
		g.proxy.ServeHTTP(w, r)
	}
	return nil
}

// account counts and logs a request that has ended.
func (g *Gateway) account(p *passage, r *http.Request, whole bool) {
	o := p.observer.outcome(whole)
	if p.permitted {
		p.entry.traffic.ended(o)
	}
	if g.config.AccessLog != nil {
		g.config.AccessLog.Write(g.record(p, r, o))
	}
}

// check does what needs no route: names and paths.
func (g *Gateway) check(p *passage, r *http.Request) error {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return slipway.Errorf(slipway.CodeNotImplemented, "Method %s is not supported.", r.Method)
	}
	var ok bool
	if p.target, ok = g.target(r); !ok {
		return slipway.Errorf(slipway.CodeNotFound, "Not found.")
	}
	if err := checkPath(p.target.path); err != nil {
		return err
	}
	p.probe, p.keyless = probeFrom(r.Context()), keyless(r, p.target.path)
	return nil
}

// find gives the passage its deployment, if whoever asks may know of it.
func (g *Gateway) find(p *passage, r *http.Request) error {
	if p.probe != nil {
		p.entry = p.probe.entry
		return nil
	}
	e := g.table.find(p.target.name)
	if err := g.admit(p, r, e); err != nil {
		return err
	}
	if e == nil {
		var err error
		if e, err = g.lookup(r.Context(), p); err != nil {
			return cmp.Or(p.refused, err) // who has no key does not learn what there is
		}
	}
	if err := p.permit(e); err != nil {
		return err
	}
	p.entry, p.permitted = e, true
	if !isPreflight(r) {
		e.traffic.came(p.observer.began)
	}
	return nil
}

// admit looks at the credentials of a request. It returns an error if they are
// no good for whatever deployment it is for; e is what is known of that, nil for
// nothing.
func (g *Gateway) admit(p *passage, r *http.Request, e *entry) error {
	if p.keyless {
		return nil
	}
	p.admission, p.refused = g.keys.admit(r.Context(), r.Header, g.suspect(r, e))
	if slipway.CodeOf(p.refused) == slipway.CodeUnauthenticated {
		return nil // it may be for everybody
	}
	return p.refused
}

// suspect is the address that a wrong key counts against. At a deployment for
// everybody none is one.
func (g *Gateway) suspect(r *http.Request, e *entry) string {
	if e != nil {
		if _, _, public := e.owner(); public {
			return ""
		}
	}
	return g.config.Proxies.Client(r)
}

// permit says whether whoever asks may use a deployment.
func (p *passage) permit(e *entry) (err error) {
	w, d, public := e.owner()
	p.deployment, p.showsKey = d, p.admission.opens(w, d)
	switch {
	case p.keyless:
		return nil
	case public:
		p.key, _ = p.admission.permit(w, d, p.target.name)
		return nil
	case p.refused != nil:
		return p.refused
	}
	p.key, err = p.admission.permit(w, d, p.target.name)
	return err
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
	if !g.table.strangers.take(p.share(g.config.MaxHeld)) {
		return nil, errCrowded()
	}
	defer g.table.strangers.free()
	limit := time.NewTimer(g.config.HoldLimit)
	defer limit.Stop()
	for changed != nil {
		if err := wait(ctx, changed, nil, limit.C); err != nil {
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
	}
	return isPreflight(r)
}

// isPreflight says whether a browser asks if a page may send a request. Nobody
// asks for an agent by that: any page can, and the request follows if it may.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// clearDeadlines lifts the server's timeouts from a request that may last for
// hours. Where the server has none, or the writer, there is none to lift: each
// costs a lock and a timer.
func clearDeadlines(w http.ResponseWriter, r *http.Request) {
	s, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && s.ReadTimeout == 0 && s.WriteTimeout == 0 {
		return
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
}

// boundRest bounds how long a server waits for what is left of a request that is
// answered: if nobody has begun to read that, it does so before it sends the
// answer.
func (g *Gateway) boundRest(p *passage, r *http.Request) {
	if hasBody(r) && !p.body.isOver() {
		_ = http.NewResponseController(&p.observer).SetReadDeadline(time.Now().Add(g.config.BodyIdle))
	}
}
