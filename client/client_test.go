package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// Each method asks what the contract says.
func TestRequests(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name, answer, want string
		ask                func(*client.Client) error
	}{
		{"create", `{"id":"d"}`, `POST /v2/deployments {"name":"a","secrets":[],"source":"internal_source","source_config":{},"source_revision_config":{}}`, func(c *client.Client) error {
			_, err := c.CreateDeployment(ctx, wire.DeploymentCreateRequest{Name: "a", Source: "internal_source"})
			return err
		}},
		{"get", `{"id":"d"}`, `GET /v2/deployments/d `, func(c *client.Client) error {
			_, err := c.Deployment(ctx, "d")
			return err
		}},
		{"find", `{"resources":[{"name":"ab"},{"name":"a"}],"offset":2}`, `GET /v2/deployments?limit=100&name=a&name_contains=a&offset=0 `, func(c *client.Client) error {
			_, err := c.FindDeployment(ctx, "a")
			return err
		}},
		{"patch", `{"id":"d"}`, `PATCH /v2/deployments/d {"revision_source":"internal_source"}`, func(c *client.Client) error {
			_, err := c.PatchDeployment(ctx, "d", wire.DeploymentPatchRequest{RevisionSource: new("internal_source")})
			return err
		}},
		{"delete", ``, `DELETE /v2/deployments/d `, func(c *client.Client) error { return c.DeleteDeployment(ctx, "d", client.DeleteOptions{}) }},
		{"delete all", ``, `DELETE /v2/deployments/d?delete_tracing_project=true&now=true `, func(c *client.Client) error {
			return c.DeleteDeployment(ctx, "d", client.DeleteOptions{TracingProject: true, Now: true})
		}},
		{"plan", `{}`, `GET /v2/deployments/d/deletion-plan?now=true `, func(c *client.Client) error {
			_, err := c.DeletionPlan(ctx, "d", client.DeleteOptions{Now: true})
			return err
		}},
		{"deletion", `{}`, `GET /v1/deletions/d `, func(c *client.Client) error {
			_, err := c.Deletion(ctx, "d")
			return err
		}},
		{"deleted", `{"resources":[],"offset":0}`, `GET /v1/deleted-deployments?limit=100&offset=0 `, func(c *client.Client) error {
			_, err := c.DeletedDeployments(ctx)
			return err
		}},
		{"restore", `{}`, `POST /v2/deployments/d/restore {}`, func(c *client.Client) error {
			_, err := c.RestoreDeployment(ctx, "d", "")
			return err
		}},
		{"restore under another name", `{}`, `POST /v2/deployments/d/restore {"name":"b"}`, func(c *client.Client) error {
			_, err := c.RestoreDeployment(ctx, "d", "b")
			return err
		}},
		{"purge", ``, `DELETE /v1/deleted-deployments/d `, func(c *client.Client) error { return c.PurgeDeployment(ctx, "d") }},
		{"revisions", `{"resources":[],"offset":0}`, `GET /v2/deployments/d/revisions?limit=100&offset=0 `, func(c *client.Client) error {
			_, err := c.Revisions(ctx, "d")
			return err
		}},
		{"revision", `{}`, `GET /v2/deployments/d/revisions/r `, func(c *client.Client) error {
			_, err := c.Revision(ctx, "d", "r")
			return err
		}},
		{"redeploy", `{}`, `POST /v2/deployments/d/revisions/r/redeploy `, func(c *client.Client) error {
			_, err := c.Redeploy(ctx, "d", "r")
			return err
		}},
		{"rotate password", `{}`, `POST /v2/deployments/d/database-password `, func(c *client.Client) error {
			_, err := c.RotateDatabasePassword(ctx, "d")
			return err
		}},
		{"restore a snapshot", `{}`, `POST /v2/deployments/d/snapshot-restore {"from":"e","replace":true}`, func(c *client.Client) error {
			_, err := c.RestoreSnapshot(ctx, "d", "e", true)
			return err
		}},
		{"cancel that", `{}`, `DELETE /v2/deployments/d/snapshot-restore `, func(c *client.Client) error {
			_, err := c.CancelSnapshotRestore(ctx, "d")
			return err
		}},
		{"interrupt", ``, `POST /v2/deployments/d/revisions/r/interruption `, func(c *client.Client) error { return c.Interrupt(ctx, "d", "r") }},
		{"upload url", `{}`, `POST /v2/deployments/d/upload-url `, func(c *client.Client) error {
			_, err := c.UploadURL(ctx, "d")
			return err
		}},
		{"push token", `{}`, `POST /v2/deployments/d/push-token `, func(c *client.Client) error {
			_, err := c.PushToken(ctx, "d")
			return err
		}},
		{"create listener", `{}`, `POST /v2/listeners {"compute_config":{"k8s_namespaces":["a"]},"compute_id":"c","compute_type":"k8s"}`, func(c *client.Client) error {
			_, err := c.CreateListener(ctx, wire.ListenerCreateRequest{ComputeType: "k8s", ComputeID: "c", ComputeConfig: wire.ListenerComputeConfig{K8SNamespaces: &[]string{"a"}}})
			return err
		}},
		{"listener", `{}`, `GET /v2/listeners/l `, func(c *client.Client) error {
			_, err := c.Listener(ctx, "l")
			return err
		}},
		{"listeners", `{"resources":[],"offset":0}`, `GET /v2/listeners?limit=100&offset=0 `, func(c *client.Client) error {
			_, err := c.Listeners(ctx)
			return err
		}},
		{"patch listener", `{}`, `PATCH /v2/listeners/l {"version":"2"}`, func(c *client.Client) error {
			_, err := c.PatchListener(ctx, "l", wire.ListenerPatchRequest{Version: new("2")})
			return err
		}},
		{"delete listener", ``, `DELETE /v2/listeners/l `, func(c *client.Client) error { return c.DeleteListener(ctx, "l") }},
		{"ready", `{"status":"ready"}`, `GET /readyz `, func(c *client.Client) error { return c.Ready(ctx) }},
		{"no way out of the path", `{}`, `GET /v2/deployments/..%2Fx%3F `, func(c *client.Client) error {
			_, err := c.Deployment(ctx, "../x?")
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got, key string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got, key = r.Method+" "+r.RequestURI+" "+string(body), r.Header.Get("X-Api-Key")
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			if err := tt.ask(client.New(server.URL, "secret")); err != nil {
				t.Fatal(err)
			}
			if got != tt.want || key != "secret" {
				t.Errorf("asked %s with key %q\n want %s", got, key, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"words", 404, `{"detail":"Deployment ID x not found."}`, "Deployment ID x not found."},
		{"one fault", 422, `{"detail":[{"type":"missing","loc":["body","name"],"msg":"Field required","input":{}}]}`, "body.name: Field required"},
		{"faults within a list", 422, `{"detail":[{"loc":["body","secrets",0,"value"],"msg":"A"},{"loc":["query","limit"],"msg":"B"}]}`, "body.secrets.0.value: A\nquery.limit: B"},
		{"a proxy's page", 400, "<html><body>Bad</body></html>", "http://slipway.test/v2/deployments answered 400 Bad Request"},
		{"a proxy's words", 403, "blocked\nby policy", "http://slipway.test/v2/deployments answered 403 Forbidden: blocked"},
		{"nothing", 401, "", "http://slipway.test/v2/deployments answered 401 Unauthorized"},
		{"other JSON", 400, `{"error":"x"}`, `http://slipway.test/v2/deployments answered 400 Bad Request: {"error":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := newScript(t, map[string][]answer{"POST /v2/deployments": {{status: tt.status, body: tt.body}}})
			_, err := c.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{})
			refused, ok := errors.AsType[*client.Error](err)
			if !ok || refused.Status != tt.status || err.Error() != tt.want {
				t.Errorf("got %#v: %v\nwant %d: %s", err, err, tt.status, tt.want)
			}
		})
	}
}

func TestFindDeploymentAbsent(t *testing.T) {
	_, c := newScript(t, map[string][]answer{"GET /v2/deployments": {ok(`{"resources":[{"name":"echo-2"}],"offset":1}`)}})
	_, err := c.FindDeployment(t.Context(), "echo")
	if !client.IsNotFound(err) || err.Error() != `There is no deployment named "echo".` {
		t.Errorf("got %v", err)
	}
}

// A list is read until a page is not full.
func TestPages(t *testing.T) {
	full := jsonText(t, wire.DeploymentsList{Resources: make([]wire.Deployment, 100), Offset: 100})
	s, c := newScript(t, map[string][]answer{"GET /v2/deployments": {ok("%s", full), ok(`{"resources":[{"name":"last"}],"offset":101}`)}})
	all, err := c.Deployments(t.Context(), client.Filter{Status: "READY"})
	if err != nil || len(all) != 101 || all[100].Name != "last" {
		t.Fatalf("got %d, %v", len(all), err)
	}
	if !strings.Contains(s.asked[1], "offset=100") || !strings.Contains(s.asked[1], "status=READY") {
		t.Errorf("asked %s", s.asked[1])
	}
}

func TestRetries(t *testing.T) {
	down := answer{err: syscall.ECONNREFUSED}
	failing := answer{status: 503, body: `{"detail":"starting"}`}
	get := func(ctx context.Context, c *client.Client) error {
		_, err := c.Deployment(ctx, "d")
		return err
	}
	post := func(ctx context.Context, c *client.Client) error {
		_, err := c.UploadURL(ctx, "d")
		return err
	}
	tests := []struct {
		name    string
		answers []answer
		ask     func(context.Context, *client.Client) error
		asked   int
		fails   bool
	}{
		{"comes back", []answer{down, failing, ok(`{}`)}, get, 3, false},
		{"stays away", []answer{failing}, get, 4, true},
		{"refuses", []answer{{status: 404}}, get, 1, true},
		{"not implemented", []answer{{status: 501}}, get, 1, true},
		{"another error", []answer{{err: errors.New("no such host")}}, get, 1, true},
		{"changes something", []answer{failing}, post, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := newScript(t, map[string][]answer{"GET /v2/deployments/d": tt.answers, "POST /v2/deployments/d/upload-url": tt.answers})
				err := tt.ask(t.Context(), c)
				if (err != nil) != tt.fails || len(s.asked) != tt.asked {
					t.Errorf("asked %d times, %v; want %d", len(s.asked), err, tt.asked)
				}
			})
		})
	}
}

// A redirect would carry the key elsewhere.
func TestRedirectIsAnError(t *testing.T) {
	var reached bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer server.Close()
	_, err := client.New(server.URL, "secret").Deployment(t.Context(), "d")
	if err == nil || reached || !strings.Contains(err.Error(), "points to "+elsewhere.URL) {
		t.Errorf("got %v, reached %v", err, reached)
	}
}

func TestUpload(t *testing.T) {
	var got http.Header
	var length int64
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, length = r.Header, r.ContentLength
		body, _ = io.ReadAll(r.Body)
		if r.URL.Query().Get("signature") != "s" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"detail":"The signature is not valid."}`)
		}
	}))
	defer server.Close()
	c := client.New("http://elsewhere.test", "secret")
	if err := c.Upload(t.Context(), server.URL+"/up?signature=s", strings.NewReader("tarball"), 7); err != nil {
		t.Fatal(err)
	}
	if string(body) != "tarball" || length != 7 || got.Get("Content-Type") != "application/gzip" || got.Get("X-Goog-Content-Length-Range") != "0,209715200" {
		t.Errorf("got %q, %d bytes, %v", body, length, got)
	}
	if got.Get("X-Api-Key") != "" {
		t.Error("the key was sent to the upload address")
	}
	err := c.Upload(t.Context(), server.URL+"/up", strings.NewReader("tarball"), 7)
	if err == nil || err.Error() != "The signature is not valid." {
		t.Errorf("got %v", err)
	}
}
