package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
)

// What a gateway must get right, asked of the real agent server behind it. Events
// one by one and a client that leaves are among the vendor's client's scenarios.
func TestGatewayBeforeARealAgent(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	s := newServer(t, "--access-log", log)
	d := s.create("echo")
	d.deploy(withRoutesOfItsOwn(t))
	g := gatewayTest{d, t, log}
	for name, test := range map[string]func(gatewayTest){
		"a wait answers at once and says so each second": gatewayTest.waits,
		"locations are the agent's":                      gatewayTest.locations,
		"a stream is resumed":                            gatewayTest.resumes,
		"a WebSocket speaks both ways":                   gatewayTest.webSocket,
		"25 MB at most":                                  gatewayTest.limits,
		"paths come without the prefix, as they were":    gatewayTest.paths,
		"one answer to a browser":                        gatewayTest.cors,
		"what agents trust is taken out":                 gatewayTest.trust,
		"internal routes are blocked":                    gatewayTest.internal,
		"it can be opened to everybody":                  gatewayTest.opened,
		"there is no way around, but for the app itself": gatewayTest.apart,
	} {
		t.Run(name, func(t *testing.T) {
			g := g
			g.t = t
			test(g)
		})
	}
	g.logs()
}

// withRoutesOfItsOwn is the example with a route that tells what arrives, and one
// that asks the app itself. An app is mounted by its routes alone, so that it
// needs no package for them.
func withRoutesOfItsOwn(t *testing.T) []byte {
	return pack(t, echo, map[string]string{
		"langgraph.json": withApp(t),
		"src/http.ts": `const tell = (c: any) => c.json({ path: new URL(c.req.url).pathname, query: new URL(c.req.url).search, headers: c.req.header() });
const self = async (c: any) => c.json({ status: (await fetch("http://localhost:" + process.env.PORT + "/ok")).status });
export const app = { routes: [...["GET", "POST"].map((method) => ({ method, path: "/tell/*", handler: tell })), { method: "GET", path: "/self", handler: self }] };
`,
	})
}

// withApp is the example's configuration, with routes of its own in src/http.ts.
func withApp(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(echo + "/langgraph.json")
	must(t, err)
	var config map[string]any
	must(t, json.Unmarshal(raw, &config))
	config["http"] = map[string]any{"app": "./src/http.ts:app"}
	edited, err := json.Marshal(config)
	must(t, err)
	return string(edited)
}

type gatewayTest struct {
	*deployment
	t   *testing.T
	log string
}

// ask sends a request with the server's key, unless edits say otherwise. The
// caller closes the answer.
func (g gatewayTest) ask(method, path, body string, edits ...func(*http.Request)) *http.Response {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(body))
	must(g.t, err)
	r.Header.Set("X-Api-Key", g.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, edit := range edits {
		edit(r)
	}
	answer, err := http.DefaultClient.Do(r)
	must(g.t, err)
	g.t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

// object asks for JSON.
func (g gatewayTest) object(method, path, body string, edits ...func(*http.Request)) map[string]any {
	g.t.Helper()
	answer := g.ask(method, path, body, edits...)
	raw, err := io.ReadAll(answer.Body)
	must(g.t, err)
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		g.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, raw)
	}
	return v
}

func (g gatewayTest) thread() string {
	g.t.Helper()
	return "/threads/" + g.object("POST", "/threads", "{}")["thread_id"].(string)
}

func input(graph string, delay int, more string) string {
	return fmt.Sprintf(`{"assistant_id": %q, "input": {"messages": [{"role": "user", "content": "one two"}], "delay_ms": %d}%s}`, graph, delay, more)
}

const tenMinutes = 600_000

