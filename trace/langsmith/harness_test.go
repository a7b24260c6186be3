package langsmith_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/trace/langsmith"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

const (
	rootID  = "11111111-1111-4111-8111-111111111111"
	childID = "22222222-2222-4222-8222-222222222222"
	begun   = "2026-03-01T12:00:00.000000"
	order   = "20260301T120000000000Z" + rootID
	below   = order + ".20260301T120001000000Z" + childID
)

// office is a server of the protocol, with who may ask it.
type office struct {
	t      *testing.T
	url    string
	folder string // of blobs
	desk   *desk
	runs   *store.Store
	now    time.Time
}

func open(t *testing.T, edit ...func(*langsmith.Config)) *office {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "traces"))
	must(t, err)
	o := &office{t: t, folder: t.TempDir(), desk: &desk{}, now: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)}
	blobs, err := blob.OpenFolder(o.folder)
	must(t, err)
	ring, err := secret.NewKeyring(make([]byte, 32))
	must(t, err)
	clock := func() time.Time { return o.now }
	runs := store.New(engine, blobs, store.Config{Now: clock})
	o.runs = runs
	c := langsmith.Config{Runs: runs, Projects: o.desk, Keys: o.desk, Signer: ring, Now: clock}
	for _, e := range edit {
		e(&c)
	}
	s := httptest.NewServer(langsmith.New(c))
	o.url = s.URL
	t.Cleanup(func() {
		s.Close()
		must(t, runs.Close())
		must(t, blobs.Close())
	})
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answered is an answer that was read.
type answered struct {
	status int
	header http.Header
	body   string
}

func (o *office) do(r *http.Request) answered {
	o.t.Helper()
	got, err := http.DefaultClient.Do(r)
	must(o.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	must(o.t, err)
	return answered{got.StatusCode, got.Header, string(body)}
}

// ask asks as somebody, with JSON, or with nothing if it is "".
func (o *office) ask(who, method, path, body string) answered {
	o.t.Helper()
	return o.do(o.request(who, method, path, "application/json", strings.NewReader(body)))
}

func (o *office) request(who, method, path, kind string, body io.Reader) *http.Request {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, body)
	must(o.t, err)
	r.Header.Set("X-Api-Key", who)
	r.Header.Set("Content-Type", kind)
	return r
}

// part is one of a form.
type part struct{ name, kind, body string }

func form(parts ...part) (body []byte, kind string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		head := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.name + `"`}}
		if p.kind == "" {
			p.kind = "application/json"
		}
		head.Set("Content-Type", fmt.Sprintf("%s; length=%d", p.kind, len(p.body)))
		to, _ := w.CreatePart(head)
		_, _ = io.WriteString(to, p.body)
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// send sends a form as somebody.
func (o *office) send(who string, parts ...part) answered {
	o.t.Helper()
	body, kind := form(parts...)
	return o.do(o.request(who, "POST", "/runs/multipart", kind, bytes.NewReader(body)))
}

// run is the JSON of a run, as SDKs have it, with more or other members.
func run(members string) string {
	all := map[string]any{"id": rootID, "trace_id": rootID, "dotted_order": order, "name": "talk", "run_type": "chain", "start_time": begun, "session_name": "p"}
	if members != "" {
		if err := json.Unmarshal([]byte(members), &all); err != nil {
			panic(err)
		}
	}
	for k, v := range all {
		if v == nil {
			delete(all, k)
		}
	}
	text, _ := json.Marshal(all)
	return string(text)
}

// kept is a run as it is read again.
type kept struct {
	Name, Status    string
	RunType         string `json:"run_type"`
	Error           *string
	Inputs, Outputs json.RawMessage
	Tags            []string
	ParentRunID     *string `json:"parent_run_id"`
	DottedOrder     string  `json:"dotted_order"`
	StartTime       string  `json:"start_time"`
	EndTime         *string `json:"end_time"`
	Project         string  `json:"session_id"`
	Extra           struct{ Metadata map[string]any }
	Files           map[string]struct {
		URL  string `json:"presigned_url"`
		Type string `json:"mime_type"`
	} `json:"s3_urls"`
}

func (o *office) read(who, id string) kept {
	o.t.Helper()
	got := o.ask(who, "GET", "/runs/"+id, "")
	if got.status != http.StatusOK {
		o.t.Fatalf("read run %s: %d %s", id, got.status, got.body)
	}
	var k kept
	if err := json.Unmarshal([]byte(got.body), &k); err != nil {
		o.t.Fatalf("read run %s: %v in %.1000s", id, err, got.body)
	}
	return k
}

// expect fails unless an answer has a status and a text.
func (a answered) expect(t *testing.T, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		t.Errorf("answered %d %s, want %d with %q", a.status, a.body, status, text)
	}
}

