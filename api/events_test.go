package api_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api"
)

const eventsPath = "/v2/deployments/" + someID + "/events"

var (
	stateEvent = slipway.StatusEvent{Sequence: 4, Kind: slipway.EventDeployment, State: view.Deployment.State(), At: at}
	turnEvent  = slipway.StatusEvent{Sequence: 5, Kind: slipway.EventRevision, Revision: revision.Revision.State(), At: at}
	resetEvent = slipway.StatusEvent{Sequence: 3, Kind: slipway.EventReset, State: view.Deployment.State(), At: at}
)

// revocable are keys that are all revoked at once.
type revocable struct {
	keys
	revoked atomic.Bool
}

func (r *revocable) Authenticate(ctx context.Context, c slipway.Caller) (slipway.Principal, error) {
	if r.revoked.Load() {
		c.Token = "revoked"
	}
	return r.keys.Authenticate(ctx, c)
}

// handle returns an API whose deployment is quiet, and its keys.
func handle(t *testing.T, stopping context.Context) (*revocable, http.Handler) {
	t.Helper()
	known := &revocable{keys: someKeys()}
	return known, newConfigured(t, api.Config{Control: &control{events: quiet}, Keys: known, Stopping: stopping})
}

// page is what a stream has written so far.
type page struct {
	mu     sync.Mutex
	text   bytes.Buffer
	header http.Header
	broken bool
}

func (p *page) Header() http.Header { return p.header }
func (p *page) WriteHeader(int)     {}
func (p *page) Flush()              {}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return 0, http.ErrHandlerTimeout
	}
	return p.text.Write(b)
}

// shut is a client that reads no more.
func (p *page) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
}

// take returns what came since the last call.
func (p *page) take() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.text.Reset()
	return p.text.String()
}

// follow serves a stream within a bubble; ended is closed with it.
func follow(ctx context.Context, handler http.Handler, key string, headers ...string) (p *page, ended chan struct{}) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, eventsPath, nil)
	r.Header.Set("X-Api-Key", key)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	p, ended = &page{header: http.Header{}}, make(chan struct{})
	go func() {
		defer close(ended)
		handler.ServeHTTP(p, r)
	}()
	return p, ended
}

// quiet is a deployment to which nothing happens.
func quiet(ctx context.Context, _ int64) ([]slipway.StatusEvent, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestEventsAreWritten(t *testing.T) {
	c, s := serve(t)
	told := map[int64][]slipway.StatusEvent{-1: {resetEvent}, 3: {stateEvent, turnEvent}}
	c.events = func(_ context.Context, after int64) ([]slipway.StatusEvent, error) {
		if events := told[after]; events != nil {
			return events, nil
		}
		return nil, slipway.Errorf(slipway.CodeNotFound, "gone")
	}
	status, header, body := ask(t, s, "GET", eventsPath, "all", "")
	state := `{"active_revision_id":"` + otherID + `","at":"2026-01-02T03:04:05.000006Z","health":{"reason":null,"since":"2026-01-02T03:04:05.000006Z","state":"healthy"},"latest_revision_id":"` + otherID + `","status":"READY"}`
	want := "retry: 1000\n\n" +
		"id: 3\nevent: reset\ndata: {\"deployment\":" + state + ",\"revision\":null}\n\n" +
		"id: 4\nevent: deployment\ndata: " + state + "\n\n" +
		"id: 5\nevent: revision\ndata: {\"at\":\"2026-01-02T03:04:05.000006Z\",\"failure\":{\"code\":\"install_failed\",\"exit\":3,\"hint\":null,\"phase\":\"build\",\"step\":\"install\"},\"id\":\"" + otherID + "\",\"status\":\"BUILD_FAILED\",\"status_message\":\"it broke\"}\n\n" +
		"event: deleted\ndata: {\"id\":\"" + someID + "\"}\n\n"
	if status != 200 || body != want {
		t.Errorf("%d\n%s\nwant\n%s", status, body, want)
	}
	for name, value := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"} {
		if header.Get(name) != value {
			t.Errorf("%s is %q", name, header.Get(name))
		}
	}
	c.err = slipway.Errorf(slipway.CodeNotFound, "Deployment ID not found.")
	if status, header, _ := ask(t, s, "GET", eventsPath, "all", ""); status != 404 || header.Get("Content-Type") != "application/json" {
		t.Errorf("of what is not there: %d %v", status, header)
	}
}