// The header and the first newline come while the run has ten minutes to go.
func (g gatewayTest) waits() {
	thread := g.thread()
	answer := g.ask("POST", thread+"/runs/wait", input("slow", tenMinutes, ""))
	body := bufio.NewReader(answer.Body)
	if first, err := body.ReadByte(); first != '\n' || err != nil || answer.StatusCode != http.StatusOK {
		g.t.Fatalf("%d %q %v", answer.StatusCode, first, err)
	}
	g.ask("POST", answer.Header.Get("Content-Location")+"/cancel?wait=0", "{}")
	rest, err := io.ReadAll(body)
	if text := strings.TrimSpace(string(rest)); err != nil || text != "" && !json.Valid([]byte(text)) {
		g.t.Errorf("the rest is %q, %v", text, err)
	}
}

// Clients add these to the address that they have, prefix and all.
func (g gatewayTest) locations() {
	for _, kind := range []string{"", "/wait", "/stream"} {
		thread := g.thread()
		answer := g.ask("POST", thread+"/runs"+kind, input("echo", 0, ""))
		_, err := io.ReadAll(answer.Body)
		must(g.t, err)
		if at := answer.Header.Get("Content-Location"); !strings.HasPrefix(at, thread+"/runs/") {
			g.t.Errorf("runs%s: Content-Location %q", kind, at)
		}
	}
}

func (g gatewayTest) resumes() {
	thread := g.thread()
	answer := g.ask("POST", thread+"/runs/stream", input("custom", 1, `, "stream_mode": ["custom"], "stream_resumable": true`))
	whole, err := io.ReadAll(answer.Body)
	must(g.t, err)
	run := answer.Header.Get("Content-Location")
	ids := eventIDs(string(whole))
	if len(ids) < 3 {
		g.t.Fatalf("events %q of %s", ids, whole)
	}
	again := g.ask("GET", run+"/stream", "", with("Last-Event-ID", ids[0]))
	rest, err := io.ReadAll(again.Body)
	must(g.t, err)
	if got := eventIDs(string(rest)); again.StatusCode != http.StatusOK || len(got) == 0 || got[0] != ids[1] {
		g.t.Errorf("%d: after %s come %q, of %q", again.StatusCode, ids[0], got, ids)
	}
}

func eventIDs(stream string) (ids []string) {
	for line := range strings.Lines(stream) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "id:"); ok {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	return ids
}

func (g gatewayTest) webSocket() {
	at, err := url.Parse(g.url + g.thread() + "/stream/events")
	must(g.t, err)
	c, err := net.Dial("tcp", at.Host)
	must(g.t, err)
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", at.Path, at.Host, g.key)
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, nil)
	must(g.t, err)
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		g.t.Fatalf("%s %v", answer.Status, answer.Header)
	}
	for i := range 3 {
		must(g.t, sendText(c, fmt.Sprintf(`{"id": %d, "method": "agent.getTree", "params": {}}`, i+1)))
		text, err := readText(r)
		must(g.t, err)
		var v struct{ ID *int }
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.ID == nil || *v.ID != i+1 {
			g.t.Errorf("command %d is answered %s", i+1, text)
		}
	}
}

// sendText sends a frame of a client, whose mask is nothing.
func sendText(w io.Writer, text string) error {
	head := []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	_, err := w.Write(append(head, text...))
	return err
}

// readText reads a frame of up to 64 KiB.
func readText(r *bufio.Reader) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(r, head); err != nil {
			return "", err
		}
		n = int(head[0])<<8 | int(head[1])
	}
	text := make([]byte, n)
	_, err := io.ReadFull(r, text)
	return string(text), err
}

func (g gatewayTest) limits() {
	const limit = 25 << 20
	for size, want := range map[int]int{limit + 1: http.StatusRequestEntityTooLarge, limit: http.StatusOK} {
		body := append(bytes.Repeat([]byte(" "), size-2), "{}"...)
		for name, r := range map[string]io.Reader{"known": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
			req, err := http.NewRequestWithContext(g.t.Context(), "POST", g.url+"/threads", r)
			must(g.t, err)
			req.Header.Set("X-Api-Key", g.key)
			req.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(req)
			if err != nil {
				g.t.Errorf("%d bytes, %s: %v", size, name, err)
				continue
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				g.t.Errorf("%d bytes, %s: %d, want %d", size, name, answer.StatusCode, want)
			}
		}
	}
}

