package daemon_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/trace/langsmith"
)

// No path is both the control plane's and the tracing part's, which share names
// below / and /v1.
func TestTracingRoutesAreApart(t *testing.T) {
	control, err := api.New(api.Config{Ready: func() bool { return true }, Scrape: nil})
	must(t, err)
	both := http.NewServeMux() // which panics where two patterns meet
	for _, r := range control.Routes() {
		both.Handle(r.Pattern, control)
		method, path, _ := strings.Cut(r.Pattern, " ")
		if langsmith.Matches(httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(path), nil)) {
			t.Errorf("%s is the control plane's and goes to the tracing part", r.Pattern)
		}
	}
	traces := langsmith.New(langsmith.Config{})
	for _, pattern := range traces.Routes() {
		both.Handle(pattern, traces)
	}
}

// askTraces asks the tracing part of a whole server.
func (w *world) askTraces(key, method, path, body string) (int, string) {
	w.t.Helper()
	return w.askAt("http://"+w.config.Listen, key, method, path, body)
}

func (w *world) askAt(base, key, method, path, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, base+path, strings.NewReader(body))
	must(w.t, err)
	r.Header.Set("X-Api-Key", key)
	answer, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(w.t, err)
	return answer.StatusCode, string(text)
}

const tracedRun = `{"id": "11111111-1111-4111-8111-111111111111", "name": "talk", "run_type": "chain", "start_time": "2026-03-01T12:00:00", "session_name": "p", "outputs": {"said": "hello"}}`

// What a whole server was told is there after its end.
func TestTracesOfAServer(t *testing.T) {
	for name, edit := range map[string]func(*testing.T, *daemon.Config){
		"SQLite":     func(*testing.T, *daemon.Config) {},
		"PostgreSQL": func(t *testing.T, c *daemon.Config) { c.Database = postgrestest.Empty(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, func(c *daemon.Config) { edit(t, c) })
			if status, text := w.askTraces(w.key, "POST", "/api/v1/runs", tracedRun); status != http.StatusAccepted {
				t.Fatalf("%d %s", status, text)
			}
			if status, text := w.askTraces("wrong", "GET", "/api/v1/sessions", ""); status != http.StatusUnauthorized {
				t.Errorf("with a wrong key: %d %s", status, text)
			}
			must(t, w.server.Stop())
			w.start()
			status, text := w.askTraces(w.key, "GET", "/runs/11111111-1111-4111-8111-111111111111", "")
			if status != http.StatusOK || !strings.Contains(text, `"outputs":{"said": "hello"}`) {
				t.Errorf("after its end: %d %s", status, text)
			}
			if status, text := w.askTraces(w.key, "GET", "/v1/sessions?name=p", ""); status != http.StatusOK || !strings.Contains(text, `"run_count":1`) {
				t.Errorf("its project: %d %s", status, text)
			}
			if status, text := w.askTraces(w.key, "GET", "/v2/deployments", ""); status != http.StatusOK {
				t.Errorf("the control plane beside it: %d %s", status, text)
			}
		})
	}
}
