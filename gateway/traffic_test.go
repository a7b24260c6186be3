package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

// A preflight is a request, but none that keeps a deployment awake: any page can
// send it, without a key.
func TestPreflightsDoNotKeepAwake(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	preflight := []edit{noKey, header("Origin", "https://a.test"), header("Access-Control-Request-Method", "POST")}
	w.send("OPTIONS", "/d/app/x", nil, preflight...).want(t, 200, "")
	w.await(func(n slipway.Traffic) bool { return n.Requests == 1 })
	if last := w.Traffic(id).Last; !last.IsZero() {
		t.Errorf("used at %v", last)
	}
	for _, use := range []func(){
		func() { w.send("OPTIONS", "/d/app/x", nil) },
		func() { w.get("/d/app/ok", noKey) },
		func() { w.get("/d/app/x") },
	} {
		before := w.Traffic(id).Last
		use()
		if !w.Traffic(id).Last.After(before) {
			t.Error("a request keeps it awake")
		}
	}
}

func TestTrafficIsCounted(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Millisecond})
	w.SetReady()
	agent := rawAgent(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		switch req.URL.Path {
		case "/ok":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		case "/404":
			io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		case "/500":
			io.WriteString(c, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
		case "/cut":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 10000))
		}
	})
	w.Route(route(agent))
	want := func(requests, errors uint64) {
		t.Helper()
		w.await(func(n slipway.Traffic) bool { return n.Requests == requests && n.Errors == errors && n.InFlight == 0 })
	}
	if n := w.Traffic(id); n != (slipway.Traffic{}) {
		t.Errorf("before any: %+v", n)
	}
	for _, refused := range []edit{noKey, header("X-Api-Key", "away"), header("X-Api-Key", "bad")} {
		w.get("/d/app/x", refused)
	}
	if _, err := w.Probe(t.Context(), route(agent), "/ok"); err != nil {
		t.Error(err)
	}
	if n := w.Traffic(id); n != (slipway.Traffic{}) {
		t.Errorf("probes and strangers are counted: %+v", n)
	}
	w.get("/d/app/ok")
	want(1, 0)
	w.get("/d/app/404")
	want(2, 0)
	w.get("/d/app/500")
	want(3, 1)
	w.get("/d/app/none")
	want(4, 2)
	if _, err := w.do(w.request("GET", "/d/app/cut", nil)); err == nil {
		t.Error("half an answer looks whole")
	}
	want(5, 3)
	w.Route(route(nowhere(t)))
	w.get("/d/app/x").want(t, 502, "")
	want(6, 4)
	w.Route(slipway.Route{Deployment: id, Workspace: home, Slug: "app", State: slipway.RouteDown})
	w.get("/d/app/x").want(t, 503, "")
	want(7, 5)
	w.Unroute(id)
	w.Route(route(agent)) // counts go on
	w.get("/d/app/ok")
	want(8, 5)
	n := w.Traffic(id)
	var latencies uint64
	for _, l := range n.Latency {
		latencies += l
	}
	if latencies != n.Requests || n.Last.IsZero() || time.Since(n.Last) > time.Hour {
		t.Errorf("%+v", n)
	}
	if n := w.Traffic(other); n != (slipway.Traffic{}) {
		t.Errorf("a stranger has %+v", n)
	}
}

// An instance is heard by an answer that began, to a client's request.
func TestWhoAnsweredIsHeard(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	a, b, mute := agentAt(t, say("a")), agentAt(t, say("b")), rawAgent(t, func(net.Conn, *bufio.Reader) {})
	heard := func(at string) bool { return !w.Heard(route(at)).IsZero() }
	if heard(a) {
		t.Error("of an unknown deployment one is heard")
	}
	w.Route(route(a))
	if _, err := w.Probe(t.Context(), route(a), "/ok"); err != nil || heard(a) {
		t.Errorf("it is heard by a probe, %v", err)
	}
	began := time.Now()
	w.get("/d/app/x").want(t, 200, "a")
	if at := w.Heard(route(a)); at.Before(began) || heard(b) {
		t.Errorf("a is heard at %v, after %v; b is: %t", at, began, heard(b))
	}
	w.Route(route(mute))
	if heard(a) {
		t.Error("what has gone is remembered")
	}
	if w.get("/d/app/x").want(t, 502, ""); heard(mute) {
		t.Error("who hangs up is heard")
	}
}