func (g gatewayTest) paths() {
	for _, path := range []string{"/tell/a%2Fb", "/tell/a%20b", "/tell/ü%C3%BC", "/tell//x"} {
		got := g.object("GET", path+"?q=%2F&r", "")
		want, err := url.Parse(path)
		must(g.t, err)
		if got["path"] != want.EscapedPath() || got["query"] != "?q=%2F&r" {
			g.t.Errorf("%s came as %v %v", path, got["path"], got["query"])
		}
	}
}

func (g gatewayTest) cors() {
	origin := with("Origin", "https://example.com")
	preflight := g.ask("OPTIONS", "/runs/wait", "", origin, without("X-Api-Key"), with("Access-Control-Request-Method", "POST"), with("Access-Control-Request-Headers", "x-api-key"))
	plain := g.ask("GET", "/tell/it", "", origin)
	if preflight.StatusCode >= 300 || plain.StatusCode != http.StatusOK {
		g.t.Errorf("preflight %d, request %d", preflight.StatusCode, plain.StatusCode)
	}
	for name, answer := range map[string]*http.Response{"preflight": preflight, "request": plain} {
		if got := answer.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 {
			g.t.Errorf("%s: Access-Control-Allow-Origin %q", name, got)
		}
	}
}

func (g gatewayTest) trust() {
	got := g.object("GET", "/tell/it", "", with("X-Auth-Scheme", "langsmith"), with("X-Service-Key", "forged"), with("X-Slipway-Probe", "1"),
		with("X-Forwarded-For", "192.0.2.1"), with("X-Other", "kept"), with("X-Request-Id", "mine"))
	headers := got["headers"].(map[string]any)
	for _, name := range []string{"x-api-key", "x-auth-scheme", "x-service-key", "x-slipway-probe", "authorization"} {
		if headers[name] != nil {
			g.t.Errorf("%s reached the agent: %v", name, headers[name])
		}
	}
	if headers["x-other"] != "kept" || headers["x-request-id"] != "mine" || headers["x-forwarded-for"] != "127.0.0.1" {
		g.t.Errorf("%v", headers)
	}
	own := g.object("GET", "/tell/it", "", with("Authorization", "Bearer of the app"))
	if got := own["headers"].(map[string]any)["authorization"]; got != "Bearer of the app" {
		g.t.Errorf("the app's own authorization came as %v", got)
	}
}

// apart has others ask the agent where it listens.
func (g gatewayTest) apart() {
	if got := g.object("GET", "/self", ""); got["status"] != 200.0 {
		g.t.Errorf("the app got %v from itself", got)
	}
	if os.Geteuid() != 0 {
		return // nobody else can be become
	}
	neighbour := g.user() + 1
	port, socket := "127.0.0.1:"+g.variable("PORT"), g.variable("SLIPWAY_SOCKET")
	for uid, served := range map[int]bool{0: true, neighbour: false} {
		if line, err := addresstest.GetAs(uid, port, "/ok"); (line != "") != served {
			g.t.Errorf("user %d at the port: %q, %v", uid, line, err)
		}
		if line, err := addresstest.GetAs(uid, "unix:"+socket, "/ok"); (line != "") != served || !served && !errors.Is(err, syscall.EACCES) {
			g.t.Errorf("user %d at the socket: %q, %v", uid, line, err)
		}
	}
}

// user of the one agent of a server.
func (g gatewayTest) user() int {
	g.t.Helper()
	about, err := os.Stat(fmt.Sprintf("/proc/%d", mains(g.data)[0]))
	must(g.t, err)
	return int(about.Sys().(*syscall.Stat_t).Uid)
}

