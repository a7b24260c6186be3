package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api"
)

const (
	someID   = "0190a0a0-0000-7000-8000-0000000abcde"
	otherID  = "0190a0a0-0000-7000-8000-0000000abcdf"
	tenantID = "0190a0a0-0000-7000-8000-000000000001"
)

// control answers every use case alike, and remembers what it was asked.
type control struct {
	err       error
	change    slipway.Change
	filter    slipway.DeploymentFilter
	revisions slipway.RevisionFilter
	query     slipway.LogQuery
	metrics   slipway.MetricsQuery
	slots     []slipway.Measurement // what Metrics returns
	body      string
	force     bool
	known     slipway.DeploymentID // what DeleteMany finds; "" for everything
	ctx       context.Context      // of the last change
	events    func(ctx context.Context, after int64) ([]slipway.StatusEvent, error)

	listeners asked
	access    accessAsked
	deletions deletionAsked
	view      *slipway.DeploymentView // what Get returns, unless nil
}

var (
	at   = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	view = slipway.DeploymentView{
		Deployment: slipway.Deployment{
			ID: someID, Workspace: tenantID, Name: "app", Slug: "app", Source: slipway.SourceInternalSource, Status: slipway.Ready,
			Latest: otherID, Active: otherID, Project: "p", CreatedAt: at, UpdatedAt: at, Health: slipway.Health{State: slipway.Healthy, Since: at},
			Config: slipway.SourceConfig{Resources: &slipway.Resources{Server: slipway.Share{CPU: new(2.0)}}},
		},
		URL: "http://slipway.test/d/app", Serving: 2, Variables: []string{"TOKEN"},
		Newest: &slipway.NewestRevision{ID: otherID, Status: slipway.BuildFailed, Message: "it broke"},
	}
	revision = slipway.RevisionView{
		Revision: slipway.Revision{
			ID: otherID, Status: slipway.BuildFailed, Message: "it broke", Source: slipway.SourceInternalSource, CreatedAt: at, UpdatedAt: at,
			Failure: &slipway.Failure{Phase: "build", Step: "install", Code: "install_failed", Message: "it broke", Exit: new(3)},
		},
		History: []slipway.StatusChange{{Status: slipway.Creating, At: at}, {Status: slipway.BuildFailed, At: at}},
	}
)

func (c *control) Create(context.Context, slipway.Principal, slipway.NewDeployment) (slipway.DeploymentView, error) {
	return view, c.err
}

func (c *control) Get(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error) {
	if c.view != nil {
		return *c.view, c.err
	}
	return view, c.err
}

func (c *control) List(_ context.Context, _ slipway.Principal, f slipway.DeploymentFilter) ([]slipway.DeploymentView, error) {
	c.filter = f
	return []slipway.DeploymentView{view}, c.err
}

func (c *control) Patch(ctx context.Context, _ slipway.Principal, _ slipway.DeploymentID, ch slipway.Change) (slipway.DeploymentView, error) {
	c.change, c.ctx = ch, ctx
	return view, c.err
}

func (c *control) Revise(_ context.Context, _ slipway.Principal, _ slipway.DeploymentID, ch slipway.Change) (slipway.RevisionView, error) {
	c.change = ch
	return revision, c.err
}

func (c *control) Delete(_ context.Context, _ slipway.Principal, _ slipway.DeploymentID, o slipway.DeleteOptions) error {
	c.deletions.options = o
	return c.err
}

func (c *control) CountFree(context.Context, slipway.Principal) (int, error) { return 3, c.err }

func (c *control) DeleteMany(_ context.Context, _ slipway.Principal, ids []slipway.DeploymentID) ([]error, error) {
	refusals := make([]error, len(ids))
	for i, id := range ids {
		if c.known != "" && id != c.known {
			refusals[i] = slipway.Errorf(slipway.CodeNotFound, "Deployment ID %s not found.", id)
		}
	}
	return refusals, c.err
}

func (c *control) ForceDelete(_ context.Context, _ slipway.Principal, _ slipway.DeploymentID, o slipway.DeleteOptions) error {
	c.force, c.deletions.options = true, o
	return c.err
}

