package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/metrics"
)

func reading(n int, workspace slipway.WorkspaceID) slipway.Reading {
	r := slipway.Reading{
		Deployment: slipway.Deployment{ID: slipway.DeploymentID(fmt.Sprint("d", n)), Workspace: workspace, Name: fmt.Sprintf("app \"%d\"\n\\", n)},
		Traffic:    slipway.Traffic{Requests: 7, Errors: 2, Waiting: 1, InFlight: 3, Took: 2500 * time.Millisecond, Held: 4 * time.Second, Longest: 3 * time.Second},
		CPU:        1500 * time.Millisecond, RedisCPU: 250 * time.Millisecond, Restarts: 4,
		Sample: slipway.Sample{
			At: time.Unix(1000, 0), Replicas: 2, UsageKnown: true, Memory: 1 << 20, RunsKnown: true, Pending: 5, Running: 6,
			Database: &slipway.DatabaseUsage{Bytes: 1 << 23, Connections: 9}, Redis: &slipway.RedisUsage{CPU: 0.5, Memory: 1 << 21},
		},
	}
	r.Traffic.Latency[0], r.Traffic.Latency[len(slipway.LatencyBounds)] = 5, 2
	r.Traffic.Holds[7], r.Traffic.Holds[9] = 1, 1
	return r
}

// scrape asks a handler and reads the answer as Prometheus does.
func scrape(t *testing.T, h http.Handler, accept string) (map[string]*dto.MetricFamily, string) {
	t.Helper()
	r, w := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
	r.Header.Set("Accept", accept)
	h.ServeHTTP(w, r)
	body := w.Body.String()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, body)
	}
	if accept != "" {
		return nil, body
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return families, body
}

