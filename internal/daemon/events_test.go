package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/sqlitetest"
)

// world outlives the servers that a test starts in it.
type world struct {
	t      *testing.T
	config daemon.Config
	agent  *httptest.Server // stands for every instance
	driver *fake.Driver
	began  atomic.Pointer[slipway.Workload] // the last instance that was started
	server *daemon.Server
	log    *said
	client *client.Client
	key    string
	next   chan struct{} // lets a stream of the agent go on
}

// plain is a kind of agent that needs no build.
type plain struct{}

func (plain) Agent() slipway.AgentKind {
	return slipway.AgentKind{Name: "plain", Probe: "/ok", Start: slipway.DefaultDrain, Drain: slipway.DefaultDrain}
}
func (plain) Fingerprint() string                                { return "plain" }
func (plain) Accepts(appconfig.Config, slipway.AgentServer) bool { return true }

func (plain) Prepare(context.Context, kind.App, io.Writer) (map[string]string, error) {
	return map[string]string{}, nil
}

func (plain) Launch(context.Context, kind.Bundle) (slipway.Launch, error) {
	return slipway.Launch{Args: []string{"/none"}}, nil
}

func newWorld(t *testing.T) *world { return newWorldWith(t, func(*daemon.Config) {}) }

// dataFolder is one of a server that has its tables already.
func dataFolder(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	sqlitetest.Prepare(t, filepath.Join(data, "slipway.db"))
	return data
}

func newWorldWith(t *testing.T, edit func(*daemon.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &said{}, next: make(chan struct{})}
	w.agent = httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(w.agent.Close)
	w.driver = fake.Open(func(began slipway.Workload) fake.Behaviour {
		w.began.Store(&began)
		return fake.Behaviour{Address: w.agent.Listener.Addr().String(), Opens: func([]byte) []byte { return []byte("threads") }}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	w.config = daemon.Config{
		Data: dataFolder(t), Listen: l.Addr().String(), Ports: slipway.PortRange{First: 20000, Last: 20009}, Builds: 1,
		Logger:     slog.New(slog.NewTextHandler(w.log, nil)),
		Kinds:      []func(string, string) kind.Kind{func(string, string) kind.Kind { return plain{} }},
		OpenDriver: func(string) (slipway.Driver, error) { w.driver = w.driver.Reopen(); return w.driver, nil },
	}
	edit(&w.config)
	w.start()
	t.Cleanup(func() { must(t, w.server.Stop()) })
	raw, err := os.ReadFile(daemon.AdminKeyFile(w.config.Data))
	must(t, err)
	w.key = strings.TrimSpace(string(raw))
	w.client = client.New("http://"+w.config.Listen, w.key)
	return w
}

// answer is the agent's: a stream that goes on when it is told, or words that
// come back on an upgraded connection.
func (w *world) answer(to http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/stream":
		to.Header().Set("Content-Type", "text/event-stream")
		to.(http.Flusher).Flush()
		for n := range 3 {
			select {
			case <-w.next:
			case <-r.Context().Done():
				return
			}
			fmt.Fprintf(to, "data: %d\n", n)
			to.(http.Flusher).Flush()
		}
	case "/socket":
		c, words, err := to.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, words)
	}
}

func (w *world) start() {
	w.t.Helper()
	var err error
	w.server, err = daemon.Start(w.t.Context(), w.config)
	must(w.t, err)
}

// create makes a deployment whose source is there.
func (w *world) create(name string) (id, object string) {
	w.t.Helper()
	d, err := w.client.CreateDeployment(w.t.Context(), wire.DeploymentCreateRequest{Name: name, Source: "internal_source"})
	must(w.t, err)
	app := w.t.TempDir()
	must(w.t, os.WriteFile(filepath.Join(app, "langgraph.json"), []byte(`{"graphs":{"a":"./a.ts:a"}}`), 0o600))
	must(w.t, os.WriteFile(filepath.Join(app, "a.ts"), nil, 0o600))
	archive, err := client.Pack(app)
	must(w.t, err)
	defer archive.Close()
	u, err := w.client.UploadURL(w.t.Context(), d.ID)
	must(w.t, err)
	must(w.t, w.client.Upload(w.t.Context(), u.UploadURL, archive, archive.Size))
	return d.ID, u.ObjectPath
}