func (c *control) Redeploy(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.DeploymentView, error) {
	return view, c.err
}

func (c *control) RotatePassword(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error) {
	return view, c.err
}

func (c *control) RestoreSnapshot(context.Context, slipway.Principal, slipway.DeploymentID, slipway.DeploymentID, bool) (slipway.DeploymentView, error) {
	return view, c.err
}

func (c *control) CancelSnapshotRestore(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.DeploymentView, error) {
	return view, c.err
}

func (c *control) Interrupt(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) error {
	return c.err
}

func (c *control) GetRevision(context.Context, slipway.Principal, slipway.DeploymentID, slipway.RevisionID) (slipway.RevisionView, error) {
	return revision, c.err
}

func (c *control) ListRevisions(_ context.Context, _ slipway.Principal, f slipway.RevisionFilter) ([]slipway.RevisionView, error) {
	c.revisions = f
	return []slipway.RevisionView{revision}, c.err
}

func (c *control) Logs(_ context.Context, _ slipway.Principal, q slipway.LogQuery) ([]slipway.StoredLine, int64, error) {
	c.query = q
	return []slipway.StoredLine{{LogLine: slipway.LogLine{Origin: "i", Offset: 7, At: at, Level: "INFO", Message: "hello"}, Position: 9}}, 9, c.err
}

// Events tells what the test has put there, and then waits.
func (c *control) Events(ctx context.Context, _ slipway.Principal, _ slipway.DeploymentID, after int64) ([]slipway.StatusEvent, error) {
	return c.events(ctx, after)
}