// desk knows people and projects. Keys are "<workspace>" for all scopes,
// "<workspace>/<scopes>", and "agent/<workspace>/<project's name>".
type desk struct {
	mu       sync.Mutex
	projects []slipway.TracingProject
	made     int
}

func (d *desk) Tracer(_ context.Context, c slipway.Caller) (slipway.Principal, error) {
	parts := strings.Split(c.Token, "/")
	switch {
	case c.Token == "":
		return slipway.Principal{}, slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")
	case c.Token == "often":
		return slipway.Principal{}, &slipway.Error{Code: slipway.CodeRateLimited, Text: "Too many.", After: time.Second}
	case parts[0] == "agent":
		return slipway.Principal{Workspace: slipway.WorkspaceID(parts[1]), Deployment: slipway.DeploymentID(parts[2])}, nil
	case len(parts) == 1:
		return slipway.Principal{Workspace: slipway.WorkspaceID(parts[0]), Scopes: slipway.DefaultScopes()}, nil
	}
	return slipway.Principal{Workspace: slipway.WorkspaceID(parts[0]), Scopes: []slipway.Scope{slipway.Scope(parts[1])}}, nil
}

func (d *desk) sees(who slipway.Principal, p slipway.TracingProject) bool {
	return !p.Hidden && p.Workspace == who.Workspace && (who.Deployment == "" || string(who.Deployment) == p.Name)
}

func (d *desk) ListProjects(_ context.Context, who slipway.Principal, f slipway.ProjectFilter) (found []slipway.TracingProject, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range slices.Backward(d.projects) {
		if d.sees(who, p) && (f.Name == "" || f.Name == p.Name) && strings.Contains(p.Name, f.NameContains) && (f.IDs == nil || slices.Contains(f.IDs, p.ID)) {
			found = append(found, p)
		}
	}
	found = found[min(f.Offset, len(found)):]
	return found[:min(f.Limit, len(found))], nil
}

func (d *desk) GetProject(_ context.Context, who slipway.Principal, id slipway.ProjectID) (slipway.TracingProject, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.projects {
		if p.ID == id && d.sees(who, p) {
			return p, nil
		}
	}
	return slipway.TracingProject{}, slipway.Errorf(slipway.CodeNotFound, "Project ID %s not found.", id)
}

func (d *desk) ProjectNamed(ctx context.Context, who slipway.Principal, name string) (slipway.TracingProject, error) {
	if who.Deployment != "" && string(who.Deployment) != name {
		return slipway.TracingProject{}, slipway.Errorf(slipway.CodeForbidden, "This API key is good for the project %q only.", who.Deployment)
	}
	return d.CreateProject(ctx, who, slipway.NewProject{Name: name, Upsert: true})
}

func (d *desk) CreateProject(_ context.Context, who slipway.Principal, n slipway.NewProject) (slipway.TracingProject, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.projects {
		if p.Name == n.Name && p.Workspace == who.Workspace && !p.Hidden {
			if n.Upsert {
				return p, nil
			}
			return p, slipway.Errorf(slipway.CodeConflict, "There already exists a tracing project named: %s.", n.Name)
		}
	}
	d.made++
	p := slipway.TracingProject{ID: n.ID, Workspace: who.Workspace, Name: n.Name, Description: n.Description, Extra: n.Extra, CreatedAt: time.Date(2026, 3, 1, 0, 0, d.made, 0, time.UTC)}
	if p.ID == "" {
		p.ID = slipway.NewID[slipway.ProjectID](p.CreatedAt)
	}
	d.projects = append(d.projects, p)
	return p, nil
}

func (d *desk) UpdateProject(ctx context.Context, who slipway.Principal, id slipway.ProjectID, c slipway.ProjectPatch) (slipway.TracingProject, error) {
	return d.change(ctx, who, id, func(p *slipway.TracingProject) error { return p.Apply(c) })
}

func (d *desk) DeleteProject(ctx context.Context, who slipway.Principal, id slipway.ProjectID) error {
	_, err := d.change(ctx, who, id, func(p *slipway.TracingProject) error { p.Hidden = true; return nil })
	return err
}

func (d *desk) change(ctx context.Context, who slipway.Principal, id slipway.ProjectID, change func(*slipway.TracingProject) error) (slipway.TracingProject, error) {
	if _, err := d.GetProject(ctx, who, id); err != nil {
		return slipway.TracingProject{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := slices.IndexFunc(d.projects, func(p slipway.TracingProject) bool { return p.ID == id })
	err := change(&d.projects[at])
	return d.projects[at], err
}

func (d *desk) GetWorkspace(_ context.Context, _ slipway.Principal, id slipway.WorkspaceID) (slipway.Workspace, error) {
	return slipway.Workspace{ID: id, Name: "of " + string(id)}, nil
}

func (d *desk) Organisation(context.Context) (slipway.WorkspaceID, error) { return "o", nil }
