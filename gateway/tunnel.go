package gateway

import (
	"bufio"
	"net"
	"slices"
	"sync"

	"github.com/slipwayhq/slipway"
)

// tunnel is the client's side of a connection that was upgraded. What it sends may
// make runs, and nobody looks: so that waits while its deployment hands over, as
// other writes do, and if the deployment goes on at another address the tunnel
// ends. The client opens another one there.
type tunnel struct {
	net.Conn
	entry   *entry
	address string
	end     func() error // once
	ended   chan struct{}
	over    bool // nothing more of it may reach the agent; under the entry's lock
}

// switching is what a request is answered by that may become a tunnel.
type switching struct {
	*observer
	passage *passage
}

func (s switching) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := s.observer.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return s.passage.entry.tunnel(c, s.passage.stay.address), rw, nil
}

func (e *entry) tunnel(c net.Conn, address string) *tunnel {
	t := &tunnel{Conn: c, entry: e, address: address, ended: make(chan struct{})}
	t.end = sync.OnceValue(func() error {
		close(t.ended)
		e.mu.Lock()
		delete(e.tunnels, t)
		e.mu.Unlock()
		return c.Close()
	})
	e.mu.Lock()
	t.over = !slices.Contains(e.route.Addresses, address)
	if e.tunnels == nil {
		e.tunnels = map[*tunnel]struct{}{}
	}
	e.tunnels[t] = struct{}{}
	over := t.over
	e.mu.Unlock()
	if over { // the route has changed meanwhile
		_ = t.end()
	}
	return t
}

// cut ends the tunnels to all addresses but some. The caller holds the lock.
func (e *entry) cut(but []string) {
	for t := range e.tunnels {
		if !slices.Contains(but, t.address) {
			t.over = true
			go t.Close() // may wait for a client that does not read
		}
	}
}

func (t *tunnel) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if n > 0 && !t.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

// pass waits until what was read may go to the agent, and says whether it may.
func (t *tunnel) pass() bool {
	for {
		t.entry.mu.Lock()
		over, changed := t.over, t.entry.changed
		waits := !t.entry.gone && t.entry.route.State == slipway.RouteHandingOver
		t.entry.mu.Unlock()
		if over || !waits {
			return !over
		}
		select {
		case <-changed:
		case <-t.ended:
			return false
		}
	}
}

// Close is called again by who copies.
func (t *tunnel) Close() error { return t.end() }

// CloseWrite passes the agent's end on.
func (t *tunnel) CloseWrite() error { return closeWrite(t.Conn) }
