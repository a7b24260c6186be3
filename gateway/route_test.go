package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

func in(state slipway.RouteState, addresses ...string) slipway.Route {
	r := route(addresses...)
	r.State = state
	return r
}

// While state is handed over, reads go to the old instance and writes wait for
// the new one.
func TestHandingOver(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	old, next := agentAt(t, say("old")), agentAt(t, say("new"))
	w.Route(in(slipway.RouteHandingOver, old))
	got := make(chan answered)
	go func() {
		a, _ := w.do(w.request("POST", "/d/app/threads/1/runs", strings.NewReader(strings.Repeat("x", 1<<20))))
		got <- a
	}()
	w.await(func(n slipway.Traffic) bool { return n.Waiting == 1 })
	for _, path := range []string{"/threads/1", "/threads/1/runs/2/stream", "/ok"} {
		w.get("/d/app"+path).want(t, 200, "old")
	}
	w.send("POST", "/d/app/threads/search", strings.NewReader("{}")).want(t, 200, "old")
	w.send("POST", "/d/app/threads/1/runs/2/cancel", nil).want(t, 200, "old")
	w.Route(in(slipway.RouteHolding))
	w.Route(route(next))
	a := <-got
	a.want(t, 200, "new")
}

// await returns once the deployment's traffic is as wanted.
func (w *world) await(is func(slipway.Traffic) bool) {
	w.t.Helper()
	for !is(w.Traffic(id)) {
		if w.t.Context().Err() != nil {
			w.t.Fatal("not as awaited")
		}
		<-time.After(time.Millisecond)
	}
}

// Drained, while state is handed over, means that nobody writes any more.
func TestDrainedWhileHandingOver(t *testing.T) {
	began, end := make(chan string, 2), map[string]chan struct{}{"/runs/wait": make(chan struct{}), "/threads/1": make(chan struct{})}
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	agent := agentAt(t, func(_ http.ResponseWriter, r *http.Request) {
		began <- r.URL.Path
		<-end[r.URL.Path]
	})
	w.Route(route(agent))
	ended := make(chan struct{}, 2)
	ask := func(method, path string) {
		go func() { w.send(method, "/d/app"+path, nil); ended <- struct{}{} }()
		<-began
	}
	ask("POST", "/runs/wait")
	ask("GET", "/threads/1")
	w.Route(in(slipway.RouteHandingOver, agent))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Drained(gone, id) == nil {
		t.Error("a run is in progress")
	}
	close(end["/runs/wait"])
	<-ended
	wait(t, w.Drained)
	if w.Idle(gone) == nil {
		t.Error("a read is in progress")
	}
	close(end["/threads/1"])
	<-ended
	w.idle()
}

// One who can not be reached is left to others at once, and not asked first for a
// while.
func TestAnotherAddressIsTriedAtOnce(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Hour})
	w.SetReady()
	var asked atomic.Int64
	alive := agentAt(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); copyBody(w, r) })
	w.Route(route(nowhere(t), alive, nowhere(t)))
	for range 20 {
		w.send("POST", "/d/app/runs", strings.NewReader("body")).want(t, 200, "body")
	}
	if n := asked.Load(); n != 20 {
		t.Errorf("asked %d times", n)
	}
	if log := w.log.String(); strings.Count(log, "does not answer") > 2 || strings.Contains(log, "answers again") {
		t.Errorf("%s", log)
	}
}

func TestAllAddressesFail(t *testing.T) {
	w := newWorld(t, gateway.Config{DialLimit: time.Millisecond})
	w.SetReady()
	w.Route(route(nowhere(t), nowhere(t)))
	w.get("/d/app/x").want(t, 502, "did not answer")
	w.idle()
}

// Who waits for what sleeps wakes it, once for all.
func TestAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		woken := make(chan slipway.DeploymentID, 10)
		g := bare(gateway.Config{Wake: func(_ context.Context, d slipway.DeploymentID) error {
			woken <- d
			return errors.New("perhaps later")
		}})
		g.SetReady()
		g.Route(in(slipway.RouteAsleep))
		synctest.Wait()
		if len(woken) != 0 {
			t.Error("woken without a request")
		}
		codes := make(chan int, 5)
		for range 5 {
			go func() { codes <- alone(g, "POST", "/d/app/runs", "good").Code }()
		}
		synctest.Wait()
		if len(woken) != 1 || <-woken != id {
			t.Errorf("woken %d times", len(woken)+1)
		}
		if n := g.Traffic(id); n.Waiting != 5 || n.Last.IsZero() {
			t.Errorf("%+v", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if len(woken) != 1 {
			t.Errorf("woken %d times after nothing came of it", len(woken))
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		for range 5 {
			if c := <-codes; c != 503 {
				t.Errorf("%d", c)
			}
		}
		g.Close()
	})
}

func TestAwoken(t *testing.T) {
	w := &world{}
	alive := agentAt(t, copyBody)
	*w = *newWorld(t, gateway.Config{Wake: func(context.Context, slipway.DeploymentID) error {
		w.Route(in(slipway.RouteHolding))
		w.Route(route(alive))
		return nil
	}})
	w.SetReady()
	w.Route(in(slipway.RouteAsleep))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if a, err := w.do(w.request("POST", "/d/app/runs", strings.NewReader("hi"))); err != nil || a.body != "hi" {
				t.Errorf("%v %q", err, a.body)
			}
		})
	}
	all.Wait()
}

// Closing the gateway ends what it asks for.
func TestCloseEndsWaking(t *testing.T) {
	began := make(chan struct{})
	g := bare(gateway.Config{HoldLimit: time.Millisecond, Wake: func(ctx context.Context, _ slipway.DeploymentID) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}})
	g.Route(in(slipway.RouteAsleep))
	alone(g, "GET", "/d/app/x", "good")
	<-began
	g.Close()
}

func TestSockets(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.SetReady()
	var addresses []string
	for _, name := range []string{"one", "two"} {
		path := filepath.Join(t.TempDir(), name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: say(name)}}
		s.Start()
		t.Cleanup(s.Close)
		addresses = append(addresses, "unix:"+path)
	}
	for i, name := range []string{"one", "two", "one"} {
		w.Route(route(addresses[i%2]))
		w.get("/d/app/x").want(t, 200, name)
	}
	if status, err := w.Probe(t.Context(), route(addresses[0]), "/ok"); status != 200 || err != nil {
		t.Errorf("probe: %d %v", status, err)
	}
	w.Route(route("unix:/nowhere", addresses[1]))
	w.get("/d/app/x").want(t, 200, "two")
}
