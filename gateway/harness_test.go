package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
)

const (
	id    slipway.DeploymentID = "01890a5d-ac96-774b-bcce-b302099a8057"
	other slipway.DeploymentID = "01890a5d-ac96-774b-bcce-b302099a8058"
	home  slipway.WorkspaceID  = "home"
)

// access knows the tokens of the tests and counts the questions.
type access struct {
	asked atomic.Int64
	fail  atomic.Bool
	mu    sync.Mutex
	keys  map[string]slipway.Identity
}

func newAccess() *access {
	at := func(w slipway.WorkspaceID) []slipway.WorkspaceID { return []slipway.WorkspaceID{w} }
	return &access{keys: map[string]slipway.Identity{
		"good":     {Workspaces: at(home), Scopes: slipway.DefaultScopes()},
		"reader":   {Workspaces: at(home), Scopes: []slipway.Scope{slipway.ScopeRead}},
		"delete":   {Workspaces: at(home), Scopes: []slipway.Scope{slipway.ScopeDelete}},
		"away":     {Workspaces: at("away"), Scopes: slipway.DefaultScopes()},
		"anywhere": {Everywhere: true, Scopes: slipway.DefaultScopes()},
		"agent":    {Workspaces: at(home), Deployment: id, Scopes: slipway.DefaultScopes()},
		"jwt":      {Workspaces: at(home), Scopes: slipway.DefaultScopes()}, // a bearer only
		"sibling":  {Workspaces: at(home), Deployment: other, Scopes: slipway.DefaultScopes()},
	}}
}

func (a *access) Identify(_ context.Context, c slipway.Credential) (slipway.Identity, error) {
	a.asked.Add(1)
	if a.fail.Load() {
		return slipway.Identity{}, io.ErrUnexpectedEOF
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.keys[c.Token]; ok && (c.Bearer || c.Token != "jwt") {
		return i, nil
	}
	return slipway.Identity{}, slipway.Errorf(slipway.CodeUnauthenticated, "no")
}

func (a *access) revoke(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, token)
}

// world is a gateway behind a socket.
type world struct {
	*gateway.Gateway
	t      *testing.T
	access *access
	url    string
	addr   string
	client *http.Client
	log    *syncBuffer
}

func newWorld(t *testing.T, c gateway.Config) *world {
	t.Helper()
	w := &world{t: t, access: newAccess(), log: &syncBuffer{}}
	c.Identifier = w.access
	c.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	w.Gateway = gateway.New(c)
	s := httptest.NewServer(w.Gateway)
	w.url, w.addr, w.client = s.URL, s.Listener.Addr().String(), s.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	t.Cleanup(func() {
		w.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return w
}

// serving makes a ready gateway with one agent named app.
func serving(t *testing.T, c gateway.Config, agent http.HandlerFunc) *world {
	t.Helper()
	w := newWorld(t, c)
	w.Route(route(agentAt(t, agent)))
	w.SetReady()
	return w
}

func route(addresses ...string) slipway.Route {
	return slipway.Route{Deployment: id, Workspace: home, Slug: "app", State: slipway.RouteServing, Addresses: addresses}
}

func holding() slipway.Route {
	r := route()
	r.State = slipway.RouteHolding
	return r
}

func agentAt(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

// rawAgent speaks as it likes on each connection.
func rawAgent(t *testing.T, speak func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				speak(c, bufio.NewReader(c))
			}()
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// nowhere is an address that refuses connections.
func nowhere(t *testing.T) string {
	t.Helper()
	l := listen(t)
	l.Close()
	return l.Addr().String()
}

// idle waits until no request is in progress.
func (w *world) idle() {
	w.t.Helper()
	if err := w.Idle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

type edit func(*http.Request)

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func noKey(r *http.Request) { r.Header.Del("X-Api-Key") }

func host(name string) edit { return func(r *http.Request) { r.Host = name } }

func (w *world) request(method, path string, body io.Reader, edits ...edit) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", "good")
	for _, e := range edits {
		e(r)
	}
	return r
}

// answered is a response that was read to its end.
type answered struct {
	*http.Response
	body string
}

func (a answered) detail() string {
	var v struct{ Detail string }
	if json.Unmarshal([]byte(a.body), &v) != nil {
		return "not JSON: " + a.body
	}
	return v.Detail
}

func (w *world) do(r *http.Request) (answered, error) {
	res, err := w.client.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answered{res, string(b)}, err
}

func (w *world) get(path string, edits ...edit) answered {
	w.t.Helper()
	return w.send(http.MethodGet, path, nil, edits...)
}

func (w *world) send(method, path string, body io.Reader, edits ...edit) answered {
	w.t.Helper()
	a, err := w.do(w.request(method, path, body, edits...))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// raw sends text as it is and returns all that comes back on the connection.
func (w *world) raw(text string) string {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	b, _ := io.ReadAll(c)
	return string(b)
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// want checks status and, in the body, a text.
func (a answered) want(t *testing.T, status int, text string) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, text) {
		t.Errorf("%d %q, want %d with %q", a.StatusCode, a.body, status, text)
	}
}

func echo(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// syncBuffer is a log that can be waited for.
type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{}
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrote != nil {
		close(s.wrote)
		s.wrote = nil
	}
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// await returns once the log holds the text, and empties it.
func (s *syncBuffer) await(text string) {
	for {
		s.mu.Lock()
		if strings.Contains(s.b.String(), text) {
			s.b.Reset()
			s.mu.Unlock()
			return
		}
		if s.wrote == nil {
			s.wrote = make(chan struct{})
		}
		wrote := s.wrote
		s.mu.Unlock()
		<-wrote
	}
}
