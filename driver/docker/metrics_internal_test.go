package docker

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// vendors is what langgraph-api 0.16.7 answers, cut to size.
const vendors = `{"postgres":null,"queue":{"n_pending":4,"n_running":2,"pending_runs_wait_time_max_secs":12.5,` +
	`"pending_runs_wait_time_med_secs":null},"workers":{"max":10,"active":2,"available":8},"http":{"total":3}}`

// What the server in a container tells of its runs counts, where nothing else does:
// one that tells of none is not asked again, until there is another container.
func TestServersThatTell(t *testing.T) {
	told := slipway.Runs{Pending: 4, Running: 2, Oldest: 12500 * time.Millisecond, Workers: 10, Whole: true}
	brief := slipway.Runs{Pending: 1, Running: 2, Whole: true}
	for name, c := range map[string]struct {
		status int
		body   string
		want   slipway.Runs
		fails  bool
		untold bool // and it is not asked again
	}{
		"the vendor's":             {200, vendors, told, false, false},
		"no more than its queue":   {200, `{"queue":{"n_pending":1,"n_running":2}}`, brief, false, false},
		"the JS server":            {404, "404 Not Found", slipway.Runs{}, false, true},
		"Aegra's Prometheus":       {200, "# HELP aegra_runs x\naegra_runs 3\n", slipway.Runs{}, false, true},
		"another's JSON":           {200, `{"queue":{"length":3}}`, slipway.Runs{}, false, true},
		"redirected":               {302, "", slipway.Runs{}, false, true},
		"broken for the moment":    {503, vendors, slipway.Runs{}, true, false},
		"no end":                   {200, strings.Repeat(" ", 2<<20) + vendors, slipway.Runs{}, false, true},
		"negative, against hope":   {200, `{"queue":{"n_pending":-4,"n_running":2,"pending_runs_wait_time_max_secs":-1}}`, slipway.Runs{Running: 2, Whole: true}, false, false},
		"longer than there is one": {200, `{"queue":{"n_pending":1,"n_running":2,"pending_runs_wait_time_max_secs":1e300}}`, slipway.Runs{Pending: 1, Running: 2, Whole: true, Oldest: longestWait}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				if r.URL.String() != "/metrics?format=json" {
					t.Errorf("it was asked for %s", r.URL)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
			in := &instance{}
			for n := range 3 {
				got, err := in.toldByServer(t.Context(), &look{id: "one", port: port})
				if got != c.want || errors.Is(err, slipway.ErrUntold) != c.untold || (err != nil) != (c.untold || c.fails) {
					t.Fatalf("told: %+v, %v", got, err)
				}
				if want := n + 1; !c.untold && asked != want || c.untold && asked != 1 {
					t.Errorf("it was asked %d times", asked)
				}
			}
			if _, _ = in.toldByServer(t.Context(), &look{id: "two", port: port}); c.untold && asked != 2 {
				t.Error("another container was not asked")
			}
		})
	}
}
