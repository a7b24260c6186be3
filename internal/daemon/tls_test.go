package daemon_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/pebbletest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

const domain = "agents.example.com"

// edge is a server with TLS, agents on a port of their own, and a client that
// finds every name on this machine.
type edge struct {
	*world
	pebble *pebbletest.Authority
	dialer tls.Config
	http   *http.Client
}

func openEdge(t *testing.T) *edge {
	if testing.Short() {
		t.Skip("builds another module")
	}
	e := &edge{}
	e.world = newWorldWith(t, func(c *daemon.Config) {
		plain := pebbletest.FreeAddress(t)
		c.Domain = domain
		c.Agents.Listen = pebbletest.FreeAddress(t)
		// The authority asks at the port of agents: there is but one 443.
		e.pebble = pebbletest.Start(t, portOf(plain), portOf(c.Agents.Listen))
		c.TLS = daemon.TLS{ACME: true, Directory: e.pebble.Directory, Roots: e.pebble.Root, PlainListen: plain}
	})
	// Pebble sends its intermediate along.
	e.dialer = tls.Config{RootCAs: e.pebble.Roots()}
	to := &http.Transport{TLSClientConfig: &e.dialer, ForceAttemptHTTP2: true, DialContext: e.dial}
	t.Cleanup(to.CloseIdleConnections)
	e.http = &http.Client{Transport: to, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	e.client = client.New(e.server.URL(), e.key, client.WithHTTPClient(e.http))
	return e
}

// dial finds the port alone.
func (e *edge) dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

func (e *edge) agents() string { return e.config.Agents.Listen }

func (e *edge) request(method, url string) *http.Request {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, url, nil)
	must(e.t, err)
	r.Header.Set("X-Api-Key", e.key)
	return r
}

// get returns an answer whose body is left to the caller.
func (e *edge) get(url string) *http.Response {
	e.t.Helper()
	res, err := e.http.Do(e.request(http.MethodGet, url))
	must(e.t, err)
	e.t.Cleanup(func() { res.Body.Close() })
	return res
}

// deployed is a deployment whose agent serves, and what is told of it from then on.
func (e *edge) deployed(name string) (id string, f *follower) {
	e.t.Helper()
	id, object := e.create(name)
	f = e.follow(id)
	f.until("reset", "READY")
	e.deploy(id, object)
	f.until("revision", "DEPLOYED")
	return id, f
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

// An agent is served at a name of its own with a certificate of its own, as
// streams and WebSockets too; its name is what the API says. Nobody else has a
// certificate, and the port of the API no agents.
func TestTLS(t *testing.T) {
	e := openEdge(t)
	id, f := e.deployed("app")

	port := portOf(e.agents())
	want := fmt.Sprintf("https://app.%s:%d", domain, port)
	d, err := e.client.Deployment(t.Context(), id)
	must(t, err)
	if d.URL == nil || *d.URL != want {
		t.Errorf("the deployment is at %v, want %q", d.URL, want)
	}
	t.Run("stream", func(t *testing.T) {
		res := e.get(want + "/stream")
		lines := bufio.NewReader(res.Body)
		for n := range 3 {
			e.next <- struct{}{}
			line, err := lines.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", n) || res.ProtoMajor != 2 {
				t.Fatalf("%s: %q, %v", res.Proto, line, err)
			}
		}
	})
	t.Run("WebSocket", func(t *testing.T) { e.talk(t, "app."+domain) })
	t.Run("strangers", func(t *testing.T) {
		for _, name := range []string{"other." + domain, id + "." + domain, "deep.app." + domain, "example.com"} {
			c, err := tls.Dial("tcp", e.agents(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err == nil {
				c.Close()
				t.Errorf("a certificate for %s", name)
			}
		}
	})
	t.Run("doors", func(t *testing.T) {
		if res := e.get(e.server.URL() + "/d/app/ok"); res.StatusCode != http.StatusNotFound {
			t.Errorf("an agent at the port of the API: %s", res.Status)
		}
		if res := e.get(fmt.Sprintf("https://%s:%d/v2/deployments", domain, port)); res.StatusCode != http.StatusNotFound {
			t.Errorf("the API at the port of agents: %s", res.Status)
		}
		if res := e.get(fmt.Sprintf("https://%s:%d/d/app/ok", domain, port)); res.StatusCode != http.StatusOK {
			t.Errorf("an agent by its path: %s", res.Status)
		}
	})
	t.Run("plain", func(t *testing.T) {
		_, plain, _ := net.SplitHostPort(e.config.TLS.PlainListen)
		for name, to := range map[string]string{"app." + domain: want, domain: e.server.URL()} {
			res := e.get("http://" + net.JoinHostPort(name, plain) + "/a%2Fb?c=d")
			if got := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || got != to+"/a%2Fb?c=d" {
				t.Errorf("%s leads to %s %q, want %s", name, res.Status, got, to)
			}
		}
	})
	must(t, e.client.DeleteDeployment(t.Context(), id, client.DeleteOptions{Now: true}))
	f.until("deleted", "")
	e.noCertificate(id, "app."+domain)
}

// A certificate that is there already when a server starts goes with the deployment
// of its name; those of other domains and of deeper names are nobody's.
func TestCertificatesOfBeforeAreAdopted(t *testing.T) {
	w := newWorldWith(t, func(c *daemon.Config) { c.Domain = domain })
	id, _ := w.create("app")
	must(t, w.server.Stop())
	for _, name := range []string{"app." + domain, "app.example.org", "deep.app." + domain} {
		must(t, os.MkdirAll(filepath.Join(w.config.Data, "certificates", "certificates", "authority", name), 0o700))
	}
	w.start()
	w.client = client.New(w.server.URL(), w.key)
	plan, err := w.client.DeletionPlan(t.Context(), id, client.DeleteOptions{})
	must(t, err)
	var names []string
	for _, i := range plan.Remove {
		if i.Kind == "certificate" {
			names = append(names, i.Ref)
		}
	}
	if !slices.Equal(names, []string{"app." + domain}) {
		t.Errorf("certificates in the plan: %v", names)
	}
}

// noCertificate sees that the receipt of a deletion has the proof for that of a
// name, and that nothing of it is on the disk.
func (e *edge) noCertificate(id, name string) {
	e.t.Helper()
	receipt, err := e.client.WatchDeletion(e.t.Context(), id, func(wire.Deletion) {})
	must(e.t, err)
	if !slices.ContainsFunc(receipt.Items, func(i wire.DeletionItem) bool {
		return i.Kind == "certificate" && i.Ref == name && i.VerifiedAt != nil
	}) {
		e.t.Errorf("the receipt has no proof that the certificate is gone: %+v", receipt.Items)
	}
	must(e.t, filepath.WalkDir(filepath.Join(e.config.Data, "certificates"), func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), name) {
			e.t.Errorf("%s is left", path)
		}
		return err
	}))
}

