package gateway_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/slipwayhq/slipway/gateway"
)

// An agent that takes keys is shown X-Api-Key where that is good for it, and
// nothing else that it is not shown otherwise.
func TestAgentsThatTakeKeys(t *testing.T) {
	w := serving(t, gateway.Config{}, nil)
	agent := agentAt(t, credentials)
	const none = `key=[] auth=[]`
	for _, c := range []struct {
		key, auth    string
		closed, open string // what the agent sees; "" for nothing, since it is not asked
	}{
		{"good", "", `key=["good"] auth=[]`, `key=["good"] auth=[]`},
		{"reader", "", `key=["reader"] auth=[]`, `key=["reader"] auth=[]`},
		{"good", "Bearer foreign", `key=["good"] auth=["Bearer foreign"]`, `key=["good"] auth=["Bearer foreign"]`},
		{"good", "Bearer good", `key=["good"] auth=[]`, `key=["good"] auth=[]`},
		{"", "Bearer good", none, none},
		{"foreign", "Bearer good", none, none},
		{"away", "Bearer good", none, none},
		{"sibling", "Bearer good", none, none},
		{"delete", "", "", none},
		{"away", "", "", none},
		{"foreign", "", "", none},
		{"", "", "", none},
	} {
		for _, public := range []bool{false, true} {
			r := route(agent)
			r.TakesKeys, r.Public = true, public
			w.Route(r)
			a := w.get("/d/app/x", noKey, func(r *http.Request) {
				r.Header["x_api_key"] = []string{"good"} // some servers take it for the same
				if c.key != "" {
					r.Header.Set("X-Api-Key", c.key)
				}
				if c.auth != "" {
					r.Header.Set("Authorization", c.auth)
				}
			})
			want := map[bool]string{false: c.closed, true: c.open}[public]
			if (a.StatusCode == 200) != (want != "") || want != "" && a.body != want {
				t.Errorf("%q %q, public %t: %d %s, want %s", c.key, c.auth, public, a.StatusCode, a.body, want)
			}
		}
	}
}

// Beside a key an agent is told the workspace that it is used for, whatever the
// client says: the key may be good for several.
func TestAgentsThatTakeKeysAreToldTheWorkspace(t *testing.T) {
	w := serving(t, gateway.Config{}, nil)
	r := route(agentAt(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["X-Tenant-Id"]) }))
	for _, c := range []struct {
		takes     bool
		key, want string
	}{
		{true, "good", fmt.Sprintf("[%q]", r.Workspace)},
		{true, "", `["other"]`},
		{false, "good", `["other"]`},
	} {
		r.TakesKeys, r.Public = c.takes, true
		w.Route(r)
		w.get("/d/app/x", header("X-Api-Key", c.key), header("X-Tenant-Id", "other")).want(t, 200, c.want)
	}
}

// What an agent is shown changes with the route, and with the address that a
// request comes to in the end.
func TestTakingKeysChangesWithTheRoute(t *testing.T) {
	w := serving(t, gateway.Config{}, nil)
	takes, shuns := route(agentAt(t, credentials)), route(agentAt(t, credentials))
	takes.TakesKeys = true
	for range 2 {
		w.Route(takes)
		w.get("/d/app/x").want(t, 200, `key=["good"]`)
		w.Route(shuns)
		w.get("/d/app/x").want(t, 200, `key=[]`)
	}
	dead := route(nowhere(t))
	dead.TakesKeys = true
	for _, c := range []struct {
		from, to bool
		want     string
	}{{true, false, `key=[]`}, {false, true, `key=["good"]`}} {
		dead.TakesKeys = c.from
		w.Route(dead)
		got := make(chan answered, 1)
		go func() { got <- w.get("/d/app/x") }()
		w.log.await("does not answer") // it was dialled in vain
		if c.to {
			w.Route(takes)
		} else {
			w.Route(shuns)
		}
		a := <-got
		a.want(t, 200, c.want)
	}
}
