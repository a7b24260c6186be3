package daemon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/store/sqlite"
)

const nobody = "3c2f9f0e-5d4b-4a67-9d5e-2b8f4f6f1a01"

// door is the public door of a server, with keys of every sort and a deployment
// that must come to no harm.
type door struct {
	t     *testing.T
	url   string
	keys  map[string]string // by what they are good for
	mine  map[string]string // path parameters that name what is there
	codes []int             // statuses that are allowed beside those of a cell
	log   *said
}

// said is what a server logs.
type said struct {
	mu  sync.Mutex
	raw bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.Write(p)
}

// broken are the lines that say that the server itself broke.
func (s *said) broken() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.raw.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (s *said) says(words string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.raw.String(), words)
}

func openDoor(t *testing.T) *door {
	d := &door{t: t, keys: map[string]string{"wrong": slipway.NewToken(), "none": ""}, log: &said{}}
	data := t.TempDir()
	s, err := daemon.Start(t.Context(), daemon.Config{
		Data: data, Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 20000, Last: 20009},
		Logger: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		OpenDriver: func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
		},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Stop()) })
	d.url = s.URL()
	admin, err := os.ReadFile(daemon.AdminKeyFile(data))
	must(t, err)
	d.keys["mine"] = strings.TrimSpace(string(admin))
	d.makeKeys(filepath.Join(data, "slipway.db"))
	d.makeDeployment()
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var scopes = []slipway.Scope{slipway.ScopeRead, slipway.ScopeDeploy, slipway.ScopeDelete, slipway.ScopeAdmin, slipway.ScopeSecretsRead}

