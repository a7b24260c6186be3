package e2e_test

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// What a real agent does is seen in the API, on the command line and by
// Prometheus, and outlives a restart of the server.
func TestMetrics(t *testing.T) {
	t.Parallel()
	scrapes := freeAddress(t)
	s := newServer(t, "--measure-every", "200ms", "--metrics-listen", scrapes)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	d.scenario("stream")
	const asked = 25
	for range asked {
		if status, body, err := d.get("/ok"); status != http.StatusOK || err != nil {
			t.Fatalf("%d %s %v", status, body, err)
		}
	}
	measured := func() wire.DeploymentMetrics {
		m, err := d.Metrics(t.Context(), d.id, client.Span{Step: time.Hour})
		must(t, err)
		return m
	}
	eventually(t, "the requests are measured", func() bool { return total(measured().Requests) >= asked })
	eventually(t, "what the agent uses is measured", func() bool {
		m := measured()
		return most(m.Memory.Max) > 20<<20 && most(m.CPU.Max) > 0 && most(m.Replicas.Max) == 1
	})
	if m := measured(); total(m.Errors) != 0 || total(m.Restarts) != 0 || most(m.Latency.P99) <= 0 {
		t.Errorf("measured: %d errors, %d restarts, p99 %v", total(m.Errors), total(m.Restarts), most(m.Latency.P99))
	}

	table := exec.Command(binary, "metrics", "echo", "--url", s.url, "--api-key", s.key)
	out, err := table.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "memory") || !strings.Contains(string(out), "MiB") || strings.Contains(string(out), "- MiB") {
		t.Errorf("slipway metrics: %v\n%s", err, out)
	}

	before := requestsAt(t, "http://"+scrapes+"/metrics", "", d.id)
	if keyed := requestsAt(t, s.url+"/metrics", s.key, d.id); before < asked || keyed < before {
		t.Errorf("Prometheus sees %v requests, with a key %v", before, keyed)
	}
	if status := statusOf(t, s.url+"/metrics", ""); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", status)
	}

	was := measured()
	if code := s.stop(); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	s.start()
	d.Client = s.Client
	eventually(t, "it is measured again", func() bool { return most(measured().Replicas.Max) == 1 })
	now := measured()
	if total(now.Requests) < total(was.Requests) || total(now.Requests) > total(was.Requests)+10 || total(now.Restarts) != 0 || most(now.CPU.Max) > 64 {
		t.Errorf("after a restart there are %d requests, before %d; %d restarts, CPU %v", total(now.Requests), total(was.Requests), total(now.Restarts), most(now.CPU.Max))
	}
	must(t, d.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{}))
	eventually(t, "what is gone is not told any more", func() bool {
		return requestsAt(t, "http://"+scrapes+"/metrics", "", d.id) < 0
	})
}

func total(counts []*int) (n int) {
	for _, c := range counts {
		if c != nil {
			n += *c
		}
	}
	return n
}

func most(values []*float64) (n float64) {
	for _, v := range values {
		if v != nil {
			n = max(n, *v)
		}
	}
	return n
}

func scrape(t *testing.T, url, key string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	return answer
}

func statusOf(t *testing.T, url, key string) int {
	t.Helper()
	answer := scrape(t, url, key)
	answer.Body.Close()
	return answer.StatusCode
}

// requestsAt is how many requests of a deployment Prometheus sees, -1 if it
// sees no such deployment.
func requestsAt(t *testing.T, url, key, id string) float64 {
	t.Helper()
	return seriesAt(t, url, key, "slipway_gateway_requests_total", id)
}

// seriesAt is the value of a deployment's series, -1 if there is none.
func seriesAt(t *testing.T, url, key, name, id string) float64 {
	t.Helper()
	answer := scrape(t, url, key)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(t, err)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(raw)))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %v\n%.2000s", answer.StatusCode, err, raw)
	}
	for _, m := range families[name].GetMetric() {
		for _, l := range m.Label {
			if l.GetName() == "deployment_id" && l.GetValue() == id {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}
