package daemon_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// Who may scrape sees what is theirs: an administrator of the first workspace
// everything, another key of it the workspace's, another workspace nothing of it.
func TestScrapesOnTheServersPort(t *testing.T) {
	d := openDoor(t)
	testsignal.Until(t, "the deployment to be watched", func() bool {
		return strings.Contains(string(d.ask(request{method: "GET", path: "/metrics", key: "mine"}).body), `deployment="mine"`)
	})
	for key, want := range map[string]struct {
		status       int
		theirs, mine bool // the server's own, the deployment
	}{
		"none": {401, false, false}, "wrong": {401, false, false}, "expired": {401, false, false}, "revoked": {401, false, false},
		"no": {403, false, false}, "deploy": {403, false, false}, "admin": {403, false, false},
		"mine": {200, true, true}, "read": {200, false, true}, "theirs": {200, false, false},
	} {
		a := d.ask(request{method: "GET", path: "/metrics", key: key})
		body := string(a.body)
		if a.status != want.status || strings.Contains(body, "go_goroutines") != want.theirs || strings.Contains(body, `deployment="mine"`) != want.mine {
			t.Errorf("key %s: %d\n%s", key, a.status, body)
		}
		if want.status == 200 && !want.mine && strings.Contains(body, d.mine["workspace_id"]) {
			t.Errorf("key %s learns of another workspace:\n%s", key, body)
		}
	}
	if a := d.ask(request{method: "POST", path: "/metrics", key: "mine"}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.status)
	}
}

func TestScrapesWithoutAKey(t *testing.T) {
	s, err := daemon.Start(t.Context(), daemon.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Scrapes: "127.0.0.1:0", Version: "v7",
		Ports: slipway.PortRange{First: 20000, Last: 20009}, Logger: slog.New(slog.DiscardHandler),
		OpenDriver: func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
		},
	})
	must(t, err)
	answer, err := http.Get("http://" + s.ScrapesAt() + "/metrics")
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	must(t, answer.Body.Close())
	for _, want := range []string{`slipway_build_info{version="v7"} 1`, "slipway_store_commits_total", "slipway_data_disk_free_bytes", "go_goroutines"} {
		if answer.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%d, no %s in\n%s", answer.StatusCode, want, body)
		}
	}
	for _, path := range []string{"/", "/v2/deployments", "/readyz"} {
		answer, err := http.Get("http://" + s.ScrapesAt() + path)
		must(t, err)
		must(t, answer.Body.Close())
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	must(t, s.Stop())
	if _, err := http.Get("http://" + s.ScrapesAt() + "/metrics"); err == nil {
		t.Error("it answers after the end")
	}
}

// A port that is taken is said, and leaves nothing behind.
func TestScrapesWhereSomebodyListens(t *testing.T) {
	d := openDoor(t)
	taken := strings.TrimPrefix(d.url, "http://")
	data := t.TempDir()
	for range 2 {
		_, err := daemon.Start(t.Context(), daemon.Config{Data: data, Listen: "127.0.0.1:0", Scrapes: taken, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "--metrics-listen") || strings.Contains(err.Error(), "in use by") || strings.Contains(err.Error(), "data folder") {
			t.Fatalf("%v", err)
		}
	}
	if _, err := os.Stat(daemon.AdminKeyFile(data)); err == nil {
		t.Error("a key was made")
	}
}
