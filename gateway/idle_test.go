package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
)

// wire is a network within the process, whose time a test can let pass.
type wire chan net.Conn

func (w wire) Accept() (net.Conn, error) {
	c, ok := <-w
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w wire) Close() error   { close(w); return nil }
func (w wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire"} }

func (w wire) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	w <- server
	return newConn(client), nil
}

// A stream may be without a byte for hours: there is no heartbeat. So may an
// answer that has not begun.
func TestStreamsMayBeIdleForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 5 * time.Hour
		agents, clients := make(wire), make(wire)
		agent := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				time.Sleep(idle)
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n", i)
				http.NewResponseController(w).Flush()
				time.Sleep(idle)
			}
		})}
		go agent.Serve(agents)
		g := New(Config{})
		g.transport.DialContext = agents.dial
		g.SetReady()
		g.Route(slipway.Route{Deployment: "d", Workspace: "w", Slug: "app", State: slipway.RouteServing, Addresses: []string{"agent"}, Public: true})
		server := &http.Server{Handler: g, ReadHeaderTimeout: 30 * time.Second}
		go server.Serve(clients)
		defer func() {
			g.Close()
			server.Close()
			agent.Close()
			synctest.Wait()
		}()
		for path, want := range map[string]time.Duration{"/stream": 3 * idle, "/wait": 4 * idle} {
			start := time.Now()
			c, err := clients.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET /d/app%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			body, err := io.ReadAll(res.Body)
			if took := time.Since(start); string(body) != "data: 0\ndata: 1\ndata: 2\n" || err != nil || took != want {
				t.Errorf("%s: %q %v after %v, want %v", path, body, err, took, want)
			}
			c.Close()
		}
	})
}