// A client that leaves is no error of the deployment's.
func TestClientsThatLeaveAreNoErrors(t *testing.T) {
	began := make(chan struct{})
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.WriteHeader(200)
			http.NewResponseController(w).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
	})
	for i, path := range []string{"/wait", "/stream"} {
		c := w.dial()
		io.WriteString(c, "POST /d/app"+path+" HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\nContent-Length: 0\r\n\r\n")
		<-began
		if n := w.Traffic(id); n.InFlight != 1 {
			t.Errorf("in flight: %+v", n)
		}
		c.Close()
		w.await(func(n slipway.Traffic) bool { return n.Requests == uint64(i+1) && n.InFlight == 0 })
	}
	if n := w.Traffic(id); n.Errors != 0 {
		t.Errorf("%+v", n)
	}
}

// The time to the first byte counts, and waiting is part of it; the rest of a
// stream is not.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{HoldLimit: 3 * time.Second})
		g.SetReady()
		g.Route(holding())
		alone(g, "GET", "/d/app/x", "good")
		want := slipway.Traffic{Requests: 1, Errors: 1, Last: time.Now().Add(-3 * time.Second)}
		want.Latency[9] = 1 // above 2.5 s, up to 5 s
		if n := g.Traffic(id); n.Requests != 1 || n.Errors != 1 || n.Latency != want.Latency || !n.Last.Equal(want.Last) {
			t.Errorf("%+v, want %+v", n, want)
		}
	})
}

// Each wait counts when it ends, a stream's too; what need not wait is not among
// them.
func TestHoldsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{})
		g.SetReady()
		g.Route(in(slipway.RouteDown))
		alone(g, "GET", "/d/app/x", "good")
		if n := g.Traffic(id); n.Longest != 0 || n.Held != 0 {
			t.Errorf("nothing was held: %+v", n)
		}
		for _, wait := range []time.Duration{3 * time.Second, time.Second} {
			g.Route(holding())
			go alone(g, "GET", "/d/app/x", "good")
			time.Sleep(wait)
			g.Route(in(slipway.RouteDown))
			synctest.Wait()
		}
		want := slipway.Traffic{}.Holds
		want[7], want[9] = 1, 1 // up to 1 s and to 5 s
		if n := g.Traffic(id); n.Holds != want || n.Held != 4*time.Second || n.Longest != 3*time.Second {
			t.Errorf("%+v", n)
		}
	})
}

// What was deleted is forgotten a minute after it went last.
func TestTrafficEndsWithItsDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{})
		g.SetReady()
		after := func(d time.Duration, requests uint64) {
			t.Helper()
			time.Sleep(d)
			r := in(slipway.RouteDown)
			r.Deployment, r.Slug = other, "other"
			g.Route(r) // whoever comes finds what is to be forgotten
			if n := g.Traffic(id); n.Requests != requests {
				t.Errorf("%+v, want %d requests", n, requests)
			}
		}
		g.Route(in(slipway.RouteDown))
		alone(g, "GET", "/d/app/x", "good")
		g.Unroute(id)
		after(30*time.Second, 1)
		g.Route(in(slipway.RouteDown))
		after(31*time.Second, 1)
		g.Unroute(id)
		g.Unroute(id)
		after(59*time.Second, 1)
		after(2*time.Second, 0)
	})
}

func TestRequestsHaveNames(t *testing.T) {
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set("X-Request-Id", "the agent's")
		}
		io.WriteString(w, strings.Join(r.Header["X-Request-Id"], "+"))
	})
	made := map[string]bool{}
	for _, given := range [][]string{nil, {"a b"}, {"ü"}, {""}, {strings.Repeat("x", 129)}, {"a", "b"}, {`"`}} {
		a := w.get("/d/app/x", func(r *http.Request) { r.Header["X-Request-Id"] = given })
		if len(a.body) != 32 || a.Header.Get("X-Request-Id") != a.body || made[a.body] {
			t.Errorf("%q: %q %q", given, a.body, a.Header["X-Request-Id"])
		}
		made[a.body] = true
	}
	if a := w.get("/d/app/x", header("X-Request-Id", "mine/1")); a.body != "mine/1" || a.Header.Get("X-Request-Id") != "mine/1" {
		t.Errorf("%q %q", a.body, a.Header["X-Request-Id"])
	}
	if a := w.get("/d/app/own"); len(a.Header["X-Request-Id"]) != 1 || a.Header.Get("X-Request-Id") != "the agent's" {
		t.Errorf("%q", a.Header["X-Request-Id"])
	}
	if a := w.get("/d/app/x", noKey); a.Header.Get("X-Request-Id") == "" {
		t.Error("a refusal has no name")
	}
}
