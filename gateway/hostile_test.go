package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

// recording is an agent that sends on what it received whole, a request at a time.
func recording(t *testing.T) (string, <-chan string) {
	got := make(chan string, 16)
	return rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		for {
			var head strings.Builder
			req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(r, &head)))
			if err != nil {
				return
			}
			if _, err := io.ReadAll(req.Body); err != nil {
				return
			}
			got <- head.String()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}), got
}

// Two lengths: the agent must get one, and one request.
func TestSmuggledLength(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	address, got := recording(t)
	w.Route(route(address))
	answer := w.raw("POST /d/app/x HTTP/1.1\nHost: h\nX-Api-Key: good\nContent-Length: 4\nTransfer-Encoding: chunked\n\n" +
		"0\n\nGET /d/app/internal/truncate HTTP/1.1\nHost: h\nConnection: close\n\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") && !strings.HasPrefix(answer, "HTTP/1.1 400") {
		t.Errorf("%q", answer)
	}
	if strings.HasPrefix(answer, "HTTP/1.1 200") {
		head := <-got
		if strings.Contains(head, "Content-Length") || strings.Contains(head, "internal") {
			t.Errorf("%q", head)
		}
	}
	if len(got) > 0 {
		t.Errorf("a second request: %q", <-got)
	}
}

func TestBadFramingIsRefused(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	address, got := recording(t)
	w.Route(route(address))
	for _, lines := range []string{
		"Content-Length: 4\nContent-Length: 5",
		"Content-Length: +4",
		"Content-Length: 4, 4, 5",
		"Transfer-Encoding: identity, chunked",
		"Transfer-Encoding: chunked, identity",
		"Transfer-Encoding : chunked",
		"Transfer-Encoding: xchunked",
		"X-Api-Key : good",
		" X-Folded: 1",
	} {
		answer := w.raw("POST /d/app/x HTTP/1.1\nHost: h\nX-Api-Key: good\n" + lines + "\n\n0\n\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 4") && !strings.HasPrefix(answer, "HTTP/1.1 501") {
			t.Errorf("%q: %.40q", lines, answer)
		}
	}
	if len(got) > 0 {
		t.Errorf("passed: %q", <-got)
	}
}

func TestRequestTrailersDoNotPass(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	address, got := recording(t)
	w.Route(route(address))
	w.raw("POST /d/app/x HTTP/1.1\nHost: h\nX-Api-Key: good\nConnection: close\nTransfer-Encoding: chunked\nTrailer: X-Auth-Scheme\n\n" +
		"2\nhi\n0\nX-Auth-Scheme: forged\n\n")
	if head := <-got; strings.Contains(strings.ToLower(head), "x-auth-scheme") {
		t.Errorf("%q", head)
	}
}

