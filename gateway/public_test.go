package gateway_test

import (
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/internal/peer"
)

func public(addresses ...string) slipway.Route {
	r := route(addresses...)
	r.Public = true
	return r
}

// What is for everybody needs no key. One that comes all the same is taken out;
// one that is wrong is nobody's, since clients send what they find in their
// environment.
func TestPublic(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	agent := agentAt(t, credentials)
	w.Route(public(agent))
	w.SetReady()
	for _, c := range []struct{ key, auth, want string }{
		{"", "", `key=[] auth=[]`},
		{"good", "", `key=[] auth=[]`},
		{"wrong", "", `key=[] auth=[]`},
		{"away", "", `key=[] auth=[]`},
		{"", "Bearer good", `key=[] auth=[]`},
		{"", "Bearer foreign", `key=[] auth=["Bearer foreign"]`},
		{"wrong", "Bearer foreign", `key=[] auth=["Bearer foreign"]`},
		{"", "Basic Z29vZA==", `key=[] auth=["Basic Z29vZA=="]`},
	} {
		w.get("/d/app/x", noKey, func(r *http.Request) {
			if c.key != "" {
				r.Header.Set("X-Api-Key", c.key)
			}
			if c.auth != "" {
				r.Header.Set("Authorization", c.auth)
			}
		}).want(t, 200, c.want)
	}
	w.get("/d/app/internal/x", noKey).want(t, 404, "")
	w.access.fail.Store(true)
	w.get("/d/app/x", noKey).want(t, 200, "")
	w.get("/d/app/x", noKey, header("Authorization", "Bearer unknown")).want(t, 503, "could not be checked") // it may be a key
	w.access.fail.Store(false)
	w.get("/d/nobody/x", noKey).want(t, 401, "")
	w.Route(route(agent)) // closed again, at once
	w.get("/d/app/x", noKey).want(t, 401, "")
	w.Route(public(agent))
	w.Unroute(id)
	w.get("/d/app/x", noKey).want(t, 401, "")
}

// Before all routes are known, a request without a key waits for one that needs
// none.
func TestPublicBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bare(gateway.Config{})
		code := make(chan int)
		go func() { code <- alone(g, "GET", "/d/app/x", "").Code }()
		synctest.Wait()
		r := in(slipway.RouteDown)
		r.Public = true
		g.Route(r)
		if c := <-code; c != 503 {
			t.Error(c)
		}
	})
}

// guesses allows a number of guesses to each address.
type guesses struct {
	mu   sync.Mutex
	left map[string]int
}

func (g *guesses) CheckGuesses(address string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of(address) > 0 {
		return nil
	}
	return &slipway.Error{Code: slipway.CodeRateLimited, Text: "slower", After: 1500 * time.Millisecond}
}

func (g *guesses) Guessed(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left[address] = g.of(address) - 1
}

func (g *guesses) of(address string) int {
	if n, ok := g.left[address]; ok {
		return n
	}
	return 3
}

func TestGuessesAreBounded(t *testing.T) {
	g := &guesses{left: map[string]int{}}
	w := newWorld(t, gateway.Config{Guesses: g, Proxies: peer.Proxies{netip.MustParsePrefix("127.0.0.0/8")}})
	w.SetReady()
	agent := agentAt(t, echo)
	w.Route(route(agent))
	guesser, neighbour := header("X-Forwarded-For", "192.0.2.1"), header("X-Forwarded-For", "192.0.2.2")
	w.get("/d/app/x", guesser).want(t, 200, "")
	for range 5 { // none of these is a guess
		w.get("/d/app/x", guesser, noKey).want(t, 401, "")
		w.get("/d/app/x", guesser, header("Authorization", "Bearer of the app")).want(t, 200, "")
		w.get("/d/app/x", guesser, header("X-Api-Key", "away")).want(t, 404, "")
	}
	for _, guess := range []edit{header("X-Api-Key", "one"), header("Authorization", "Bearer two"), header("X-Api-Key", "one")} {
		w.get("/d/app/x", guesser, noKey, guess).want(t, 401, "")
	}
	asked := w.access.asked.Load()
	a := w.get("/d/app/x", guesser, header("X-Api-Key", "three"))
	a.want(t, 429, "slower")
	if a.Header.Get("Retry-After") != "2" || w.access.asked.Load() != asked {
		t.Errorf("Retry-After %q after %d questions", a.Header.Get("Retry-After"), w.access.asked.Load()-asked)
	}
	w.get("/d/app/x", guesser, noKey, header("Authorization", "Bearer three")).want(t, 429, "slower")
	w.get("/d/app/x", guesser, noKey, header("X-Api-Key", "reader")).want(t, 429, "slower") // perhaps another guess
	w.get("/d/app/x", guesser).want(t, 200, "")                                             // known
	w.get("/d/app/x", guesser, header("Authorization", "Bearer of the app")).want(t, 200, "")
	w.get("/d/app/x", guesser, header("X-Api-Key", "four"), header("Authorization", "Bearer good")).want(t, 429, "slower")
	w.get("/d/app/ok", guesser, noKey).want(t, 200, "")
	w.get("/d/app/x", neighbour, header("X-Api-Key", "three")).want(t, 401, "")
	w.Route(public(agent))
	w.get("/d/app/x", guesser, noKey, header("X-Api-Key", "five")).want(t, 200, "")
}

// What could not be checked is no guess.
func TestUncheckedIsNoGuess(t *testing.T) {
	g := &guesses{left: map[string]int{}}
	w := newWorld(t, gateway.Config{Guesses: g})
	w.SetReady()
	w.access.fail.Store(true)
	w.get("/d/app/x").want(t, 503, "")
	if len(g.left) > 0 {
		t.Errorf("%v", g.left)
	}
}
