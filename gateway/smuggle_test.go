package gateway_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/gateway"
)

// behind puts the gateway behind a server as the daemon sets one up.
func behind(t *testing.T, c gateway.Config, headerWithin time.Duration) *world {
	t.Helper()
	w := newWorld(t, c)
	l := listen(t)
	s := &http.Server{Handler: w.Gateway, ReadHeaderTimeout: headerWithin, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(w.log, nil), slog.LevelWarn)}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	w.addr, w.url = l.Addr().String(), "http://"+l.Addr().String()
	w.SetReady()
	return w
}

// exact sends bytes as they are, and returns all that comes back. It ends when the
// server closes the connection, or has answered once and got no more.
func (w *world) exact(text string) string {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	go io.WriteString(c, text)
	var all strings.Builder
	r := bufio.NewReader(io.TeeReader(c, &all))
	if res, err := http.ReadResponse(r, nil); err == nil {
		io.Copy(io.Discard, res.Body)
		c.(*net.TCPConn).CloseWrite()
	}
	io.Copy(io.Discard, r)
	return all.String()
}

// However a request is framed, the agent sees at most what we saw: one request,
// for the path that was checked.
func TestSmuggling(t *testing.T) {
	const (
		head = "POST /d/app/threads HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n"
		evil = "POST /internal/truncate HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
	)
	passed := 0
	for name, text := range map[string]string{
		"length and chunks":         head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"chunks and length":         head + "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n\r\n0\r\n\r\n" + evil,
		"chunks twice":              head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"chunks, oddly":             head + "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil,
		"chunks, capital":           head + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n" + evil,
		"two lengths":               head + "Content-Length: 0\r\nContent-Length: " + "60\r\n\r\n" + evil,
		"a length twice":            head + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody" + evil,
		"a negative length":         head + "Content-Length: -1\r\n\r\n" + evil,
		"a huge length":             head + "Content-Length: 99999999999999999999\r\n\r\n" + evil,
		"a length in hexadecimal":   head + "Content-Length: 0x10\r\n\r\n" + evil,
		"a folded header":           head + "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"lines that end in LF":      "POST /d/app/threads HTTP/1.1\nHost: h\nX-Api-Key: good\nContent-Length: 0\n\n" + evil,
		"CR within a header":        head + "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + evil,
		"NUL within a header":       head + "X-A: b\x00c\r\nContent-Length: 0\r\n\r\n" + evil,
		"a space before the colon":  head + "Content-Length : 5\r\n\r\n" + evil,
		"a chunk's extension":       head + "Transfer-Encoding: chunked\r\n\r\n4;a=\"\r\n\r\n\"\r\nbody\r\n0\r\n\r\n" + evil,
		"a chunk's size, too large": head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nbody\r\n0\r\n\r\n" + evil,
		"a chunk's size, signed":    head + "Transfer-Encoding: chunked\r\n\r\n+4\r\nbody\r\n0\r\n\r\n" + evil,
		"chunks that end in LF":     head + "Transfer-Encoding: chunked\r\n\r\n4\nbody\n0\n\n" + evil,
		"trailers":                  head + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 99\r\nX-Auth-Scheme: forged\r\n\r\n" + evil,
		"HTTP/1.0 with chunks":      "POST /d/app/threads HTTP/1.0\r\nHost: h\r\nX-Api-Key: good\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"HTTP/0.9":                  "GET /d/app/threads\r\n" + evil,
		"another version":           "POST /d/app/threads HTTP/1.2\r\nHost: h\r\nX-Api-Key: good\r\nContent-Length: 0\r\n\r\n" + evil,
		"HTTP/2, known before":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a tunnel":                  "CONNECT app.agents.test:80 HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n\r\n" + evil,
		"an upgrade to HTTP/2":      head + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n\r\n" + evil,
		"an upgrade with a body":    head + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nPOST " + evil,
		"headers of one hop":        head + "Connection: Content-Length, X-Api-Key, close\r\nContent-Length: 4\r\n\r\nbody" + evil,
	} {
		w := behind(t, gateway.Config{Domain: "agents.test"}, time.Minute)
		address, got := recording(t)
		w.Route(route(address))
		answer := w.exact(text)
		if strings.Count(answer, "HTTP/1.") > strings.Count(text, "HTTP/") {
			t.Errorf("%s: answers %q", name, answer)
		}
		passes := strings.HasPrefix(answer, "HTTP/1.1 200") || strings.HasPrefix(answer, "HTTP/1.0 200")
		if passes {
			passed++
		}
		if passes != (len(got) > 0) {
			t.Errorf("%s: %.40q, and the agent got %d requests", name, answer, len(got))
		}
		for n := 0; len(got) > 0; n++ {
			if seen := <-got; n > 0 || strings.Contains(seen, "/internal") || !strings.Contains(seen, " /threads HTTP/1.1\r\n") {
				t.Errorf("%s: the agent got %q", name, seen)
			}
		}
		if log := w.log.String(); strings.Contains(log, "panic") {
			t.Errorf("%s: %s", name, log)
		}
	}
	if passed < 5 {
		t.Errorf("only %d of them pass", passed)
	}
}