func (c *control) Metrics(_ context.Context, _ slipway.Principal, q slipway.MetricsQuery) (slipway.Metrics, error) {
	c.metrics = q
	q, _, err := q.Resolve(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return slipway.Metrics{Start: q.Start, End: q.End, Step: q.Step, Slots: c.slots}, errors.Join(err, c.err)
}

func (c *control) NewPushToken(_ context.Context, _ slipway.Principal, d slipway.DeploymentID) (slipway.PushToken, error) {
	return slipway.PushToken{Deployment: d, Token: "t", ExpiresAt: at}, c.err
}

func (c *control) NewUpload(context.Context, slipway.Principal, slipway.DeploymentID) (slipway.Upload, error) {
	return slipway.Upload{ID: otherID, Object: "uploads/x", ExpiresAt: time.Now().Add(time.Minute)}, c.err
}

func (c *control) ReceiveUpload(_ context.Context, _ slipway.UploadID, body io.Reader) error {
	raw, err := io.ReadAll(body)
	c.body = string(raw)
	return errors.Join(err, c.err)
}

// keys knows one token for each set of scopes.
type keys map[string][]slipway.Scope

func (k keys) Authenticate(_ context.Context, c slipway.Caller) (slipway.Principal, error) {
	scopes, ok := k[c.Token]
	if !ok {
		return slipway.Principal{}, slipway.Errorf(slipway.CodeUnauthenticated, "Invalid API key.")
	}
	w, err := slipway.Identity{Key: "k", Workspaces: []slipway.WorkspaceID{tenantID}}.Choose(c.Tenant)
	return slipway.Principal{Workspace: w, Scopes: scopes}, err
}

// signer signs with the message itself.
type signer struct{}

func (signer) Sign(message string) string              { return strings.ReplaceAll(message, "/", "-") }
func (s signer) Verify(message, signature string) bool { return s.Sign(message) == signature }

// gone tells of nothing but the end.
func gone(context.Context, int64) ([]slipway.StatusEvent, error) {
	return nil, slipway.Errorf(slipway.CodeNotFound, "Deployment not found.")
}

func serve(t *testing.T) (*control, *httptest.Server) {
	t.Helper()
	c := &control{events: gone}
	s := httptest.NewServer(newHandler(t, c))
	t.Cleanup(s.Close)
	return c, s
}

func newHandler(t testing.TB, c api.Control) *api.Handler {
	t.Helper()
	return newConfigured(t, api.Config{Control: c})
}

// newConfigured fills in what every test has alike.
func newConfigured(t testing.TB, config api.Config) *api.Handler {
	t.Helper()
	config.Signer, config.Logger, config.Ready = signer{}, slog.New(slog.DiscardHandler), func() bool { return true }
	if config.Keys == nil {
		config.Keys = someKeys()
	}
	handler, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func someKeys() keys {
	return keys{"all": slipway.DefaultScopes(), "reader": {slipway.ScopeRead}, "nobody": {}}
}

// ask sends a request and returns status, headers and body.
func ask(t *testing.T, s *httptest.Server, method, path, key, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(raw)
}

const createBody = `{"name":"app","source":"internal_source","source_config":{},"source_revision_config":{},"secrets":[]}`

type request struct {
	method, path, body string
	scope              slipway.Scope
	status             int
}

// operations are those of the document, with a request that each accepts.
var operations = []request{
	{"GET", "/v2/deployments", "", slipway.ScopeRead, 200},
	{"POST", "/v2/deployments", createBody, slipway.ScopeDeploy, 201},
	{"GET", "/v2/deployments/" + someID, "", slipway.ScopeRead, 200},
	{"PATCH", "/v2/deployments/" + someID, `{}`, slipway.ScopeDeploy, 200},
	{"DELETE", "/v2/deployments/" + someID, "", slipway.ScopeDelete, 204},
	{"POST", "/v2/deployments/" + someID + "/upload-url", "", slipway.ScopeDeploy, 200},
	{"GET", "/v2/deployments/" + someID + "/revisions", "", slipway.ScopeRead, 200},
	{"POST", "/v2/deployments/" + someID + "/revisions", `{"source_revision_config":{}}`, slipway.ScopeDeploy, 201},
	{"GET", "/v2/deployments/" + someID + "/revisions/" + otherID, "", slipway.ScopeRead, 200},
	{"POST", "/v2/deployments/" + someID + "/revisions/" + otherID + "/redeploy", "", slipway.ScopeDeploy, 200},
	{"POST", "/v2/deployments/" + someID + "/database-password", "", slipway.ScopeDeploy, 200},
	{"POST", "/v2/deployments/" + someID + "/snapshot-restore", `{"from":"` + otherID + `"}`, slipway.ScopeDeploy, 200},
	{"DELETE", "/v2/deployments/" + someID + "/snapshot-restore", "", slipway.ScopeDeploy, 200},
	{"POST", "/v2/deployments/" + someID + "/revisions/" + otherID + "/interruption", "", slipway.ScopeDeploy, 204},
	{"POST", "/v2/deployments/" + someID + "/revisions/" + otherID + "/interrupt", "", slipway.ScopeDeploy, 204},
	{"POST", "/v1/projects/" + someID + "/revisions/" + otherID + "/build_logs", `{}`, slipway.ScopeRead, 200},
	{"POST", "/v1/projects/" + someID + "/deploy_logs", `{}`, slipway.ScopeRead, 200},
	{"POST", "/v1/projects/" + someID + "/revisions/" + otherID + "/deploy_logs", `{}`, slipway.ScopeRead, 200},
	{"DELETE", "/v2/deployments?deployment_ids=" + someID, "", slipway.ScopeDelete, 200},
	{"GET", "/v2/deployments/free-count", "", slipway.ScopeRead, 200},
	{"POST", "/v2/deployments/" + someID + "/push-token", "", slipway.ScopeDeploy, 200},
	{"GET", "/v2/deployments/" + someID + "/revisions/" + otherID + "/logs?type=build", "", slipway.ScopeRead, 200},
	{"GET", "/v2/deployment-logs?deployment_id=" + someID, "", slipway.ScopeRead, 200},
	{"GET", "/v2/deployments/" + someID + "/events", "", slipway.ScopeRead, 200},
	{"GET", "/v2/deployments/" + someID + "/metrics", "", slipway.ScopeRead, 200},
	{"GET", "/v2/deployments/" + someID + "/deletion-plan", "", slipway.ScopeRead, 200},
	{"POST", "/v2/deployments/" + someID + "/restore", "", slipway.ScopeDeploy, 200},
	{"GET", "/v1/deleted-deployments", "", slipway.ScopeRead, 200},
	{"DELETE", "/v1/deleted-deployments/" + someID, "", slipway.ScopeDelete, 204},
	{"GET", "/v1/deletions/" + someID, "", slipway.ScopeRead, 200},
	{"GET", "/v1/deletions?name=app", "", slipway.ScopeRead, 200},
	{"GET", "/v1/leftovers", "", slipway.ScopeAdmin, 200},
	{"GET", "/v2/listeners", "", slipway.ScopeRead, 200},
	{"POST", "/v2/listeners", `{"compute_type":"k8s","compute_id":"c","compute_config":{}}`, slipway.ScopeAdmin, 201},
	{"GET", "/v2/listeners/" + someID, "", slipway.ScopeRead, 200},
	{"PATCH", "/v2/listeners/" + someID, `{}`, slipway.ScopeAdmin, 200},
	{"DELETE", "/v2/listeners/" + someID, "", slipway.ScopeAdmin, 204},
	{"GET", "/v1/workspaces", "", slipway.ScopeRead, 200},
	{"POST", "/v1/workspaces", `{"name":"w"}`, slipway.ScopeAdmin, 201},
	{"GET", "/v1/workspaces/" + someID, "", slipway.ScopeRead, 200},
	{"PATCH", "/v1/workspaces/" + someID, `{}`, slipway.ScopeAdmin, 200},
	{"DELETE", "/v1/workspaces/" + someID, "", slipway.ScopeAdmin, 204},
	{"GET", "/v1/api-keys", "", slipway.ScopeAdmin, 200},
	{"POST", "/v1/api-keys", `{"name":"k","scopes":["read"],"expires_at":"2030-01-01"}`, slipway.ScopeAdmin, 201},
	{"GET", "/v1/api-keys/" + someID, "", slipway.ScopeAdmin, 200},
	{"DELETE", "/v1/api-keys/" + someID, "", slipway.ScopeAdmin, 204},
}

// planned are the operations to come, with a request that would be refused if
// they were there.
func planned(t *testing.T) []request {
	t.Helper()
	var found []request
	for path, methods := range read(t, api.Document).Paths {
		for method, op := range methods {
			if op.Planned != "" {
				found = append(found, request{strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), "{", op.Scope, 501})
			}
		}
	}
	return found
}

func TestEveryOperationAsksForItsScope(t *testing.T) {
	_, s := serve(t)
	for _, prefix := range []string{"", "/api-host"} {
		for _, o := range slices.Concat(operations, planned(t)) {
			name := o.method + " " + prefix + o.path
			for key, want := range map[string]int{"all": o.status, "wrong": 401, "": 401, "nobody": 403, "reader": 403} {
				if key == "reader" && o.scope == slipway.ScopeRead {
					want = o.status
				}
				status, _, body := ask(t, s, o.method, prefix+o.path, key, o.body)
				if status != want {
					t.Errorf("%s with key %q: %d %s, want %d", name, key, status, body, want)
				}
				if want == 401 && body != `{"detail":"Invalid API key."}` {
					t.Errorf("%s with key %q: %s", name, key, body)
				}
				if want == 403 && !strings.Contains(body, string(o.scope)) {
					t.Errorf("%s with key %q does not name the scope: %s", name, key, body)
				}
			}
			if status, _, _ := ask(t, s, o.method, prefix+o.path, "", o.body, "Authorization", "Bearer all"); status != o.status {
				t.Errorf("%s with a bearer: %d", name, status)
			}
			if status, _, _ := ask(t, s, o.method, prefix+o.path, "all", o.body, "X-Tenant-ID", someID); status != 403 {
				t.Errorf("%s for another tenant: %d", name, status)
			}
		}
	}
	n := 0
	for _, methods := range read(t, api.Document).Paths {
		n += len(methods)
	}
	if all := len(operations) + len(planned(t)); n != all {
		t.Errorf("the document has %d operations, this test %d", n, all)
	}
}

func TestWhatIsToComeSaysSo(t *testing.T) {
	_, s := serve(t)
	for _, o := range planned(t) {
		_, _, body := ask(t, s, o.method, o.path, "all", o.body)
		if !strings.HasSuffix(body, ` is not available on this server yet."}`) || strings.Contains(body, "not enabled") {
			t.Errorf("%s %s: %s", o.method, o.path, body)
		}
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	c, s := serve(t)
	for code, want := range map[slipway.Code]int{
		slipway.CodeInvalid: 400, slipway.CodeForbidden: 403, slipway.CodeNotFound: 404, slipway.CodeConflict: 409, slipway.CodeStale: 412, slipway.CodeRateLimited: 429,
		slipway.CodeTooLarge: 413, slipway.CodeNotImplemented: 501, slipway.CodeUnavailable: 503,
	} {
		c.err = slipway.Errorf(code, "because")
		status, header, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", "")
		if status != want || body != `{"detail":"because"}` || (code == slipway.CodeConflict) != (header.Get("X-Should-Retry") == "false") {
			t.Errorf("%s: %d %v %s", code, status, header, body)
		}
	}
	c.err = errors.New("the disk is on fire")
	if status, _, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); status != 500 || body != `{"detail":"Internal Server Error"}` {
		t.Errorf("an error of ours: %d %s", status, body)
	}
}

func TestUnknownRoutes(t *testing.T) {
	_, s := serve(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v2/nothing", 404},
		{"GET", "//v2/deployments", 404},
		{"GET", "/v2//deployments", 404},
		{"GET", "/v2/deployments/", 404},
		{"PUT", "/v2/deployments", 405},
		{"POST", "/v2/deployments/" + someID, 405},
		{"GET", "/v2/deployments/a%2Fb", 422},
		{"GET", "/v2/deployments/%00", 422},
		{"GET", "/v2/deployments/not-a-uuid", 422},
	} {
		status, header, body := ask(t, s, c.method, c.path, "all", "")
		if status != c.status || header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body)) {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, body, c.status)
		}
		if c.status == 405 && header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