func TestEventsGoOn(t *testing.T) {
	c, s := serve(t)
	var asked int64
	c.events = func(_ context.Context, after int64) ([]slipway.StatusEvent, error) {
		asked = after
		return nil, slipway.Errorf(slipway.CodeNotFound, "gone")
	}
	for _, tt := range []struct {
		query, header string
		want          int64
	}{
		{"", "", -1},
		{"", "0", 0},
		{"", "7", 7},
		{"?last_event_id=8", "", 8},
		{"?last_event_id=8", "9", 9},
		{"", "x", -1},
		{"", "-3", -1},
		{"?last_event_id=", "", -1},
		{"", "99999999999999999999", -1},
	} {
		var headers []string
		if tt.header != "" {
			headers = []string{"Last-Event-ID", tt.header}
		}
		if status, _, body := ask(t, s, "GET", eventsPath+tt.query, "all", "", headers...); status != 200 || asked != tt.want {
			t.Errorf("%+v: asked after %d: %d %s", tt, asked, status, body)
		}
	}
}

func TestEventsOfAHead(t *testing.T) {
	c, s := serve(t)
	c.events = quiet
	if status, header, _ := ask(t, s, "HEAD", eventsPath, "all", ""); status != 200 || header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", status, header)
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, handler := handle(t, nil)
		p, ended := follow(t.Context(), handler, "all")
		if got := p.take(); got != "retry: 1000\n\n" {
			t.Errorf("at first: %q", got)
		}
		time.Sleep(14 * time.Second)
		if got := p.take(); got != "" {
			t.Errorf("before a heartbeat is due: %q", got)
		}
		time.Sleep(32 * time.Second)
		if got := p.take(); got != strings.Repeat(": still here\n\n", 3) {
			t.Errorf("after 46 s: %q", got)
		}
		known.revoked.Store(true)
		time.Sleep(15 * time.Second)
		<-ended
		if got := p.take(); got != "" {
			t.Errorf("after the key was revoked: %q", got)
		}
	})
}

func TestStreamsEnd(t *testing.T) {
	for name, end := range map[string]func(leave, stop func(), p *page){
		"with their client": func(leave, _ func(), _ *page) { leave() },
		"with the server":   func(_, stop func(), _ *page) { stop() },
		"when nobody reads": func(_, _ func(), p *page) { p.shut(); time.Sleep(15 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopping, stop := context.WithCancel(t.Context())
				defer stop()
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				_, handler := handle(t, stopping)
				p, ended := follow(ctx, handler, "all")
				p.take()
				end(leave, stop, p)
				<-ended
			})
		})
	}
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, handler := handle(t, nil)
		ctx, leave := context.WithCancel(t.Context())
		var streams []chan struct{}
		for range 64 {
			_, ended := follow(ctx, handler, "all")
			streams = append(streams, ended)
		}
		synctest.Wait()
		p, ended := follow(t.Context(), handler, "all")
		<-ended
		if got := p.take(); !strings.Contains(got, "64 streams") {
			t.Errorf("one more: %q", got)
		}
		leave()
		for _, ended := range streams {
			<-ended
		}
		ctx, leave = context.WithCancel(t.Context())
		p, ended = follow(ctx, handler, "all")
		if got := p.take(); got != "retry: 1000\n\n" {
			t.Errorf("after the others left: %q", got)
		}
		leave()
		<-ended
	})
}
