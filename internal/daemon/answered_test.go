package daemon_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// ways are those by which a deployment is reached, with all that was given out for
// it before.
type ways struct {
	*world
	id, name, agentKey string
	uploads            []string
}

func (w *world) ways(name string) *ways {
	w.t.Helper()
	id := string(w.serving(name))
	v := &ways{world: w, id: id, name: name}
	for range 2 {
		u, err := w.client.UploadURL(w.t.Context(), id)
		must(w.t, err)
		v.uploads = append(v.uploads, u.UploadURL)
	}
	env := w.began.Load().Env
	i := slices.IndexFunc(env, func(e slipway.EnvVar) bool { return e.Name == "LANGSMITH_API_KEY" })
	if i < 0 {
		w.t.Fatalf("the agent has no key: %v", env)
	}
	v.agentKey = env[i].Value
	return v
}

// open asks each way once, and returns what is answered.
func (v *ways) open() map[string]int {
	v.t.Helper()
	base := "http://" + v.config.Listen
	status := func(key, method, path, body string) int {
		status, _ := v.askAt(base, key, method, path, body)
		return status
	}
	upload := v.uploads[0]
	v.uploads = v.uploads[1:]
	run := fmt.Sprintf(`{"id": %q, "name": "talk", "run_type": "chain", "start_time": "2026-03-01T12:00:00", "session_name": %q}`, slipway.NewID[string](time.Now()), v.name)
	return map[string]int{
		"address":    status(v.key, http.MethodGet, "/d/"+v.id+"/ok", ""),
		"agent key":  status(v.agentKey, http.MethodPost, "/api/v1/runs", run),
		"upload":     status("", http.MethodPut, strings.TrimPrefix(upload, base), "late"),
		"revision":   status(v.key, http.MethodPost, "/v2/deployments/"+v.id+"/revisions", `{"source_revision_config":{}}`),
		"new upload": status(v.key, http.MethodPost, "/v2/deployments/"+v.id+"/upload-url", ""),
	}
}

// push begins to push with a token.
func (w *world) push(token wire.PushToken) int {
	w.t.Helper()
	_, repository, _ := strings.Cut(token.RegistryURL, "/")
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.config.Listen+"/v2/"+repository+"/app/blobs/uploads/", nil)
	must(w.t, err)
	r.SetBasicAuth(token.Username, token.Token)
	answer, err := http.DefaultClient.Do(r)
	must(w.t, err)
	must(w.t, answer.Body.Close())
	return answer.StatusCode
}

// pushed is a deployment that images are pushed for, and a token to do so.
func (w *world) pushed(name string) (id string, token wire.PushToken) {
	w.t.Helper()
	d, err := w.client.CreateDeployment(w.t.Context(), wire.DeploymentCreateRequest{Name: name, Source: "internal_docker"})
	must(w.t, err)
	token, err = w.client.PushToken(w.t.Context(), d.ID)
	must(w.t, err)
	return d.ID, token
}

// The same holds of a token to push images.
func TestPushTokensEndWhenDeleteAnswers(t *testing.T) {
	w := newWorldWith(t, func(c *daemon.Config) { c.Service.Undo = time.Hour })
	_, neighbour := w.pushed("images-2")
	for name, o := range map[string]client.DeleteOptions{"aside": {}, "now": {Now: true}} {
		id, token := w.pushed(name)
		if status := w.push(token); status != http.StatusAccepted {
			t.Fatalf("before: %d", status)
		}
		must(t, w.client.DeleteDeployment(t.Context(), id, o))
		if status := w.push(token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
		if _, err := w.client.PushToken(t.Context(), id); err == nil {
			t.Errorf("%s: there is a new one", name)
		}
	}
	if status := w.push(neighbour); status != http.StatusAccepted {
		t.Errorf("the neighbour's: %d", status)
	}
}

// When DELETE answers, nothing that was given out before is of use any more, the
// name is free, and neither the neighbour nor who takes the name notices.
func TestNothingIsOfUseWhenDeleteAnswers(t *testing.T) {
	for name, o := range map[string]client.DeleteOptions{"kept aside": {}, "for good": {Now: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, func(c *daemon.Config) { c.Service.Undo = time.Hour })
			neighbour := w.ways("app-2")
			v := w.ways("app")
			for way, status := range v.open() {
				if status >= 300 {
					t.Fatalf("before, its %s: %d", way, status)
				}
			}
			testsignal.Until(t, "its second revision to come to its end", func() bool {
				d, err := w.client.Deployment(t.Context(), v.id)
				must(t, err)
				return *d.LatestRevisionID == deref(d.ActiveRevisionID)
			})
			must(t, w.client.DeleteDeployment(t.Context(), v.id, o))
			for way, status := range v.open() {
				if want := map[string]int{"address": 404, "agent key": 401}[way]; status < 400 || want != 0 && status != want {
					t.Errorf("its %s: %d", way, status)
				}
			}
			if status, _ := w.at(http.MethodGet, "http://"+w.config.Listen+"/d/app/ok"); status != http.StatusNotFound {
				t.Errorf("its name: %d", status)
			}
			again, object := w.create("app")
			w.deploy(again, object)
			testsignal.Until(t, "the new one of the name to serve", func() bool {
				status, _ := w.at(http.MethodGet, "http://"+w.config.Listen+"/d/app/ok")
				return status == http.StatusOK
			})
			if again == v.id {
				t.Error("the id came back")
			}
			for way, status := range neighbour.open() {
				if status >= 300 {
					t.Errorf("the neighbour's %s: %d", way, status)
				}
			}
		})
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