func TestWhatIsPresented(t *testing.T) {
	_, s := serve(t)
	_, _, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", "")
	for _, want := range []string{
		`"tenant_id":"` + tenantID + `"`, `"created_at":"2026-01-02T03:04:05.000006Z"`, `"custom_url":"http://slipway.test/d/app"`, `"url":"http://slipway.test/d/app"`,
		`{"name":"TOKEN","value":"********"}`, `"image_version":null`, `"latest_revision_status":"BUILD_FAILED"`, `"latest_revision_status_message":"it broke"`,
		`"cpu":2`, `"state":"healthy"`, `"scale":{"asleep":false,"max":10,"min":1,"reason":null,"replicas":2,"wanted":1,"woken":0}`, `"is_preview":false`, `"secret_references":null`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing from %s", want, body)
		}
	}
	_, _, body = ask(t, s, "GET", "/v2/deployments/"+someID+"/revisions/"+otherID, "all", "")
	for _, want := range []string{`"status_message":"it broke"`, `"exit":3`, `"code":"install_failed"`, `"status_history":[{"at":"2026-01-02T03:04:05.000006Z","status":"CREATING"}`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing from %s", want, body)
		}
	}
	_, _, body = ask(t, s, "POST", "/v1/projects/"+someID+"/deploy_logs", "all", `{}`)
	if body != `{"logs":[{"id":"i:7","level":"INFO","message":"hello","timestamp":"2026-01-02T03:04:05.000006Z"}],"next_offset":"9"}`+"\n" {
		t.Errorf("logs: %s", body)
	}
}

