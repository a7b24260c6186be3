package vitals

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

const told = `# HELP lg_api_num_pending_runs The number of runs currently pending.
# TYPE lg_api_num_pending_runs gauge
lg_api_num_pending_runs{project_id="p", revision_id="r"} 3
lg_api_num_running_runs{project_id="p", revision_id="r"} 2
lg_api_pending_runs_wait_time_max{project_id="a b"} 90.5
lg_api_workers_max{project_id="p"} 10
lg_api_http_requests_total{path="/ok"} NaN
nonsense
`

func TestScrape(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   slipway.Runs
		untold bool
		fails  bool
	}{
		"all is told":               {200, told, slipway.Runs{Pending: 3, Running: 2, Oldest: 90500 * time.Millisecond, Workers: 10}, false, false},
		"it has none":               {404, "not found", slipway.Runs{}, true, false},
		"it sends us elsewhere":     {302, "", slipway.Runs{}, true, false},
		"it is in trouble":          {503, "", slipway.Runs{}, false, true},
		"how long is not told":      {200, strings.ReplaceAll(told, "wait_time_max", "other"), slipway.Runs{}, true, false},
		"another's metrics":         {200, `{"queue": {}}`, slipway.Runs{}, true, false},
		"a number that is not one":  {200, strings.ReplaceAll(told, " 3\n", " -3\n"), slipway.Runs{}, true, false},
		"a line that does not end":  {200, strings.Repeat("x", 1<<20), slipway.Runs{}, false, true},
		"nothing":                   {200, "", slipway.Runs{}, true, false},
		"more than anybody has run": {200, strings.ReplaceAll(told, " 3\n", " 1e300\n"), slipway.Runs{}, true, false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				t.Errorf("asked for %s", r.URL)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		got, err := scrape(t.Context(), s.Listener.Addr().String())
		if got != c.want || errors.Is(err, slipway.ErrUntold) != c.untold || (err != nil) != (c.untold || c.fails) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		s.Close()
	}
}
