package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

func TestDeployReplaceRemember(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	first := d.deploy(pack(t, echo, nil))
	if got := statuses(first); got != "CREATING QUEUED AWAITING_BUILD BUILDING AWAITING_DEPLOY DEPLOYING DEPLOYED" {
		t.Errorf("statuses: %s", got)
	}
	v, err := d.Deployment(t.Context(), d.id)
	must(t, err)
	if deref(v.URL) != d.url || deref(v.SourceConfig.CustomURL) != d.url || deref(v.ActiveRevisionID) != first.ID || v.Health == nil || v.Health.State != "healthy" {
		t.Errorf("deployed: %+v", v)
	}
	if len(v.Secrets) != 1 || strings.Contains(v.Secrets[0].Value, "canary") {
		t.Errorf("secrets: %v", v.Secrets)
	}
	thread := d.scenario("remember-write")["thread_id"].(string)

	failed, asked := d.askSteadily()
	old := mains(s.data)
	second := d.deploy(pack(t, echo, map[string]string{"README.md": "another revision"}))
	if n := asked(); n == 0 {
		t.Error("nobody asked meanwhile")
	}
	if err := failed(); err != nil {
		t.Errorf("while it was replaced: %v", err)
	}
	d.scenario("remember-read", thread)
	eventually(t, "the old one has sent its traces", func() bool { return len(mains(s.data)) == 1 })
	if now := mains(s.data); len(now) != 1 || len(old) != 1 || now[0] == old[0] {
		t.Errorf("agents %v after %v", now, old)
	}
	if log := d.buildLog(second); !strings.Contains(log, "langgraph.json") {
		t.Errorf("build log:\n%s", log)
	}
	if log := d.deployLog(second.ID); log == "" {
		t.Error("the deploy log is empty")
	}
}

func statuses(r wire.Revision) string {
	var all []string
	for _, h := range r.StatusHistory {
		all = append(all, h.Status)
	}
	return strings.Join(all, " ")
}

// askSteadily sends requests one after the other, from four clients, until
// asked is called; failed then says what went wrong with any of them.
func (d *deployment) askSteadily() (failed func() error, asked func() int64) {
	ctx, stop := context.WithCancel(d.t.Context())
	var clients sync.WaitGroup
	var count atomic.Int64
	errs := make(chan error, 1)
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				status, body, err := d.get("/threads/00000000-0000-4000-8000-000000000000")
				if err == nil && status != http.StatusNotFound {
					err = fmt.Errorf("%w: %d %s", errRefused, status, body)
				}
				if err != nil {
					select {
					case errs <- err:
					default:
					}
				}
				count.Add(1)
			}
		})
	}
	asked = func() int64 {
		stop()
		clients.Wait()
		return count.Load()
	}
	failed = func() error {
		select {
		case err := <-errs:
			return err
		default:
			return nil
		}
	}
	return failed, asked
}

func TestPlainJavaScriptWithoutLockFile(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("plain")
	r := d.deploy(pack(t, "testdata/plain-js", nil))
	if status, body, err := d.get("/ok"); err != nil || status != http.StatusOK {
		t.Errorf("GET /ok: %d %s %v", status, body, err)
	}
	if log := d.buildLog(r); !strings.Contains(log, "npm install") {
		t.Errorf("the build log does not name npm install:\n%s", log)
	}
}

func TestSameSourceIsNotBuiltTwice(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	app := pack(t, echo, nil)
	one, two := s.create("one"), s.create("two")
	one.deploy(app)
	r := two.deploy(app)
	if log := two.buildLog(r); !strings.Contains(log, "Nothing has changed") {
		t.Errorf("the second build:\n%s", log)
	}
	one.purge()
	if status, _, err := two.get("/ok"); err != nil || status != http.StatusOK {
		t.Errorf("the other deployment of the same bundle: %d %v", status, err)
	}
	two.deploy(pack(t, echo, map[string]string{"README.md": "changed"}))
}

func TestGatewayWantsAKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	for path, want := range map[string]int{"/ok": http.StatusOK, "/threads/x": http.StatusUnauthorized, "/internal/truncate": http.StatusNotFound} {
		answer, err := http.Get(d.url + path)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("GET %s without a key: %d, want %d", path, answer.StatusCode, want)
		}
	}
	if status, _, err := d.get("/internal/truncate"); err != nil || status != http.StatusNotFound {
		t.Errorf("GET /internal/truncate with a key: %d, %v", status, err)
	}
	agent := client.NewAgent(d.url, d.key)
	thread, err := agent.CreateThread(t.Context())
	must(t, err)
	if thread == "" {
		t.Error("no thread")
	}
}
