package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/slipwayhq/slipway"
)

// maxProbe is how much of an answer to a probe is read.
const maxProbe = 64 << 10

// probe marks a request as our own. It travels in the context, where nothing
// from the network can put it.
type probe struct {
	entry *entry
	err   error // why no answer came
}

type probeKey struct{}

func probeFrom(ctx context.Context) *probe {
	p, _ := ctx.Value(probeKey{}).(*probe)
	return p
}

// Probe asks the instance of a route, whatever the deployment's own route is,
// through everything that a client's request goes through but the key check. It
// returns the status of the answer, or an error if none came. It does not count
// as a request of the deployment.
func (g *Gateway) Probe(ctx context.Context, r slipway.Route, path string) (int, error) {
	r.State = slipway.RouteServing
	p := &probe{entry: newEntry()}
	p.entry.set(r)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, probeKey{}, p))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+prefix+string(r.Deployment)+rooted(path), nil)
	if err != nil {
		return 0, err
	}
	w := &statusWriter{header: http.Header{}}
	if err := g.serve(&passage{gateway: g}, w, req); err != nil {
		return 0, err
	}
	if p.err != nil {
		return 0, p.err
	}
	return w.status, nil
}

// Heard is when the instance of a route last began to answer a client, zero if it is
// not known to have. Probes do not count.
func (g *Gateway) Heard(r slipway.Route) time.Time {
	known, ok := g.table.ids.Load(string(r.Deployment))
	if !ok {
		return time.Time{}
	}
	return known.(*entry).lastHeard(r.Addresses[0])
}

// statusWriter remembers the status and lets the body fall.
type statusWriter struct {
	header http.Header
	status int
	size   int
}

var errEnough = errors.New("enough of the answer was read")

func (w *statusWriter) Header() http.Header { return w.header }

// Flush is there since the proxy flushes streams.
func (w *statusWriter) Flush() {}

func (w *statusWriter) WriteHeader(status int) {
	if status >= http.StatusOK && w.status == 0 {
		w.status = status
	}
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.size += len(b); w.size > maxProbe {
		return 0, errEnough
	}
	return len(b), nil
}