// variable of the one agent of a server.
func (g gatewayTest) variable(name string) string {
	g.t.Helper()
	pids := mains(g.data)
	if len(pids) != 1 {
		g.t.Fatalf("agents: %v", pids)
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pids[0]))
	must(g.t, err)
	_, rest, found := strings.Cut("\x00"+string(raw), "\x00"+name+"=")
	if !found {
		g.t.Fatalf("it has no %s", name)
	}
	value, _, _ := strings.Cut(rest, "\x00")
	return value
}

func (g gatewayTest) internal() {
	thread := g.thread()
	for _, path := range []string{"/internal/truncate", "//internal/truncate", "/%69nternal/truncate", "/./internal/truncate", "/tell/../internal/truncate", "/INTERNAL/truncate", "/internal%2Ftruncate"} {
		at, err := url.Parse(g.url)
		must(g.t, err)
		c, err := net.Dial("tcp", at.Host)
		must(g.t, err)
		const body = `{"threads":true}`
		fmt.Fprintf(c, "POST %s%s HTTP/1.1\r\nHost: h\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			at.Path, path, g.key, len(body), body)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(g.t, err)
		c.Close()
		if answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusBadRequest {
			g.t.Errorf("%s: %s", path, answer.Status)
		}
	}
	if answer := g.ask("GET", thread, ""); answer.StatusCode != http.StatusOK {
		g.t.Errorf("the thread is gone: %d", answer.StatusCode)
	}
}

func (g gatewayTest) opened() {
	revision := deref(g.set("public").LatestRevisionID)
	eventually(g.t, "it is there for everybody", func() bool {
		return g.ask("GET", "/tell/it", "", without("X-Api-Key")).StatusCode == http.StatusOK
	})
	got := g.object("GET", "/tell/it", "", with("X-Api-Key", "of another service"))
	if key := got["headers"].(map[string]any)["x-api-key"]; key != nil {
		g.t.Errorf("a key reached the agent: %v", key)
	}
	if now := deref(g.set("key").LatestRevisionID); now != revision {
		g.t.Errorf("it made revision %s after %s", now, revision)
	}
	eventually(g.t, "it is closed again", func() bool {
		return g.ask("GET", "/tell/it", "", without("X-Api-Key")).StatusCode == http.StatusUnauthorized
	})
}

func (g gatewayTest) set(access string) wire.Deployment {
	g.t.Helper()
	v, err := g.PatchDeployment(g.t.Context(), g.id, wire.DeploymentPatchRequest{SourceConfig: &wire.SourceConfigRequest{Access: &access}})
	must(g.t, err)
	return v
}

// Lines go to a new file after the old one was moved away.
func (g gatewayTest) logs() {
	g.ask("GET", "/tell/it?token=hidden", "", with("X-Request-Id", "before"))
	g.awaitLine(g.log, "before")
	must(g.t, os.Rename(g.log, g.log+".1"))
	must(g.t, g.cmd.Process.Signal(syscall.SIGHUP))
	eventually(g.t, "there is a new file", func() bool {
		_, err := os.Stat(g.log)
		return err == nil
	})
	g.ask("GET", "/tell/it", "", with("X-Request-Id", "after"))
	g.awaitLine(g.log, "after")
	raw, err := os.ReadFile(g.log + ".1")
	must(g.t, err)
	for _, secret := range []string{"hidden", g.key, "of another service"} {
		if bytes.Contains(raw, []byte(secret)) {
			g.t.Errorf("the access log tells %q", secret)
		}
	}
}

func (g gatewayTest) awaitLine(path, request string) {
	g.t.Helper()
	eventually(g.t, "the access log has "+request, func() bool {
		raw, _ := os.ReadFile(path)
		for line := range strings.Lines(string(raw)) {
			var v struct {
				Request    string `json:"request_id"`
				Deployment string
				Key        string `json:"key_id"`
				Status     int
			}
			if json.Unmarshal([]byte(line), &v) == nil && v.Request == request {
				return v.Deployment == g.id && v.Key != "" && v.Status == http.StatusOK
			}
		}
		return false
	})
}