// value is that of the only series of a family, or of the one with a label.
func value(t *testing.T, families map[string]*dto.MetricFamily, name, label string) float64 {
	t.Helper()
	f := families[name]
	if f == nil {
		t.Fatalf("there is no %s", name)
	}
	for _, m := range f.Metric {
		for _, l := range m.Label {
			if label == "" || l.GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		if label == "" {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("%s has no series with %q", name, label)
	return 0
}

func open(readings ...slipway.Reading) *metrics.Metrics {
	return metrics.New(metrics.Config{
		Version: "v1", Data: os.TempDir(), Writes: func() (uint64, uint64) { return 3, 9 }, Lost: func() uint64 { return 11 },
		Registry: func() (metrics.RegistryReading, error) {
			return metrics.RegistryReading{Blobs: 12, Bytes: 13, Pushed: 14, Collected: 15, Refused: map[string]uint64{"DENIED": 16, "NAME_INVALID": 17}}, nil
		},
		Readings: func() []slipway.Reading { return readings },
		Census: func(context.Context) ([]slipway.Census, error) {
			return []slipway.Census{
				{Workspace: "one", Status: slipway.Ready, Deployments: 2, Leased: 1},
				{Workspace: "one", Status: slipway.AwaitingDelete, Deployments: 1, Leased: 1},
				{Workspace: "two", Status: slipway.Ready, Deployments: 5},
			}, nil
		},
	})
}

func TestDeployments(t *testing.T) {
	families, body := scrape(t, open(reading(1, "one"), reading(2, "two")).Handler(), "")
	for name, want := range map[string]float64{
		"slipway_gateway_requests_total": 7, "slipway_gateway_errors_total": 2, "slipway_gateway_requests_in_flight": 3,
		"slipway_gateway_requests_held": 1, "slipway_gateway_response_latency_seconds": 7,
		"slipway_gateway_hold_duration_seconds": 2, "slipway_gateway_hold_longest_seconds": 3, "slipway_agent_cpu_seconds_total": 1.5,
		"slipway_agent_memory_bytes": 1 << 20, "slipway_agent_replicas": 2, "slipway_agent_restarts_total": 4,
		"slipway_agent_database_bytes": 1 << 23, "slipway_agent_database_connections": 9,
		"slipway_agent_redis_cpu_seconds_total": 0.25, "slipway_agent_redis_memory_bytes": 1 << 21,
		"slipway_agent_runs_pending": 5, "slipway_agent_runs_running": 6, "slipway_agent_last_measured_timestamp_seconds": 1000,
	} {
		if got := value(t, families, name, "d2"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]float64{
		"slipway_deployments_omitted": 0, "slipway_store_commits_total": 3, "slipway_store_committed_updates_total": 9, "slipway_build_info": 1,
		"slipway_agent_output_lost_bytes_total": 11, "slipway_registry_blobs": 12, "slipway_registry_bytes": 13,
		"slipway_registry_pushes_total": 14, "slipway_registry_collected_blobs_total": 15,
	} {
		if got := value(t, families, name, ""); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := value(t, families, "slipway_registry_refused_total", "DENIED"); got != 16 {
		t.Errorf("%v refusals", got)
	}
	if got := value(t, families, "slipway_deployments", "AWAITING_DELETE") + value(t, families, "slipway_deployments_leased", "one"); got != 3 {
		t.Errorf("deployments are counted wrong:\n%s", body)
	}
	h := families["slipway_gateway_response_latency_seconds"].Metric[0].Histogram
	if h.GetSampleSum() != 2.5 || h.Bucket[0].GetCumulativeCount() != 5 || h.Bucket[len(slipway.LatencyBounds)-1].GetCumulativeCount() != 5 {
		t.Errorf("the histogram is %v", h)
	}
	if value(t, families, "slipway_data_disk_free_bytes", "") <= 0 || families["process_open_fds"] == nil || families["go_goroutines"] == nil {
		t.Error("disk, process or runtime are missing")
	}
}

// What is not known is not told as 0.
func TestWhatIsNotKnown(t *testing.T) {
	r := reading(1, "one")
	r.Sample.UsageKnown, r.Sample.RunsKnown = false, false
	families, _ := scrape(t, open(r).Handler(), "")
	for _, name := range []string{"slipway_agent_memory_bytes", "slipway_agent_runs_pending", "slipway_agent_runs_running"} {
		if families[name] != nil {
			t.Errorf("%s is told", name)
		}
	}
	r.Sample = slipway.Sample{}
	if families, _ = scrape(t, open(r).Handler(), ""); families["slipway_agent_replicas"] != nil || families["slipway_gateway_requests_total"] == nil {
		t.Error("before the first sample there are replicas, or no requests")
	}
}

func TestWorkspacesDoNotSeeEachOther(t *testing.T) {
	h := open(reading(1, "one"), reading(2, "two")).HandlerFor(func(w slipway.WorkspaceID) bool { return w == "one" })
	families, body := scrape(t, h, "")
	if strings.Contains(body, `"two"`) || strings.Contains(body, "d2") || families["go_goroutines"] != nil || families["slipway_build_info"] != nil {
		t.Errorf("another workspace's, or the server's own:\n%s", body)
	}
	if value(t, families, "slipway_gateway_requests_total", "d1") != 7 {
		t.Error("its own are missing")
	}
}

func TestSeriesAreBounded(t *testing.T) {
	var many []slipway.Reading
	for n := range metrics.DeploymentsShown + 5 {
		many = append(many, reading(n, "one"))
	}
	families, _ := scrape(t, open(many...).Handler(), "")
	if n := len(families["slipway_agent_replicas"].Metric); n != metrics.DeploymentsShown || value(t, families, "slipway_deployments_omitted", "") != 5 {
		t.Errorf("%d deployments are shown", n)
	}
	if families, _ = scrape(t, open().Handler(), ""); families["slipway_agent_replicas"] != nil {
		t.Error("something is left of what is gone")
	}
}

func TestRevisions(t *testing.T) {
	m := open()
	m.Moved(slipway.Revision{Status: slipway.AwaitingDeploy}, slipway.Building, time.Minute)
	m.Moved(slipway.Revision{Status: slipway.BuildFailed}, slipway.Building, time.Second)
	m.Moved(slipway.Revision{Status: slipway.Deployed}, slipway.Deploying, time.Second)
	families, body := scrape(t, m.Handler(), "")
	for _, want := range []string{
		`slipway_revisions_ended_total{status="BUILD_FAILED"} 1`, `slipway_revisions_ended_total{status="DEPLOYED"} 1`,
		`slipway_revision_phase_duration_seconds_sum{outcome="succeeded",phase="build"} 60`,
		`slipway_revision_phase_duration_seconds_count{outcome="failed",phase="build"} 1`,
		`slipway_revision_phase_duration_seconds_count{outcome="succeeded",phase="deploy"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if len(families["slipway_revisions_ended_total"].Metric) != 2 {
		t.Error("a revision that goes on has ended")
	}
}

func TestAPI(t *testing.T) {
	m, mux := open(), http.NewServeMux()
	for _, prefix := range []string{"", "/api-host"} {
		mux.HandleFunc("GET "+prefix+"/v2/deployments/{id}", func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("id") == "none" {
				w.WriteHeader(http.StatusNotFound)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(w, "said")
		})
	}
	h := m.API(mux)
	for _, path := range []string{"/v2/deployments/a", "/api-host/v2/deployments/b", "/v2/deployments/none", "/a", "/b?c"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	_, body := scrape(t, m.Handler(), "")
	for _, want := range []string{
		`slipway_api_request_duration_seconds_count{code="200",method="GET",route="/v2/deployments/{id}"} 2`,
		`slipway_api_request_duration_seconds_count{code="404",method="GET",route="/v2/deployments/{id}"} 1`,
		`slipway_api_request_duration_seconds_count{code="404",method="other",route="other"} 2`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// failing is a store whose writes end as they are told to.
type failing struct {
	slipway.Store
	err error
}

func (f *failing) Update(context.Context, func(slipway.Tx) error) error { return f.err }

func TestStore(t *testing.T) {
	m, f := open(), &failing{}
	s := m.Store(f)
	for _, err := range []error{nil, nil, slipway.ErrStale, slipway.Errorf(slipway.CodeConflict, "no"), errors.New("disk full")} {
		f.err = err
		if got := s.Update(t.Context(), nil); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	_, body := scrape(t, m.Handler(), "")
	for outcome, n := range map[string]int{"committed": 2, "refused": 2, "failed": 1} {
		if want := fmt.Sprintf("slipway_store_update_duration_seconds_count{outcome=%q} %d\n", outcome, n); !strings.Contains(body, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// A store that does not answer costs what it would have told, not the rest.
func TestCensusFails(t *testing.T) {
	m := metrics.New(metrics.Config{Census: func(context.Context) ([]slipway.Census, error) { return nil, errors.New("closed") }})
	if families, _ := scrape(t, m.Handler(), ""); families["go_goroutines"] == nil || families["slipway_deployments"] != nil {
		t.Error("the rest is missing")
	}
}

// The conventions that promtool checks.
func TestNames(t *testing.T) {
	m := open(reading(1, "one"))
	m.Moved(slipway.Revision{Status: slipway.Deployed}, slipway.Deploying, time.Second)
	m.API(http.NewServeMux()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	_ = m.Store(&failing{}).Update(t.Context(), nil)
	families, _ := scrape(t, m.Handler(), "")
	good := regexp.MustCompile(`^slipway_[a-z0-9]+(_[a-z0-9]+)*$`)
	own := 0
	for name, f := range families {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		own++
		if counter := f.GetType() == dto.MetricType_COUNTER; !good.MatchString(name) || f.GetHelp() == "" || counter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s %s: %q", f.GetType(), name, f.GetHelp())
		}
		if f.GetType() == dto.MetricType_HISTOGRAM && !strings.HasSuffix(name, "_seconds") {
			t.Errorf("%s has no unit", name)
		}
		documented(t, name)
	}
	if own < 20 {
		t.Errorf("there are %d metrics only", own)
	}
	_, open := scrape(t, m.Handler(), "application/openmetrics-text; version=1.0.0")
	if !strings.HasSuffix(open, "# EOF\n") || !strings.Contains(open, "# TYPE slipway_gateway_requests counter") {
		t.Errorf("no OpenMetrics: %.300s", open)
	}
}

// documented wants each metric on the page for users.
func documented(t *testing.T, name string) {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "`"+name+"`") {
		t.Errorf("%s is not in docs/metrics.md", name)
	}
}
