package gateway

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

// newProxy leaves FlushInterval at 0: event streams and answers of unknown
// length are then flushed at each write by themselves, and those of known
// length go out in one piece.
func (g *Gateway) newProxy(b httputil.BufferPool) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		Transport:      &delivery{g.transport},
		ModifyResponse: g.received,
		ErrorHandler:   g.failed,
		BufferPool:     b,
		ErrorLog:       slog.NewLogLogger(g.config.Logger.Handler(), slog.LevelDebug),
	}
}

// rewrite makes the agent's request out of the client's.
func (g *Gateway) rewrite(r *httputil.ProxyRequest) {
	p := passageFrom(r.In.Context())
	*r.Out.URL = url.URL{Scheme: "http", Host: address.Host(p.stay.address), RawQuery: r.In.URL.RawQuery} // a copy of our own
	setPath(r.Out.URL, p.target.path)
	r.Out.Host = r.In.Host
	r.Out.Trailer = nil // they come after the checks
	g.setForwarded(r)
	if p.showsKey {
		p.apiKey = r.In.Header["X-Api-Key"]
	}
	stripCookies(r.Out.Header)
	if !p.admission.foreign {
		r.Out.Header.Del("Authorization")
	}
	if p.keyless {
		r.Out.URL.RawQuery = ""
	}
	if !wantsWebSocket(r.Out.Header) {
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
	}
}

// wantsWebSocket leaves no other upgrade: in a tunnel of HTTP/2 a client could
// send requests that nobody checks.
func wantsWebSocket(h http.Header) bool {
	return strings.EqualFold(h.Get("Upgrade"), "websocket")
}

var (
	errUpgrade = errors.New("the agent switched protocols unasked")
	errClient  = errors.New("the client has left")
)

// received looks at an answer before the client sees it.
func (g *Gateway) received(res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols && !wantsWebSocket(res.Request.Header) {
		res.Body.Close()
		return errUpgrade
	}
	stripSetCookies(res.Header)
	p := passageFrom(res.Request.Context())
	if p.target.shares {
		stripOrigin(res.Header)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		p.body.letAnswer(res.Header)
	}
	p.entry.hear(&p.stay)
	if p.entry.recover(p.stay.address) {
		g.config.Logger.Info("agent answers again", "deployment", p.entry.id(), "address", p.stay.address)
	}
	return nil
}

// failed answers for an agent that did not.
func (g *Gateway) failed(w http.ResponseWriter, r *http.Request, err error) {
	p := passageFrom(r.Context())
	if p.probe != nil {
		p.probe.err = err
	}
	if p.body.isBegun() || !isUnreached(err) {
		p.body.letAnswer(w.Header())
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = errTooLarge(g.config.MaxBody)
	}
	switch {
	case p.body.isLate(): // the server took it for a client that left
		err = errSlow
	case r.Context().Err() != nil:
		err = errClient
	}
	g.logFailure(p, err)
	answer(w, err)
}

// logFailure says once that an agent fails, until its route changes or it
// answers. Probes are reported by who asked for them.
func (g *Gateway) logFailure(p *passage, err error) {
	if _, expected := errors.AsType[*slipway.Error](err); expected || err == errClient || err == errSlow || p.probe != nil {
		return
	}
	if p.entry.trouble(p.stay.address, isUnreached(err)) {
		g.config.Logger.Warn("agent does not answer",
			"deployment", p.entry.id(), "address", p.stay.address, "error", cause(err))
	}
}

const bufferSize = 32 << 10

// buffers lends the memory that bodies are copied through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }

// streamBuffer holds some events. A stream has its buffer for as long as it
// lasts, said or unsaid, and thousands of them may be open.
const streamBuffer = 4 << 10

// streamBuffers are made for each stream: few begin in a second.
type streamBuffers struct{}

func (streamBuffers) Get() []byte { return make([]byte, streamBuffer) }

func (streamBuffers) Put([]byte) {}

// wantsStream guesses from a request whether its answer is a stream of events.
// Nothing but memory depends on it.
func wantsStream(r *http.Request, path string) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream") ||
		strings.HasSuffix(path, "/stream") || strings.HasSuffix(path, "/stream/events")
}
