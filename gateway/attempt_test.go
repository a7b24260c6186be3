package gateway

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
)

// pair is a gateway in front of two agents, each of which answers with the body
// that it got.
type pair struct {
	t *testing.T
	*Gateway
	agents []*httptest.Server
	log    strings.Builder
}

// newPair takes the connections that are dialled through wrap.
func newPair(t *testing.T, wrap func(*net.TCPConn) net.Conn) *pair {
	t.Helper()
	p := &pair{t: t}
	var addresses []string
	for range 2 {
		a := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				_, _ = w.Write(body)
			}
		}))
		t.Cleanup(a.Close)
		p.agents = append(p.agents, a)
		addresses = append(addresses, a.Listener.Addr().String())
	}
	p.Gateway = New(Config{Logger: slog.New(slog.NewTextHandler(&p.log, nil))})
	t.Cleanup(p.Close)
	real := p.transport.DialContext
	p.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := real(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newConn(wrap(c.(*conn).Conn.(*net.TCPConn))), nil
	}
	p.Route(slipway.Route{
		Deployment: "d", Workspace: "w", Slug: "app", State: slipway.RouteServing, Addresses: addresses, Public: true,
	})
	p.SetReady()
	return p
}

// post sends a body of so many bytes, of known length or not, and expects it
// back.
func (p *pair) post(size int, known bool) {
	p.t.Helper()
	sent := strings.Repeat("x", size)
	r := httptest.NewRequestWithContext(p.t.Context(), http.MethodPost, "/d/app/runs", io.MultiReader(strings.NewReader(sent)))
	if known {
		r.ContentLength = int64(size)
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK || answer.Body.String() != sent {
		p.t.Errorf("a body of %d bytes: %d with %d bytes: %.80s", size, answer.Code, answer.Body.Len(), answer.Body)
	}
}

// unaware is a connection whose reader does not see its end before something
// more is written or it is closed, as on a machine that has other things to do
// first.
type unaware struct {
	*net.TCPConn
	written chan struct{} // holds one
	closed  chan struct{}
	once    sync.Once
}

func newUnaware(c *net.TCPConn) net.Conn {
	return &unaware{TCPConn: c, written: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (u *unaware) Read(b []byte) (int, error) {
	n, err := u.TCPConn.Read(b)
	if err == nil {
		select {
		case <-u.written: // this is the answer
		default:
		}
		return n, nil
	}
	select {
	case <-u.written:
	case <-u.closed:
	}
	return n, err
}

func (u *unaware) Write(b []byte) (int, error) {
	select {
	case u.written <- struct{}{}:
	default:
	}
	return u.TCPConn.Write(b)
}

func (u *unaware) Close() error {
	u.once.Do(func() { close(u.closed) })
	return u.TCPConn.Close()
}

// sizes of bodies: less and more than the transport reads ahead.
var sizes = []int{1, 1 << 10, 100 << 10}

// What had not been sent when one of two agents died is answered by the other,
// over whatever connections the dead one leaves.
func TestADeathFailsNothingThatWasNotSent(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, size := range sizes {
			p := newPair(t, newUnaware)
			for range 4 {
				p.post(size, known)
			}
			p.agents[0].Close()
			for range 4 {
				p.post(size, known)
			}
		}
	}
}

// The same with many at once, and connections as they are.
func TestADeathAmongMany(t *testing.T) {
	for range 10 {
		p := newPair(t, func(c *net.TCPConn) net.Conn { return c })
		p.many()
		p.agents[1].Close()
		p.many()
	}
}

// many posts at once.
func (p *pair) many() {
	var posts sync.WaitGroup
	for range 16 {
		posts.Go(func() { p.post(1<<10, true) })
	}
	posts.Wait()
}

// An agent that closes kept connections lives on: it is not blamed, and no other
// is asked instead of it.
func TestKeptConnectionsMayClose(t *testing.T) {
	p := newPair(t, newUnaware)
	for range 6 {
		p.post(1<<10, true)
		p.agents[0].CloseClientConnections()
		p.agents[1].CloseClientConnections()
	}
	if log := p.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// broken is a connection on which nothing can be sent.
type broken struct{ *net.TCPConn }

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A new connection that was over before anything was sent is as one that was
// refused: another address is taken, and the body, which was read by then, is
// whole.
func TestANewConnectionThatIsOver(t *testing.T) {
	var dead string
	p := newPair(t, func(c *net.TCPConn) net.Conn {
		if c.RemoteAddr().String() == dead {
			return broken{c}
		}
		return c
	})
	dead = p.agents[0].Listener.Addr().String()
	for _, size := range sizes {
		p.post(size, true)
		p.post(size, false)
	}
	if n := strings.Count(p.log.String(), "does not answer"); n != 1 {
		t.Errorf("said %d times: %s", n, &p.log)
	}
}

// What an agent may have seen is not sent again, to nobody.
func TestWhatWasSentIsNotSentAgain(t *testing.T) {
	p := newPair(t, func(c *net.TCPConn) net.Conn { return c })
	seen := make(chan struct{}, 4)
	for _, a := range p.agents {
		a.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			seen <- struct{}{}
			panic(http.ErrAbortHandler)
		})
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/d/app/runs", strings.NewReader("x"))
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, r)
	if answer.Code != http.StatusBadGateway || len(seen) != 1 {
		t.Errorf("%d, seen %d times", answer.Code, len(seen))
	}
}