// A request may name another host in its first line; it goes to the agent all
// the same.
func TestAbsoluteForm(t *testing.T) {
	w := newWorld(t, gateway.Config{Domain: "agents.test"})
	w.SetReady()
	address, got := recording(t)
	w.Route(route(address))
	for target, want := range map[string]string{
		"http://elsewhere.test/d/app/x?y=1": "GET /x?y=1 HTTP/1.1",
		"http://app.agents.test/x":          "GET /x HTTP/1.1",
		"http://app.agents.test":            "GET / HTTP/1.1",
	} {
		answer := w.raw("GET " + target + " HTTP/1.1\nHost: ignored\nX-Api-Key: good\nConnection: close\n\n")
		if head := <-got; !strings.HasPrefix(head, want+"\r\n") || !strings.HasSuffix(answer, "ok") {
			t.Errorf("%s: %q %q", target, head, answer)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	w := serving(t, gateway.Config{MaxBody: 1000}, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil {
			fmt.Fprint(w, n)
		}
	})
	body := func(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }
	chunked := func(n int) io.Reader { return io.MultiReader(body(n)) }
	w.send("POST", "/d/app/x", body(1000)).want(t, 200, "1000")
	w.send("POST", "/d/app/x", chunked(1000)).want(t, 200, "1000")
	for _, r := range []io.Reader{body(1001), chunked(1001), chunked(100_000)} {
		if a := w.send("POST", "/d/app/x", r); a.StatusCode != 413 || !strings.Contains(a.detail(), "1000") {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
	}
	if strings.Contains(w.log.String(), "does not answer") {
		t.Errorf("the agent was blamed: %s", w.log)
	}
}

// A client that asks first is told before it has sent anything.
func TestBodyLimitBeforeContinue(t *testing.T) {
	w := serving(t, gateway.Config{MaxBody: 10}, echo)
	c := w.dial()
	defer c.Close()
	io.WriteString(c, "POST /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 413") {
		t.Errorf("%q %v", line, err)
	}
}

func TestAgentsThatDoNotAnswer(t *testing.T) {
	for name, speak := range map[string]string{
		"nothing":          "",
		"half a header":    "HTTP/1.1 200 OK\r\nContent-Le",
		"no HTTP":          "SSH-2.0-secret\r\n\r\n",
		"bad status":       "HTTP/1.1 9999 what\r\n\r\n",
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"endless header":   "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 1<<20),
		"unasked upgrade":  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
		"nameless upgrade": "HTTP/1.1 101 Switching Protocols\r\n\r\nhello",
	} {
		w := newWorld(t, gateway.Config{})
		w.Route(route(rawAgent(t, func(c net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(c, speak)
		})))
		for range 3 {
			a := w.get("/d/app/x?token=hidden")
			if a.StatusCode != 502 || !strings.Contains(a.detail(), "did not answer") || !strings.Contains(a.detail(), "slipway logs") {
				t.Errorf("%s: %d %q", name, a.StatusCode, a.body)
			}
		}
		log := w.log.String()
		if strings.Count(log, "agent does not answer") != 1 {
			t.Errorf("%s: logged %q", name, log)
		}
		for _, secret := range []string{"hidden", "good", "secret"} {
			if strings.Contains(log, secret) {
				t.Errorf("%s: %q tells %s", name, log, secret)
			}
		}
		w.idle()
	}
}

func TestFailureIsLoggedOncePerFact(t *testing.T) {
	var broken atomic.Bool
	w := newWorld(t, gateway.Config{})
	agent := rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		if http.ReadRequest(r); !broken.Load() {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		}
	})
	w.Route(route(agent))
	for _, b := range []bool{true, true, false, false, true, true} {
		broken.Store(b)
		w.get("/d/app/x")
		w.Route(route(agent)) // a reconciler repeats itself
	}
	log := w.log.String()
	if strings.Count(log, "does not answer") != 2 || strings.Count(log, "answers again") != 1 {
		t.Errorf("%s", log)
	}
}

// An agent may refuse a long body without reading it. Its client gets that
// answer, or 502 where the connection broke first; never a hanging request.
func TestAgentAnswersEarlyAndCloses(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.Route(route(rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, "HTTP/1.1 422 Unprocessable\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
	})))
	for range 20 {
		body := strings.NewReader(strings.Repeat("x", 8<<20))
		a, err := w.do(w.request("POST", "/d/app/x", body))
		if err == nil && a.StatusCode != 502 && (a.StatusCode != 422 || a.body != "no") {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
	}
	w.idle()
}

// Hints come before the answer, while the agent has not begun it, and are none.
func TestInformationalAnswers(t *testing.T) {
	hinted := make(chan struct{})
	w := newWorld(t, gateway.Config{})
	w.Route(route(rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
		<-hinted
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})))
	c := w.dial()
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, "GET /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\n\r\n")
	r := bufio.NewReader(c)
	hint, err := http.ReadResponse(r, nil)
	if err != nil || hint.StatusCode != 103 || hint.Header.Get("Link") != "</a>" {
		t.Fatalf("%+v %v", hint, err)
	}
	if n := w.Traffic(id); n.Requests != 0 {
		t.Errorf("a hint is an answer: %+v", n)
	}
	close(hinted)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Link") != "" || res.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%+v %v", res, err)
	}
	if body, err := io.ReadAll(res.Body); string(body) != "ok" || err != nil {
		t.Errorf("%q %v", body, err)
	}
}

