package daemon

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// arriveWithin is how long a client that has connected may take to ask before a
// server that stops takes it for one that does not.
const arriveWithin = 5 * time.Second

// arrivals are connections on which nothing was asked yet. A server of net/http
// closes them when it is shut down, those too of which it has just read a request:
// who waits for them first, and takes no more meanwhile, cuts nobody off.
type arrivals struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	none  chan struct{} // closed when there are none any more; nil while nobody waits
}

// arrival is the connection of a request.
type arrival struct {
	net.Conn
	asked atomic.Bool
}

type arrivalKey struct{}

// watch has a server tell who arrives, before it serves.
func (a *arrivals) watch(s *http.Server) {
	a.conns = map[net.Conn]bool{}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, arrivalKey{}, &arrival{Conn: c})
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			a.begin(c)
		case http.StateClosed, http.StateHijacked:
			a.end(c)
		}
	}
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(arrivalKey{}).(*arrival); ok && !c.asked.Swap(true) {
			a.end(c.Conn)
		}
		next.ServeHTTP(w, r)
	})
}

func (a *arrivals) begin(c net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns[c] = true
}

func (a *arrivals) end(c net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.conns, c)
	if len(a.conns) == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}

// wait returns when all have asked or gone, or should have, or with ctx.
func (a *arrivals) wait(ctx context.Context) {
	a.mu.Lock()
	none := make(chan struct{})
	if len(a.conns) == 0 {
		close(none)
	} else {
		a.none = none
	}
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, arriveWithin)
	defer cancel()
	select {
	case <-none:
	case <-ctx.Done():
	}
}
