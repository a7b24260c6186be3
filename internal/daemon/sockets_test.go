package daemon_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/systemd"
)

// opened is a socket as systemd opens it, and its address.
func opened(t *testing.T, listen string) (open func(name string) systemd.Socket, port string) {
	t.Helper()
	kept, err := net.Listen("tcp", listen)
	must(t, err)
	t.Cleanup(func() { kept.Close() })
	_, port, err = net.SplitHostPort(kept.Addr().String())
	must(t, err)
	return func(name string) systemd.Socket {
		f, err := kept.(*net.TCPListener).File()
		must(t, err)
		defer f.Close()
		l, err := net.FileListener(f)
		must(t, err)
		return systemd.Socket{Name: name, Listener: l}
	}, port
}

// A socket that was opened before is met by the name of a flag, or by its
// address, and outlives the server.
func TestSocketsOpenedBefore(t *testing.T) {
	one, at := opened(t, "127.0.0.1:0")
	wide, wideAt := opened(t, ":0")
	two, twoAt := opened(t, "127.0.0.1:0")
	for name, c := range map[string]struct {
		listen, agents string
		given          []systemd.Socket
		served         []string // ports
		refused        string
	}{
		"by name":                   {"127.0.0.1:1", "", []systemd.Socket{one("listen")}, []string{at}, ""},
		"by address":                {"127.0.0.1:" + at, "", []systemd.Socket{one("slipway.socket")}, []string{at}, ""},
		"by the name of a host":     {"localhost:" + at, "", []systemd.Socket{one("")}, []string{at}, ""},
		"everywhere":                {":" + wideAt, "", []systemd.Socket{wide("")}, []string{wideAt}, ""},
		"everywhere, as version 4":  {"0.0.0.0:" + wideAt, "", []systemd.Socket{wide("")}, []string{wideAt}, ""},
		"two, of which one is met":  {"127.0.0.1:" + at, "127.0.0.1:0", []systemd.Socket{one("")}, []string{at}, ""},
		"two, the later one first":  {"127.0.0.1:" + at, "127.0.0.1:1", []systemd.Socket{two("gateway-listen"), one("")}, []string{at, twoAt}, ""},
		"one that nobody asks for":  {"127.0.0.1:0", "", []systemd.Socket{one("slipway.socket")}, nil, "that no flag asks for"},
		"of a flag that is not set": {"127.0.0.1:0", "", []systemd.Socket{one("gateway-listen")}, nil, "(gateway-listen) that no flag asks for"},
		"here, and not everywhere":  {":" + at, "", []systemd.Socket{one("")}, nil, "that no flag asks for"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(t.TempDir())
			conf.Listen, conf.Agents.Listen, conf.Sockets = c.listen, c.agents, c.given
			s, err := daemon.Start(t.Context(), conf)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("it says %v, want %q", err, c.refused)
				}
				return
			}
			must(t, err)
			for _, port := range c.served {
				answer, err := http.Get("http://127.0.0.1:" + port + "/healthz")
				must(t, err)
				answer.Body.Close()
			}
			must(t, s.Stop())
			for _, port := range c.served {
				c, err := net.Dial("tcp", "127.0.0.1:"+port)
				must(t, err)
				c.Close()
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}