// Nothing was sent to an address that refuses, so the request may wait for
// another one, body and all.
func TestFailedDialWaitsForANewRoute(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Hour})
	w.SetReady()
	alive := agentAt(t, copyBody)
	for _, body := range []io.Reader{strings.NewReader("body"), io.MultiReader(strings.NewReader("body"))} {
		w.Route(route(nowhere(t)))
		got := make(chan answered)
		go func() {
			a, _ := w.do(w.request("POST", "/d/app/x", body, func(r *http.Request) { r.ContentLength = 4 }))
			got <- a
		}()
		w.log.await("does not answer")
		w.idle() // one that waits is not in progress
		w.Route(holding())
		w.Route(route(nowhere(t))) // from bad to bad
		w.Route(route(alive))
		a := <-got
		a.want(t, 200, "body")
	}
}

func TestFailedDialIsBounded(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Millisecond})
	w.Route(route(nowhere(t)))
	w.get("/d/app/x").want(t, 502, "The agent did not answer. The deployment's log")
	w.send("POST", "/d/app/x", strings.NewReader("body")).want(t, 502, "The agent did not answer. The deployment's log")
	w.idle()
}

// The connection of a client whose request could not be delivered is as good as
// before.
func TestFailedDialLeavesTheConnection(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Millisecond})
	w.Route(route(nowhere(t)))
	c := w.dial()
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range 3 {
		io.WriteString(c, "POST /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\nContent-Length: 4\r\n\r\nbody")
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 502 {
			t.Fatalf("request %d: %v %v", i, res, err)
		}
		io.Copy(io.Discard, res.Body)
	}
}

func TestFailedDialEndsWithItsDeployment(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Hour})
	w.SetReady()
	w.Route(route(nowhere(t)))
	got := make(chan answered)
	go func() { got <- w.get("/d/app/x") }()
	w.log.await("does not answer")
	w.Unroute(id)
	a := <-got
	a.want(t, 404, "app")
}

func TestFailedDialTakesAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{MaxHeld: 1})
		g.Route(route(nowhere(t)))
		codes := make(chan int, 2)
		start := time.Now()
		for range 2 {
			go func() { codes <- alone(g, "GET", "/d/app/x", "good").Code }()
		}
		if c := <-codes; c != 502 || time.Since(start) != 0 {
			t.Errorf("%d after %v", c, time.Since(start))
		}
		if c := <-codes; c != 502 || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %v", c, time.Since(start))
		}
	})
}

func TestProbe(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	agent := agentAt(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				io.WriteString(w, strings.Repeat("x", 1000))
			}
		case "/bad":
			w.WriteHeader(503)
		default:
			io.WriteString(w, strings.Repeat("x", 100))
		}
	})
	w.Route(slipway.Route{Deployment: id, Workspace: home, Slug: "app", State: slipway.RouteDown})
	r := route(agent)
	r.State = slipway.RouteHolding
	for path, want := range map[string]int{"/ok": 200, "ok": 200, "/info?x=1": 200, "/bad": 503, "/endless": 200} {
		if got, err := w.Probe(t.Context(), r, path); got != want || err != nil {
			t.Errorf("%s: %d %v", path, got, err)
		}
	}
	for _, path := range []string{"/internal", "/x/../y"} {
		if got, err := w.Probe(t.Context(), r, path); err == nil {
			t.Errorf("%s: %d", path, got)
		}
	}
	w.get("/d/app/x").want(t, 503, "")
}

func TestProbeWithoutAnAnswer(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Hour})
	silent := rawAgent(t, func(_ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		address string
	}{
		"refused":  {t.Context(), nowhere(t)},
		"cut":      {t.Context(), rawAgent(t, func(net.Conn, *bufio.Reader) {})},
		"silent":   {gone, silent},
		"nameless": {t.Context(), ""},
	} {
		if status, err := w.Probe(c.ctx, route(c.address), "/ok"); err == nil {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// forged is a key of a context that is not the gateway's.
type forged string

// What a probe is can not be said from outside.
func TestProbesAreNotForged(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	for _, name := range []string{"X-Slipway-Probe", "X-Slipway-Internal", "X-Slipway-Principal"} {
		w.get("/d/app/x", noKey, header(name, "1")).want(t, 401, "")
	}
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), forged("probe"), true), "GET", "/d/app/x", nil)
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if rec.Code != 401 {
		t.Error(rec.Code)
	}
}