func TestWhatIsAsked(t *testing.T) {
	c, s := serve(t)
	ask(t, s, "GET", "/v2/deployments?limit=5&offset=10&name_contains=x&status=READY&deployment_ids="+strings.ToUpper(someID)+","+otherID, "all", "")
	if f := c.filter; f.Limit != 5 || f.Offset != 10 || f.NameContains != "x" || f.Status != "READY" || len(f.IDs) != 2 || f.IDs[0] != someID {
		t.Errorf("filter: %+v", f)
	}
	if _, _, body := ask(t, s, "GET", "/v2/deployments?offset=10", "all", ""); !strings.Contains(body, `"offset":11`) {
		t.Errorf("offset to send next: %s", body)
	}
	if status, _, body := ask(t, s, "GET", "/v2/deployments?agent_id=x", "all", ""); status != 400 || !strings.Contains(body, "Agent filters are not available for this tenant.") {
		t.Errorf("agent filter: %d %s", status, body)
	}
	ask(t, s, "PATCH", "/v2/deployments/"+someID, "all", `{"source_revision_config":{"source_tarball_path":"o","repo_ref":null},"secrets":[],"secret_references":[],"display_name":"A"}`)
	if ch := c.change; ch.TarballPath == nil || *ch.TarballPath != "o" || ch.RepoRef != nil || len(ch.Variables) != 0 || ch.Refs == nil || ch.DisplayName == nil || ch.AlwaysRevise {
		t.Errorf("change: %+v", ch)
	}
	ask(t, s, "POST", "/v1/projects/"+someID+"/deploy_logs", "all", `{"order":"desc","offset":"12","limit":3,"level":"ERROR","query":"q","start_time":"2026-01-02T03:04:05.000006Z"}`)
	if q := c.query; !q.Newest || q.After != 12 || q.Limit != 3 || q.Level != "ERROR" || q.Contains != "q" || !q.Since.Equal(at) || q.Kind != slipway.DeployLog {
		t.Errorf("log query: %+v", q)
	}
	for _, body := range []string{`{"offset":"x"}`, `{"start_time":"yesterday"}`} {
		if status, _, _ := ask(t, s, "POST", "/v1/projects/"+someID+"/deploy_logs", "all", body); status != 400 {
			t.Errorf("logs with %s: %d", body, status)
		}
	}
	ask(t, s, "DELETE", "/v2/deployments/"+someID+"?force=true&now=true&delete_tracing_project=true", "all", "")
	if o := c.deletions.options; !c.force || !o.Now || !o.TracingProject {
		t.Errorf("force was passed on: %t, with %+v", c.force, o)
	}
}