// The name of a deployment is where we read it, whatever else is said.
func TestAuthorities(t *testing.T) {
	const rest = "\r\nX-Api-Key: good\r\nConnection: close\r\n\r\n"
	for text, want := range map[string]string{
		"GET /x HTTP/1.1\r\nHost: app.agents.test" + rest:                                            "200",
		"GET /x HTTP/1.1\r\nHost: APP.Agents.Test.:8080" + rest:                                      "200",
		"GET /x HTTP/1.1\r\nHost: app.agents.test\r\nHost: other.agents.test" + rest:                 "400",
		"GET /x HTTP/1.1\r\nHost: other.agents.test@app.agents.test" + rest:                          "4",
		"GET /x HTTP/1.1\r\nHost: app.agents.test, other" + rest:                                     "4",
		"GET /x HTTP/1.1\r\nHost: app.agents.test/../other" + rest:                                   "4",
		"GET /x HTTP/1.1\r\nHost: app.agents.test#.elsewhere" + rest:                                 "4",
		"GET /x HTTP/1.1\r\nHost: app.agents.test.elsewhere" + rest:                                  "404",
		"GET /x HTTP/1.1\r\nHost: a.app.agents.test" + rest:                                          "404",
		"GET /x HTTP/1.1" + rest:                                                                     "400",
		"GET http://app.agents.test/x HTTP/1.1\r\nHost: other.agents.test" + rest:                    "200",
		"GET http://other.agents.test/x HTTP/1.1\r\nHost: app.agents.test" + rest:                    "404",
		"GET http://user:pass@app.agents.test/x HTTP/1.1\r\nHost: h" + rest:                          "200",
		"GET //app.agents.test/d/app/x HTTP/1.1\r\nHost: h" + rest:                                   "404",
		"GET file:///d/app/x HTTP/1.1\r\nHost: h" + rest:                                             "200", // a path of ours, whatever the scheme
		"GET /d/app/x HTTP/1.1\r\nHost: other.agents.test" + rest:                                    "404", // the host goes first
		"GET /x HTTP/1.1\r\nHost: elsewhere\r\nX-Forwarded-Host: app.agents.test" + rest:             "404",
		"GET /x HTTP/1.1\r\nHost: elsewhere\r\nForwarded: host=app.agents.test" + rest:               "404",
		"GET /x HTTP/1.1\r\nHost: elsewhere\r\nX-Original-Url: /d/app/x\r\nX-Rewrite-Url: /d" + rest: "404",
	} {
		w := behind(t, gateway.Config{Domain: "agents.test"}, time.Minute)
		address, got := recording(t)
		w.Route(route(address))
		answer := w.exact(text)
		if !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
			t.Errorf("%q: %.60q, want %s", text, answer, want)
		}
		if len(got) > 0 != (want == "200") {
			t.Errorf("%q: %d requests reached the agent", text, len(got))
		}
		for len(got) > 0 {
			seen, err := http.ReadRequest(bufio.NewReader(strings.NewReader(<-got)))
			if err != nil || seen.URL.User != nil || seen.URL.Path != "/x" {
				t.Errorf("%q: the agent got %v %v", text, seen, err)
			}
		}
	}
}

func TestHeaderFloods(t *testing.T) {
	w := behind(t, gateway.Config{}, time.Minute)
	address, got := recording(t)
	w.Route(route(address))
	for name, lines := range map[string]string{
		"one long header":       "X-A: " + strings.Repeat("a", 2<<20) + "\r\n",
		"many headers":          strings.Repeat("X-A: b\r\n", 300_000),
		"a header that goes on": strings.Repeat("a", 2<<20),
	} {
		if answer := w.exact("GET /d/app/x HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 4") && answer != "" {
			t.Errorf("%s: %.60q", name, answer)
		}
	}
	if answer := w.exact("GET /d/app/" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 4") && answer != "" {
		t.Errorf("a long path: %.60q", answer)
	}
	if len(got) > 0 {
		t.Errorf("the agent got %.80q", <-got)
	}
}
