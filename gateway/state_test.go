package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

func bare(c gateway.Config) *gateway.Gateway {
	c.Identifier = newAccess()
	return gateway.New(c)
}

func TestDown(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	for reason, want := range map[string]string{"the agent crashed 5 times": "the agent crashed 5 times", "": "not available"} {
		r := route()
		r.State, r.Reason = slipway.RouteDown, reason
		w.Route(r)
		a := w.get("/d/app/x")
		a.want(t, 503, want)
		if a.Header.Get("Retry-After") == "" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", a.Header)
		}
	}
	w.Route(route()) // serving nowhere
	w.get("/d/app/x").want(t, 503, "not available")
}

func TestHeldRequestsGoOn(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	w.Route(holding())
	const n = 100
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a, err := w.do(w.request("POST", "/d/app/x", strings.NewReader(fmt.Sprint(i))))
			if err != nil || a.body != fmt.Sprint(i) {
				t.Errorf("%v %q", err, a.body)
			}
		})
	}
	w.Route(route(agentAt(t, copyBody)))
	wg.Wait()
}

func copyBody(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Write(b)
}

func TestHoldLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{HoldLimit: time.Minute})
		g.Route(holding())
		for _, path := range []string{"/d/app/x", "/d/nobody/x"} { // the second since it is not ready
			start := time.Now()
			w := alone(g, "GET", path, "good")
			if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"detail"`) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
			if took := time.Since(start); took != time.Minute {
				t.Errorf("%s: after %v", path, took)
			}
		}
	})
}

func TestMaxHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{MaxHeld: 4})
		g.Route(holding())
		for _, name := range []string{"/d/app", "/d/nobody"} {
			codes := make(chan int, 20)
			burst := func(n int, path, key string) {
				for range n {
					go func() { codes <- alone(g, "GET", name+path, key).Code }()
				}
				synctest.Wait()
			}
			burst(4, "/ok", "") // half of the places at most
			if len(codes) != 2 {
				t.Errorf("%s: %d of 4 without a key were refused", name, len(codes))
			}
			burst(4, "/x", "good")
			if len(codes) != 4 {
				t.Errorf("%s: %d of 8 were refused", name, len(codes))
			}
			for range 8 {
				if code := <-codes; code != 503 {
					t.Errorf("%s: %d", name, code)
				}
			}
		}
	})
}

func TestClientLeavesWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{MaxHeld: 1})
		g.Route(holding())
		for _, path := range []string{"/d/app/x", "/d/nobody/x"} {
			for range 3 { // the place is free again each time
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
					r.Header.Set("X-Api-Key", "good")
					g.ServeHTTP(httptest.NewRecorder(), r)
				}()
				synctest.Wait()
				start := time.Now()
				cancel()
				<-done
				if time.Since(start) != 0 {
					t.Error("held on")
				}
			}
		}
	})
}

// A server sees that a client has left only after it has read the body.
func TestClientLeavesWithABodyWhileHeld(t *testing.T) {
	left := make(chan struct{})
	g := bare(gateway.Config{})
	g.Route(holding())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		g.ServeHTTP(w, r)
	}))
	defer s.Close()
	w := &world{t: t, addr: s.Listener.Addr().String()}
	c := w.dial()
	fmt.Fprintf(c, "POST /d/app/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: good\r\nContent-Length: 4\r\n\r\nbody")
	c.Close()
	<-left
}

func TestUnroutedWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{})
		g.Route(holding())
		code := make(chan int)
		go func() { code <- alone(g, "GET", "/d/app/x", "good").Code }()
		synctest.Wait()
		g.SetReady()
		g.Unroute(id)
		if c := <-code; c != 404 {
			t.Error(c)
		}
		g.Unroute(id)
		if w := alone(g, "GET", "/d/"+string(id)+"/x", "good"); w.Code != 404 {
			t.Error(w.Code)
		}
	})
}

func TestBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{})
		nobody := make(chan int, 1)
		go func() { nobody <- alone(g, "GET", "/d/never/x", "").Code }() // it may be for everybody
		codes := map[string]chan int{"late": make(chan int, 1), "never": make(chan int, 1)}
		for name, code := range codes {
			go func() { code <- alone(g, "GET", "/d/"+name+"/x", "good").Code }()
		}
		synctest.Wait()
		r := route()
		r.Slug, r.State = "late", slipway.RouteDown
		g.Route(r)
		synctest.Wait()
		if len(codes["never"]) != 0 {
			t.Error("answered before all routes were known")
		}
		if c := <-codes["late"]; c != 503 {
			t.Error(c)
		}
		g.SetReady()
		if c := <-codes["never"]; c != 404 {
			t.Error(c)
		}
		if c := <-nobody; c != 401 {
			t.Errorf("without a key: %d", c)
		}
	})
}

// The agent that is switched away from refuses everything from the moment that
// Route has returned and it is drained: not one request may notice.
func TestSwitchUnderLoad(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	instance := func() (string, *atomic.Bool) {
		stopped := new(atomic.Bool)
		return agentAt(t, func(w http.ResponseWriter, r *http.Request) {
			if stopped.Load() {
				w.WriteHeader(500)
			}
			copyBody(w, r)
		}), stopped
	}
	address, stopped := instance()
	w.Route(route(address))

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var served atomic.Int64
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a, err := w.do(w.request("POST", "/d/app/x", strings.NewReader("body")))
				if err != nil || a.StatusCode != 200 || a.body != "body" {
					t.Errorf("%v %+v", err, a)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 20 {
		before := served.Load()
		next, nextStopped := instance()
		if i%2 == 0 { // a hand-over: hold, drain, go on
			w.Route(holding())
			w.idle()
		} else { // side by side
			w.Route(route(next))
			wait(t, w.Drained)
		}
		stopped.Store(true)
		w.Route(route(next))
		stopped = nextStopped
		for served.Load() < before+20 && !t.Failed() {
			w.get("/d/app/x").want(t, 200, "") // until the load has met the new one
		}
	}
	cancel()
	wg.Wait()
}

func wait(t *testing.T, f func(context.Context, slipway.DeploymentID) error) {
	t.Helper()
	if err := f(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func TestNewRequestsGoToTheNewAddress(t *testing.T) {
	w := serving(t, gateway.Config{}, echo)
	for i := range 50 {
		name := fmt.Sprint("agent ", i)
		w.Route(route(agentAt(t, say(name))))
		w.get("/d/app/x").want(t, 200, name)
	}
}

// A request is answered once the head of its answer has come, and so is one that
// has ended without.
func TestAnswered(t *testing.T) {
	began, head, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-head
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		<-end
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/stream", "/broken"} {
		ended := make(chan answered, 1)
		go func() { ended <- w.send("POST", "/d/app"+path, nil) }()
		<-began
		if w.Answered(gone, id) == nil {
			t.Errorf("%s: Answered missed one that waits", path)
		}
		head <- struct{}{}
		wait(t, w.Answered)
		if path == "/stream" {
			if w.Idle(gone) == nil {
				t.Error("a stream is in progress")
			}
			close(end)
		}
		<-ended
		wait(t, w.Answered)
	}
}

func TestIdleAndDrained(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	w := serving(t, gateway.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		began <- struct{}{}
		<-end
	})
	ended := make(chan answered)
	go func() { ended <- w.get("/d/app/stream") }()
	<-began

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	wait(t, w.Drained) // it is at the address that serves
	w.Route(route(agentAt(t, echo)))
	if w.Idle(gone) == nil {
		t.Error("Idle missed a stream")
	}
	if w.Drained(gone, id) == nil {
		t.Error("Drained missed a stream")
	}
	w.Unroute(id)
	if w.Idle(gone) == nil {
		t.Error("Idle missed a stream of a deployment that is gone")
	}
	w.Route(route(agentAt(t, echo))) // it came back meanwhile
	if w.Idle(gone) == nil {
		t.Error("Idle missed a stream of a deployment that came back")
	}
	w.Unroute(id)
	idle := make(chan error)
	go func() { idle <- w.Idle(t.Context()) }()
	close(end)
	<-ended
	if err := <-idle; err != nil {
		t.Error(err)
	}
	if err := w.Drained(gone, other); err != nil {
		t.Error("a stranger is idle:", err)
	}
}