func (w *world) deploy(id, object string) {
	w.t.Helper()
	_, err := w.client.PatchDeployment(w.t.Context(), id, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{SourceTarballPath: &object},
	})
	must(w.t, err)
}

// follower gathers events until the stream has ended.
type follower struct {
	*world
	events chan client.StatusEvent
	last   int
}

func (w *world) follow(id string) *follower {
	f := &follower{world: w, events: make(chan client.StatusEvent)}
	go func() {
		defer close(f.events)
		for e, err := range w.client.Events(w.t.Context(), id) {
			if err != nil {
				w.t.Error(err)
				return
			}
			f.events <- e
		}
	}()
	return f
}

// until takes events up to one, and wants their ids to follow one another.
func (f *follower) until(kind, status string) (told []string) {
	f.t.Helper()
	for e := range f.events {
		now := e.Kind
		switch {
		case e.Kind == "revision":
			now += " " + e.Revision.Status
		case e.Deployment != nil:
			now += " " + e.Deployment.Status
		}
		if n, err := strconv.Atoi(e.ID); e.Kind != "deleted" {
			if err != nil || e.Kind != "reset" && n != f.last+1 {
				f.t.Errorf("%s has id %q after %d", now, e.ID, f.last)
			}
			f.last = n
		}
		if told = append(told, now); now == strings.TrimSpace(kind+" "+status) {
			return told
		}
	}
	f.t.Fatalf("the stream ended after %q", told)
	return nil
}

var rollout = []string{
	"revision CREATING", "revision QUEUED", "revision AWAITING_BUILD", "deployment READY", "revision BUILDING",
	"revision AWAITING_DEPLOY", "revision DEPLOYING", "revision DEPLOYED", "deployment READY",
}

// A stream tells every status to the end, over restarts of the server that it
// does not hold up, each once.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	id, object := w.create("app")
	f := w.follow(id)
	if told := f.until("reset", "READY"); len(told) != 1 {
		t.Errorf("at first: %q", told)
	}
	for range 3 {
		w.deploy(id, object)
		told := append(f.until("revision", "DEPLOYED"), f.until("deployment", "READY")...)
		if !slices.Equal(told, rollout) {
			t.Errorf("told %q\nwant %q", told, rollout)
		}
		must(t, w.server.Stop())
		w.start()
	}
	must(t, w.client.DeleteDeployment(t.Context(), id, client.DeleteOptions{}))
	f.until("deleted", "") // what came before may be gone with it
	if e, more := <-f.events; more {
		t.Errorf("after the end: %+v", e)
	}
	if w.log.says("requests are cut") {
		t.Error("streams held the server up")
	}
}

// A client that got no answer asks again, a restart later, and gets what it
// has made.
func TestAnAnswerThatWasLost(t *testing.T) {
	w := newWorld(t)
	ask := func(key, body string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.config.Listen+"/v2/deployments", strings.NewReader(body))
		must(t, err)
		r.Header.Set("X-Api-Key", w.key)
		r.Header.Set("Idempotency-Key", key)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer answer.Body.Close()
		var text bytes.Buffer
		_, err = text.ReadFrom(answer.Body)
		must(t, err)
		return answer.StatusCode, answer.Header, text.String()
	}
	const body = `{"name":"app","source":"internal_source","source_config":{},"source_revision_config":{},"secrets":[{"name":"A","value":"secret"}]}`
	status, header, first := ask("k", body)
	must(t, w.server.Stop())
	w.start()
	again, second, text := ask("k", body)
	if status != http.StatusCreated || again != status || text != first || header.Get("ETag") == "" || second.Get("ETag") != header.Get("ETag") {
		t.Errorf("%d %s %s\nthen %d %s %s", status, header.Get("ETag"), first, again, second.Get("ETag"), text)
	}
	if status, header, text := ask("k", strings.Replace(body, "app", "other", 1)); status != http.StatusConflict || header.Get("X-Should-Retry") != "false" {
		t.Errorf("another request: %d %v %s", status, header, text)
	}
	if status, _, text := ask("other", body); status != http.StatusConflict || !strings.Contains(text, "already exists a project") {
		t.Errorf("another key: %d %s", status, text)
	}
}