func TestFiltersOfLists(t *testing.T) {
	c, s := serve(t)
	ask(t, s, "GET", "/v2/deployments?remote_reconciled=no&deployment_type=serverless", "all", "")
	if f := c.filter; f.Reconciled == nil || *f.Reconciled || f.Type != "serverless" {
		t.Errorf("filter: %+v", f)
	}
	ask(t, s, "GET", "/v2/deployments?name_contains=&tag_value_ids=&image_version=&deployment_ids=", "all", "")
	if f := c.filter; !reflect.DeepEqual(f, slipway.DeploymentFilter{Limit: 20}) {
		t.Errorf("empty filters: %+v", f)
	}
	for _, query := range []string{"tag_value_ids=" + someID, "image_version=1.2.3"} {
		if status, _, body := ask(t, s, "GET", "/v2/deployments?offset=4&"+query, "all", ""); status != 200 || body != `{"offset":4,"resources":[]}`+"\n" {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	ask(t, s, "GET", "/v2/deployments/"+someID+"/revisions?remote_reconciled=1&status=DEPLOYED", "all", "")
	if f := c.revisions; f.Reconciled == nil || !*f.Reconciled || f.Status != slipway.Deployed {
		t.Errorf("filter of revisions: %+v", f)
	}
}

func TestDeleteSeveral(t *testing.T) {
	c, s := serve(t)
	both := "/v2/deployments?deployment_ids=" + otherID + "&deployment_ids=" + someID
	gone := func(id string) string { return `{"deployment_id":"` + id + `","detail":null,"status":204}` }
	missing := func(id string) string {
		return `{"deployment_id":"` + id + `","detail":"Deployment ID ` + id + ` not found.","status":404}`
	}
	for _, want := range []struct {
		known  slipway.DeploymentID
		status int
		body   string
	}{
		{"", 200, `{"results":[` + gone(otherID) + `,` + gone(someID) + `]}` + "\n"},
		{someID, 207, `{"results":[` + missing(otherID) + `,` + gone(someID) + `]}` + "\n"},
		{tenantID, 404, `{"detail":"Deployment ID ` + otherID + ` not found."}`},
	} {
		c.known = want.known
		if status, _, body := ask(t, s, "DELETE", both, "all", ""); status != want.status || body != want.body {
			t.Errorf("%d %s, want %d %s", status, body, want.status, want.body)
		}
	}
	for _, bad := range []string{"", "?deployment_ids=", "?deployment_ids=x", "?" + strings.Repeat("&deployment_ids="+someID, 101)} {
		if status, _, _ := ask(t, s, "DELETE", "/v2/deployments"+bad, "all", ""); status != 422 {
			t.Errorf("%q: %d", bad, status)
		}
	}
}

func TestLogsByGet(t *testing.T) {
	c, s := serve(t)
	const line = `{"id":"i:7","level":"INFO","message":"hello","timestamp":"2026-01-02T03:04:05.000006Z"}`
	revision := "/v2/deployments/" + someID + "/revisions/" + otherID + "/logs"
	_, _, body := ask(t, s, "GET", revision+"?type=build&order=desc&limit=5000&offset=12&level=ERROR&query=q&run_id=r&start_time=2026-01-02T03:04:05.000006Z&end_time=2026-01-03", "all", "")
	want := slipway.LogQuery{
		Deployment: someID, Revision: otherID, Kind: slipway.BuildLog, Level: "ERROR", Contains: "q", Run: "r",
		Since: at, Until: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), After: 12, Newest: true, Limit: 5000,
	}
	if body != `{"logs":[`+line+`],"next_offset":"9"}`+"\n" || c.query != want {
		t.Errorf("of a revision: %s, asked %+v", body, c.query)
	}
	_, _, body = ask(t, s, "GET", "/v2/deployment-logs?page_size=500&cursor=3&deployment_id="+someID+"&revision_id="+otherID, "all", "")
	want = slipway.LogQuery{Deployment: someID, Revision: otherID, Kind: slipway.DeployLog, After: 3, Limit: 100}
	if body != `{"items":[`+line+`],"next_cursor":"9"}`+"\n" || c.query != want {
		t.Errorf("of a deployment: %s, asked %+v", body, c.query)
	}
	ask(t, s, "GET", "/v2/deployment-logs?log_type=BUILD&sort_order=desc&deployment_id="+someID, "all", "")
	want = slipway.LogQuery{Deployment: someID, Kind: slipway.BuildLog, Newest: true, Limit: 20}
	if c.query != want {
		t.Errorf("asked %+v", c.query)
	}
	for query, want := range map[string]int{
		"?type=both": 422, "": 422, "?type=build&order=up": 422, "?type=build&level=info": 422, "?type=build&limit=x": 422,
		"?type=build&offset=x": 400, "?type=build&offset=-1": 400, "?type=build&start_time=soon": 400, "?type=deploy&limit=-3": 200,
	} {
		if status, _, body := ask(t, s, "GET", revision+query, "all", ""); status != want {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if status, _, _ := ask(t, s, "GET", "/v2/deployment-logs", "all", ""); status != 422 {
		t.Errorf("without a deployment: %d", status)
	}
}

func TestPushTokens(t *testing.T) {
	_, s := serve(t)
	status, _, body := ask(t, s, "POST", "/v2/deployments/"+someID+"/push-token", "all", "")
	host := strings.TrimPrefix(s.URL, "http://")
	want := `{"expires_at":"2026-01-02T03:04:05.000006Z","registry_url":"` + host + `/registry/` + someID + `","token":"t","username":"oauth2accesstoken"}`
	if status != 200 || strings.TrimSpace(body) != want {
		t.Errorf("%d %s, want %s", status, body, want)
	}
}

func TestRegistryHost(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1:8124":          "127.0.0.1:8124",
		"http://localhost:8124":          "localhost:8124",
		"http://localhost":               "localhost",
		"https://slipway.example.com":    "slipway.example.com",
		"https://slipway.example.com/x/": "slipway.example.com",
		"https://slipway":                "slipway:443",
		"http://slipway":                 "slipway:80",
		"http://[::1]:8124":              "[::1]:8124",
		"http://[::1]":                   "[::1]",
	} {
		if got := api.RegistryHost(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestUploadAddressAuthorisesItself(t *testing.T) {
	c, s := serve(t)
	_, _, body := ask(t, s, "POST", "/v2/deployments/"+someID+"/upload-url", "all", "")
	var given struct {
		UploadURL  string `json:"upload_url"`
		ObjectPath string `json:"object_path"`
	}
	if err := json.Unmarshal([]byte(body), &given); err != nil || given.ObjectPath != "uploads/x" || !strings.HasPrefix(given.UploadURL, s.URL) {
		t.Fatalf("given %s: %v", body, err)
	}
	path := strings.TrimPrefix(given.UploadURL, s.URL)
	if status, _, body := ask(t, s, "PUT", path, "", "tarball"); status != 200 || c.body != "tarball" {
		t.Errorf("PUT: %d %s, received %q", status, body, c.body)
	}
	for name, bad := range map[string]string{
		"another id":      strings.Replace(path, otherID, someID, 1),
		"another time":    strings.Replace(path, "expires=", "expires=9", 1),
		"no signature":    path[:strings.Index(path, "&signature")],
		"its time passed": "/uploads/" + otherID + "?expires=1&signature=" + signer{}.Sign("upload/"+otherID+"/1"),
	} {
		if status, _, _ := ask(t, s, "PUT", bad, "", "x"); status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// openRoutes ask for no key: they tell nothing about anyone, or their address
// authorises itself.
var openRoutes = []string{
	"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /api-host/openapi.json", "GET /docs", "GET /api-host/docs",
	"PUT /uploads/{upload_id}", "PUT /api-host/uploads/{upload_id}",
}

func TestEveryRouteHasAScopeOrIsKnownToBeOpen(t *testing.T) {
	handler := newHandler(t, &control{})
	var open []string
	for _, route := range handler.Routes() {
		if route.Scope == "" {
			open = append(open, route.Pattern)
			continue
		}
		method, path, _ := strings.Cut(route.Pattern, " ")
		w := call(handler, method, strings.NewReplacer("{", "", "}", "").Replace(path), "")
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d", route.Pattern, w.Code)
		}
	}
	slices.Sort(open)
	if want := slices.Sorted(slices.Values(openRoutes)); !slices.Equal(open, want) {
		t.Errorf("open to everyone: %v, want %v", open, want)
	}
	if n := len(handler.Routes()) - len(open); n != 2*(len(operations)+len(planned(t))) {
		t.Errorf("%d routes of operations", n)
	}
}

func TestAnOperationWithoutAKnownScopeIsNotServed(t *testing.T) {
	original := api.Document
	defer func() { api.Document = original }()
	for _, scope := range []string{``, `"x-slipway-scope": "",`, `"x-slipway-scope": "everything",`} {
		api.Document = bytes.Replace(original, []byte(`"x-slipway-scope": "read",`), []byte(scope), 1)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is served", scope)
				}
			}()
			newHandler(t, &control{})
		}()
	}
}

func TestReference(t *testing.T) {
	_, s := serve(t)
	for _, path := range []string{"/docs", "/api-host/docs"} {
		status, header, body := ask(t, s, "GET", path, "", "")
		if status != 200 || header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(body, "create_deployment_v2") ||
			!strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("GET %s: %d %v", path, status, header)
		}
	}
}

func TestMethodsThatAskAboutARoute(t *testing.T) {
	_, s := serve(t)
	if status, header, _ := ask(t, s, "OPTIONS", "/v2/deployments", "", ""); status != 204 || header.Get("Allow") != "GET, HEAD, POST, DELETE" {
		t.Errorf("OPTIONS: %d %v", status, header)
	}
	if status, header, body := ask(t, s, "HEAD", "/v2/deployments/"+someID, "all", ""); status != 200 || body != "" || header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %d %v %q", status, header, body)
	}
	if status, _, _ := ask(t, s, "HEAD", "/v2/deployments/"+someID, "", ""); status != 401 {
		t.Errorf("HEAD without a key: %d", status)
	}
	if status, _, _ := ask(t, s, "OPTIONS", "/v2/nothing", "", ""); status != 404 {
		t.Errorf("OPTIONS of nothing: %d", status)
	}
}

func TestHealth(t *testing.T) {
	_, s := serve(t)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/openapi.json": 200, "/api-host/openapi.json": 200} {
		if status, _, body := ask(t, s, "GET", path, "", ""); status != want || !json.Valid([]byte(body)) {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}