// An agent reaches a server with TLS over plain HTTP on its own machine, where
// nothing else is served, and finds it there when the server has started again.
func TestAnAgentTracesToAServerWithTLS(t *testing.T) {
	e := openEdge(t)
	e.deployed("app")
	env := map[string]string{}
	for _, v := range e.began.Load().Env {
		env[v.Name] = v.Value
	}
	endpoint, key := env["LANGSMITH_ENDPOINT"], env["LANGSMITH_API_KEY"]
	inlet, ok := strings.CutSuffix(endpoint, "/api/v1")
	if !ok || !strings.HasPrefix(inlet, "http://127.0.0.1:") || inlet == "http://"+e.config.Listen {
		t.Fatalf("an agent is told %q", endpoint)
	}
	send := func(run string) int {
		status, text := e.askAt(inlet, key, "POST", "/api/v1/runs", `{"id": "`+run+`", "name": "talk", "run_type": "chain", "start_time": "2026-03-01T12:00:00"}`)
		if status != http.StatusAccepted {
			t.Logf("%d %s", status, text)
		}
		return status
	}
	if got := send("11111111-1111-4111-8111-111111111111"); got != http.StatusAccepted {
		t.Fatalf("a run is answered %d", got)
	}
	for _, c := range []struct {
		at, key, path string
		want          int
	}{
		{inlet, key, "/api/v1/runs/11111111-1111-4111-8111-111111111111", http.StatusOK},
		{inlet, "", "/api/v1/sessions", http.StatusUnauthorized},
		{inlet, e.key, "/v2/deployments", http.StatusNotFound},
		{inlet, e.key, "/d/app/ok", http.StatusNotFound},
		{inlet, e.key, "/v2/registry/", http.StatusNotFound},
		{"http://" + e.config.Listen, key, "/api/v1/sessions", http.StatusBadRequest}, // the main door speaks no HTTP
	} {
		if status, text := e.askAt(c.at, c.key, "GET", c.path, ""); status != c.want {
			t.Errorf("%s%s: %d %s, want %d", c.at, c.path, status, text, c.want)
		}
	}
	res := e.get(e.server.URL() + "/api/v1/sessions?name=app")
	if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), `"run_count":1`) {
		t.Errorf("seen through the main door: %s %s, %v", res.Status, text, err)
	}

	must(t, e.server.Stop())
	e.start()
	testsignal.Until(t, "a run that is taken by the server that started again", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(inlet, "http://"))
		if err != nil {
			return false
		}
		must(t, c.Close())
		return send("22222222-2222-4222-8222-222222222222") == http.StatusAccepted
	})
}

// talk upgrades a connection and has its words come back.
func (e *edge) talk(t *testing.T, name string) {
	t.Helper()
	config := e.dialer.Clone()
	config.ServerName, config.NextProtos = name, []string{"http/1.1"}
	c, err := tls.Dial("tcp", e.agents(), config)
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "GET /socket HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", name, e.key)
	must(t, err)
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	_, err = fmt.Fprintln(c, "hello")
	must(t, err)
	if word, err := r.ReadString('\n'); err != nil || word != "hello\n" || res.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("%s, then %q, %v", res.Status, word, err)
	}
}

// What can not work is refused before anything is made.
func TestNamesThatCanNotWork(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*daemon.Config)
		says string
	}{
		"an API in the domain of agents": {func(c *daemon.Config) { c.PublicURL, c.Domain = "https://api.example.com", "Example.com" }, "agents.Example.com"},
		"HTTP in the public URL":         {func(c *daemon.Config) { c.PublicURL = "http://example.com" }, "https://"},
		"no name":                        {func(c *daemon.Config) { c.PublicURL = "https://127.0.0.1:8124" }, "--domain"},
	} {
		t.Run(name, func(t *testing.T) {
			config := config(t.TempDir())
			config.TLS.ACME = true
			c.edit(&config)
			if s, err := daemon.Start(t.Context(), config); err == nil {
				s.Stop()
				t.Error("it starts")
			} else if !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
}
