package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/trace/langsmith"
)

// idleFor is how long a connection is kept that asks for nothing.
const idleFor = 3 * time.Minute

// Agents says where agents are reached apart from the API. Then the main port
// serves none: who keeps it from the outside does not want them there.
type Agents struct {
	Listen string // host:port; "" for the main port
	URL    string // "" for the public URL with this port
}

// door is a socket and who answers there.
type door struct {
	net.Listener
	http     *http.Server
	arrivals arrivals
	served   chan struct{} // closed when nobody is let in any more
}

func (d *door) port() int { return d.Addr().(*net.TCPAddr).Port }

func (d *door) serve() error {
	defer close(d.served)
	d.arrivals.watch(d.http)
	if d.http.TLSConfig != nil {
		return d.http.ServeTLS(d.Listener, "", "")
	}
	return d.http.Serve(d.Listener)
}

// shut lets nobody in any more, and waits for those who have come in to ask. Every
// answer from now on says that it is the last of its connection.
func (d *door) shut(ctx context.Context) {
	d.http.SetKeepAlivesEnabled(false)
	_ = d.Close()
	<-d.served
	d.arrivals.wait(ctx)
}

// doors are the ways in. There may be no plain one, none for agents alone and
// none for Prometheus.
type doors struct{ main, agents, plain, scrapes *door }

func (d doors) all() (open []*door) {
	for _, one := range []*door{d.main, d.agents, d.plain, d.scrapes} {
		if one != nil {
			open = append(open, one)
		}
	}
	return open
}

// close is for sockets that nothing has served at; a server closes its own.
func (d doors) close() {
	for _, one := range d.all() {
		_ = one.Close()
	}
}

// handshakes keeps down what a server says of those that fail, which strangers
// bring about as often as they like.
type handshakes struct{ slog.Handler }

func (h handshakes) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: TLS handshake error") {
		if !h.Enabled(ctx, slog.LevelDebug) {
			return nil
		}
		r.Level = slog.LevelDebug
	}
	return h.Handler.Handle(ctx, r)
}

// handle says who answers where.
func (s *Server) handle(control, tracing http.Handler) {
	traced := s.metrics.API(tracing)
	s.doors.main.http.Handler = s.split(control, traced)
	s.openInlets(traced)
	if s.doors.agents != nil {
		s.doors.agents.http.Handler = s.gateway
	}
	if s.doors.scrapes != nil {
		s.doors.scrapes.http.Handler, s.doors.scrapes.http.WriteTimeout = s.scrapeAll(), scrapeTimeout
	}
}

// split sends a request to an agent, unless those have a port of their own, to
// the registry, to what takes traces or to the API.
func (s *Server) split(control, traced http.Handler) http.Handler {
	apart, counted := s.doors.agents != nil, s.metrics.API(control)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !apart && s.gateway.Matches(r):
			s.gateway.ServeHTTP(w, r)
		case registry.Matches(r):
			s.images.ServeHTTP(w, r)
		case langsmith.Matches(r):
			traced.ServeHTTP(w, r)
		default:
			counted.ServeHTTP(w, r)
		}
	})
}

// secure has doors speak TLS, the plain one lead to them.
func (s *Server) secure() {
	config := &tls.Config{GetCertificate: s.names.GetCertificate, NextProtos: s.names.Protocols()}
	s.doors.main.http.TLSConfig = config
	if s.doors.agents != nil {
		s.doors.agents.http.TLSConfig = config.Clone()
	}
	if s.doors.plain != nil {
		s.doors.plain.http.Handler = s.names.Challenges(http.HandlerFunc(s.redirect))
	}
}

// redirect leads from HTTP to the same name and path over TLS.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	base := s.URL()
	if s.gateway.IsBelowDomain(host) {
		base = s.agentsURL()
	}
	http.Redirect(w, r, "https://"+host+portOf(base)+r.URL.RequestURI(), http.StatusPermanentRedirect)
}

func (s *Server) serve() {
	for _, d := range s.doors.all() {
		s.running.Go(func() {
			if err := d.serve(); !errors.Is(err, net.ErrClosed) {
				s.failed <- fmt.Errorf("serve: %w", err)
			}
		})
	}
}

// finish takes no more requests and lets those that have begun end, until ctx
// does.
func (s *Server) finish(ctx context.Context) {
	var ending sync.WaitGroup
	var late atomic.Bool
	end := func(server *http.Server) {
		if err := server.Shutdown(ctx); err != nil {
			late.Store(true)
			_ = server.Close()
		}
	}
	for _, d := range s.doors.all() {
		ending.Go(func() {
			d.shut(ctx)
			end(d.http)
		})
	}
	for _, i := range s.inlets.all() {
		ending.Go(func() { end(i.http) })
	}
	ending.Wait()
	if s.gateway.Idle(ctx) != nil { // servers know nothing of WebSockets
		late.Store(true)
	}
	if late.Load() {
		s.config.Logger.Warn("requests are cut that did not end in time", slog.Duration("after", finishWithin))
	}
}