// makeKeys writes keys into the store: no API gives one that has expired.
func (d *door) makeKeys(database string) {
	store, err := sqlite.Open(d.t.Context(), database)
	must(d.t, err)
	defer store.Close()
	now := time.Now()
	must(d.t, store.Update(d.t.Context(), func(tx slipway.Tx) error {
		all, err := tx.ListWorkspaces()
		if err != nil {
			return err
		}
		mine, other := all[0].ID, slipway.Workspace{ID: slipway.NewID[slipway.WorkspaceID](now), Name: "other", CreatedAt: now}
		keys := map[string]slipway.Key{
			"revoked": {Workspace: mine, Scopes: slipway.DefaultScopes(), RevokedAt: now},
			"expired": {Workspace: mine, Scopes: slipway.DefaultScopes(), ExpiresAt: now.Add(-time.Second)},
			"theirs":  {Workspace: other.ID, Scopes: slipway.DefaultScopes()},
			"no":      {Workspace: mine},
		}
		for _, s := range scopes {
			keys[string(s)] = slipway.Key{Workspace: mine, Scopes: []slipway.Scope{s}}
		}
		if err := tx.InsertWorkspace(other); err != nil {
			return err
		}
		for name, k := range keys {
			d.keys[name] = slipway.NewToken()
			k.ID, k.Name, k.Hash, k.CreatedAt = slipway.NewID[slipway.KeyID](now), name, slipway.HashToken(d.keys[name]), now
			if err := tx.InsertKey(k); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (d *door) makeDeployment() {
	a := d.ask(request{method: "POST", path: "/v2/deployments", key: "mine", body: []byte(`{"name":"mine","source":"external_docker",
		"source_config":{"resource_spec":{}},"source_revision_config":{"image_uri":"registry.invalid/none:1"},"secrets":[{"name":"A","value":"b"}]}`)})
	var made struct {
		ID       string `json:"id"`
		Tenant   string `json:"tenant_id"`
		Revision string `json:"latest_revision_id"`
	}
	if err := json.Unmarshal(a.body, &made); err != nil || a.status != http.StatusCreated {
		d.t.Fatalf("make a deployment: %d %s", a.status, a.body)
	}
	d.mine = map[string]string{"deployment_id": made.ID, "project_id": made.ID, "revision_id": made.Revision, "workspace_id": made.Tenant}
}

// request is one that somebody might send.
type request struct {
	method, path, key string
	body              []byte
	kind              string // content type, JSON unless set
}

type answer struct {
	status   int
	kind     string
	location string
	allow    string
	body     []byte
}

func (d *door) ask(r request) answer {
	ask, err := http.NewRequestWithContext(d.t.Context(), r.method, d.url+r.path, bytes.NewReader(r.body))
	if err != nil {
		d.t.Fatal(err)
	}
	if r.kind == "" {
		r.kind = "application/json"
	}
	ask.Header.Set("Content-Type", r.kind)
	if key := d.keys[r.key]; key != "" {
		ask.Header.Set("X-Api-Key", key)
	}
	client := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(ask)
	if err != nil {
		d.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	must(d.t, err)
	return answer{got.StatusCode, got.Header.Get("Content-Type"), got.Header.Get("Location"), got.Header.Get("Allow"), raw}
}

// expect asks, and checks that the answer is one that clients can read: one of
// these statuses, no redirect, and of a refusal the reason.
func (d *door) expect(t *testing.T, r request, statuses ...int) answer {
	t.Helper()
	a := d.ask(r)
	shown := fmt.Sprintf("%s %.120s with key %s and body %.60q", r.method, r.path, r.key, r.body)
	if !slices.Contains(statuses, a.status) && !slices.Contains(d.codes, a.status) {
		t.Errorf("%s: %d %.300s, want %v", shown, a.status, a.body, statuses)
	}
	var refusal struct{ Detail any }
	switch {
	case a.location != "":
		t.Errorf("%s: sent on to %s", shown, a.location)
	case a.status < 400:
	case a.kind != "application/json" || json.Unmarshal(a.body, &refusal) != nil || refusal.Detail == nil || refusal.Detail == "":
		t.Errorf("%s: %d is no refusal with a detail: %s %.300s", shown, a.status, a.kind, a.body)
	}
	return a
}

// operation is one that the served document describes.
type operation struct {
	method, path, scope string
	takesBody           bool
	responses           []string
	params              []string // in the path
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

func (d *door) operations() (all []operation) {
	a := d.ask(request{method: "GET", path: "/openapi.json"})
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	must(d.t, json.Unmarshal(a.body, &document))
	for path, methods := range document.Paths {
		for method, raw := range methods {
			var op struct {
				Scope     string                     `json:"x-slipway-scope"`
				Planned   string                     `json:"x-slipway-planned"`
				Body      json.RawMessage            `json:"requestBody"`
				Responses map[string]json.RawMessage `json:"responses"`
			}
			if method == "parameters" {
				continue
			}
			must(d.t, json.Unmarshal(raw, &op))
			o := operation{method: strings.ToUpper(method), path: path, scope: op.Scope, takesBody: op.Body != nil && op.Planned == ""}
			for status := range op.Responses {
				o.responses = append(o.responses, status)
			}
			for _, p := range parameter.FindAllStringSubmatch(path, -1) {
				o.params = append(o.params, p[1])
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// at fills the path in: with what is there, where it is known, or what nobody
// has.
func (o operation) at(ids map[string]string) string {
	return parameter.ReplaceAllStringFunc(o.path, func(p string) string {
		if id, ok := ids[strings.Trim(p, "{}")]; ok {
			return id
		}
		return nobody
	})
}

// request is a sound one, as far as a body without members can be.
func (o operation) request(ids map[string]string, key string) request {
	body := []byte("{}")
	if strings.HasSuffix(o.path, "/revisions") && o.method == http.MethodPost {
		body = []byte(`{"source_revision_config":{}}`)
	}
	return request{method: o.method, path: o.at(ids), key: key, body: body}
}

// TestEveryRoute sends every operation of the served document what nobody
// should send.
func TestEveryRoute(t *testing.T) {
	d := openDoor(t)
	ops := d.operations()
	if len(ops) < 40 {
		t.Fatalf("the document has %d operations", len(ops))
	}
	before := d.ask(request{method: "GET", path: "/v2/deployments/" + d.mine["deployment_id"], key: "mine"})
	for _, prefix := range []string{"", "/api-host"} {
		for _, o := range ops {
			o.path = prefix + o.path
			t.Run(o.method+" "+o.path, func(t *testing.T) {
				d.codes = nil
				if slices.Contains(o.responses, "501") {
					d.codes = []int{http.StatusNotImplemented}
				}
				d.keysOf(t, o)
				d.scopesOf(t, o)
				d.strangers(t, o)
				d.ids(t, o)
				d.bodies(t, o)
				d.methods(t, o)
			})
		}
	}
	d.codes = nil
	after := d.ask(request{method: "GET", path: "/v2/deployments/" + d.mine["deployment_id"], key: "mine"})
	if name := regexp.MustCompile(`"(name|status)":"[^"]*"`); before.status != http.StatusOK || after.status != http.StatusOK ||
		!slices.Equal(name.FindAllString(string(before.body), -1), name.FindAllString(string(after.body), -1)) {
		t.Errorf("the deployment that should come to no harm: %d %s", after.status, after.body)
	}
	for _, line := range d.log.broken() {
		t.Errorf("the server's log: %s", line)
	}
}

// keysOf: without a valid key nobody is let in, and learns nothing.
func (d *door) keysOf(t *testing.T, o operation) {
	codes := d.codes
	d.codes = nil
	defer func() { d.codes = codes }()
	for _, key := range []string{"none", "wrong", "revoked", "expired"} {
		d.expect(t, o.request(d.mine, key), http.StatusUnauthorized)
		r := o.request(nil, key)
		r.body = []byte("{broken")
		d.expect(t, r, http.StatusUnauthorized)
	}
}

// scopesOf: a key is let in by the operation's own scope, and by no other.
func (d *door) scopesOf(t *testing.T, o operation) {
	codes := d.codes
	defer func() { d.codes = codes }()
	for _, key := range append([]slipway.Scope{"no"}, scopes...) {
		r := o.request(nil, string(key))
		if string(key) != o.scope {
			d.codes = nil
			d.expect(t, r, http.StatusForbidden)
			continue
		}
		d.codes = codes
		d.expect(t, r, http.StatusOK, http.StatusNotFound, http.StatusUnprocessableEntity)
	}
}

// strangers: what another workspace has is not there.
func (d *door) strangers(t *testing.T, o operation) {
	r := o.request(d.mine, "theirs")
	switch {
	case strings.Contains(o.path, "/v1/workspaces/"), strings.Contains(o.path, "/v1/api-keys/"):
		d.expect(t, r, http.StatusForbidden, http.StatusNotFound)
	case strings.HasSuffix(o.path, "/v1/leftovers"): // the whole installation's
		d.expect(t, r, http.StatusForbidden)
	case strings.HasSuffix(o.path, "/snapshot-restore"):
		r.body = []byte(`{"from": "` + d.mine["deployment_id"] + `"}`)
		d.expect(t, r, http.StatusNotFound)
	case len(o.params) > 0:
		r.path += "?type=build" // of logs, which want one
		d.expect(t, r, http.StatusNotFound)
	case strings.HasSuffix(o.path, "/v2/deployment-logs"):
		r.path += "?deployment_id=" + d.mine["deployment_id"]
		d.expect(t, r, http.StatusNotFound)
	case strings.HasSuffix(o.path, "/v2/deployments") && o.method == http.MethodDelete:
		r.path += "?deployment_ids=" + d.mine["deployment_id"]
		d.expect(t, r, http.StatusNotFound)
	case o.method == http.MethodGet:
		if a := d.expect(t, r, http.StatusOK, http.StatusUnprocessableEntity); bytes.Contains(a.body, []byte(d.mine["deployment_id"])) {
			t.Errorf("%s shows a deployment of another workspace: %s", o.path, a.body)
		}
	}
}

// crooked are ids that are none.
var crooked = []string{
	"nonsense", "0", "%00", nobody + "%00", "%2e%2e", "..%2f..%2fadmin.key", "a%2Fb", nobody + "%2frevisions", "%ff%fe", "%ed%a0%80",
	"%F0%9F%92%A9", "%0d%0aX-Evil:1", "';DROP%20TABLE%20deployments;--", "$(id)", "%25%30%30", strings.Repeat("a", 8000), "%20", ".", "..", "",
}

func (d *door) ids(t *testing.T, o operation) {
	for _, param := range o.params {
		for _, id := range crooked {
			r := o.request(map[string]string{param: id}, "mine")
			d.expect(t, r, http.StatusUnprocessableEntity, http.StatusNotFound, http.StatusMethodNotAllowed)
		}
	}
	r := o.request(nil, "mine")
	r.path += "?name=%00&limit=%00&offset=-1&status=%ff&name_contains=%25&unknown=%00&deployment_ids=%00&%00=%00;=&&"
	d.expect(t, r, http.StatusOK, http.StatusNotFound, http.StatusUnprocessableEntity)
}

// maxBody is the most that a body may have, in bytes.
const maxBody = 10 << 20

func (d *door) bodies(t *testing.T, o operation) {
	plain := d.expect(t, o.request(nil, "mine"), http.StatusOK, http.StatusNotFound, http.StatusUnprocessableEntity)
	for name, body := range map[string]string{
		"duplicate keys": `{"a":1,"a":{"b":[]},"a":null}`, "a null byte": `{"name":"a\u0000b","version":"a\u0000b","display_name":"\u0000"}`,
		"a half of a pair": `{"name":"\ud800","compute_id":"\udfff"}`, "no number": `{"limit":NaN,"a":1e999999,"b":-0}`, "an array": `[]`,
		"null": `null`, "nothing": ``, "a text": `"{}"`, "broken": `{`, "raw bytes": "\xff\xfe\x00", "a huge number": `{"limit":` + strings.Repeat("9", 5000) + `}`,
		"deep arrays": strings.Repeat("[", 200_000), "deep objects": strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	} {
		r := o.request(nil, "mine")
		r.body = []byte(body)
		a := d.expect(t, r, http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity)
		if name == "broken" && o.takesBody && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s %s takes broken JSON: %d %s", o.method, o.path, a.status, a.body)
		}
		if name == "duplicate keys" && !strings.HasSuffix(o.path, "/revisions") && a.status != plain.status {
			t.Errorf("%s %s with duplicate keys: %d, without %d", o.method, o.path, a.status, plain.status)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=latin-1", "x", "application/xml;;"} {
		r := o.request(nil, "mine")
		r.kind = kind
		d.expect(t, r, http.StatusOK, http.StatusNotFound, http.StatusUnprocessableEntity)
	}
	if o.takesBody {
		r := o.request(nil, "mine")
		r.body = bytes.Repeat([]byte(" "), maxBody+1)
		codes := d.codes
		d.codes = nil
		d.expect(t, r, http.StatusRequestEntityTooLarge)
		d.codes = codes
	}
}

func (d *door) methods(t *testing.T, o operation) {
	codes := d.codes
	d.codes = nil
	defer func() { d.codes = codes }()
	for _, method := range []string{"TRACE", "PROPFIND", "BREW", "get"} {
		r := o.request(nil, "mine")
		r.method = method
		a := d.expect(t, r, http.StatusMethodNotAllowed)
		if !slices.Contains(strings.Split(a.allow, ", "), o.method) {
			t.Errorf("%s %s: Allow is %q, want %s in it", method, o.path, a.allow, o.method)
		}
	}
}
