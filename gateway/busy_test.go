package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

// Whatever comes and goes, a request gets the least busy address, not one that
// it can not reach, and what is counted is what is in progress.
func TestTheLeastBusyIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEntry()
		e.set(serveAt(rapid.IntRange(1, 4).Draw(t, "addresses")))
		model := map[string]int{}
		var inside []stay
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				var avoid []string
				if a := rapid.SampledFrom(append(e.route.Addresses, "")).Draw(t, "avoid"); a != "" {
					avoid = []string{a}
				}
				s, ok, err := e.enter(target{method: "POST", path: "/runs"}, avoid, 1000)
				if err != nil || ok != (len(avoid) < len(e.route.Addresses)) {
					t.Fatalf("%v %v", ok, err)
				}
				if !ok {
					return
				}
				for _, a := range e.route.Addresses {
					if model[a] < model[s.address] && (len(avoid) == 0 || a != avoid[0]) {
						t.Errorf("%s has %d, %s only %d", s.address, model[s.address], a, model[a])
					}
				}
				model[s.address]++
				inside = append(inside, s)
			},
			"leave": func(t *rapid.T) {
				if len(inside) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(inside)-1).Draw(t, "who")
				s := inside[i]
				inside = append(inside[:i], inside[i+1:]...)
				e.leave(s)
				model[s.address]--
			},
			"switch": func(t *rapid.T) { e.set(serveAt(rapid.IntRange(1, 4).Draw(t, "addresses"))) },
			"": func(t *rapid.T) {
				if e.inProgress() != len(inside) || e.idle() != (len(inside) == 0) || e.writing != len(inside) {
					t.Errorf("%d in progress, %d writing, want %d", e.inProgress(), e.writing, len(inside))
				}
			},
		})
	})
}

// serveAt is a route to so many addresses.
func serveAt(n int) slipway.Route {
	r := slipway.Route{Deployment: "d", Workspace: "w", State: slipway.RouteServing}
	for i := range n {
		r.Addresses = append(r.Addresses, fmt.Sprint("127.0.0.1:", 1000+i))
	}
	return r
}

// Equals take turns, so that requests one after the other use all.
func TestEqualsTakeTurns(t *testing.T) {
	e := newEntry()
	e.set(serveAt(3))
	seen := map[string]int{}
	for range 30 {
		s, _, _ := e.enter(target{method: "GET", path: "/"}, nil, 1000)
		seen[s.address]++
		e.leave(s)
	}
	for a, n := range seen {
		if n != 10 {
			t.Errorf("%s had %d of 30", a, n)
		}
	}
}

// BenchmarkCount is what counting costs a request, from all cores at once.
func BenchmarkCount(b *testing.B) {
	var c traffic
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.came(now)
			c.ended(outcome{status: 200, firstByte: 20 * time.Millisecond})
		}
	})
}

// What could not be reached comes last for a while, however idle it is, and
// first again when its route is set anew.
func TestTheUnreachableComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntry()
		e.set(serveAt(2))
		bad, good := e.route.Addresses[0], e.route.Addresses[1]
		next := func() string {
			s, _, _ := e.enter(target{method: "GET", path: "/"}, nil, 1000)
			return s.address
		}
		next()
		next()
		if !e.trouble(bad, true) || e.trouble(bad, true) {
			t.Error("it is news once")
		}
		for range 5 {
			if a := next(); a != good {
				t.Errorf("%s is taken", a)
			}
		}
		time.Sleep(shunFor)
		if a := next(); a != bad {
			t.Errorf("later %s is taken", a)
		}
		e.trouble(bad, true)
		e.set(serveAt(2))
		if a := next(); a != bad {
			t.Errorf("with its route set anew, %s is taken", a)
		}
		if !e.recover(bad) || e.recover(bad) {
			t.Error("it is news once that it answers")
		}
	})
}
