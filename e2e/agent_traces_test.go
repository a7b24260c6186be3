package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
)

// traced counts the traces in a project, as whoever has the server's first key
// sees them; -1 if there is no such project.
func (s *server) traced(project string) int {
	s.t.Helper()
	if status, got := s.ask(http.MethodGet, "/api/v1/sessions/"+project, nil); status != http.StatusOK {
		s.t.Logf("project %s: %d %v", project, status, got)
		return -1
	}
	status, got := s.ask(http.MethodPost, "/api/v1/runs/query", map[string]any{"session": []string{project}, "is_root": true})
	if status != http.StatusOK {
		s.t.Fatalf("query runs: %d %v", status, got)
	}
	return len(got["runs"].([]any))
}

func (d *deployment) project() string {
	d.t.Helper()
	v, err := d.Deployment(d.t.Context(), d.id)
	must(d.t, err)
	return deref(v.TracerSessionID)
}

// tracedToTheEnd counts those that are whole.
func (s *server) tracedToTheEnd(project string) (n int) {
	s.t.Helper()
	_, got := s.ask(http.MethodPost, "/api/v1/runs/query", map[string]any{"session": []string{project}, "is_root": true})
	runs, _ := got["runs"].([]any)
	for _, run := range runs {
		if run.(map[string]any)["status"] == "success" {
			n++
		}
	}
	return n
}

// tracesToItsProject has an agent say something, and waits for the trace of that.
func (d *deployment) tracesToItsProject(after string) {
	d.t.Helper()
	before := d.traced(d.project())
	d.talk()
	eventually(d.t, "a trace arrives after "+after, func() bool { return d.traced(d.project()) > before })
}

// What an agent does is in the project of its deployment, with no setting of its
// user's, whatever becomes of the server; and goes when that is asked for.
func TestAnAgentsTraces(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	d.tracesToItsProject("the deployment")
	s.kill()
	s.start()
	d.Client, d.key = s.Client, s.key
	d.tracesToItsProject("the end of the server")
	d.tracesAreRemoved()
}

// tracesAreRemoved deletes the deployment, first without its project and then,
// once a new one of its name has that, with it.
func (d *deployment) tracesAreRemoved() {
	d.t.Helper()
	project := d.project()
	d.purge()
	if n := d.traced(project); n < 1 {
		d.t.Errorf("%d traces are left of a deployment that was to leave them", n)
	}
	again := d.create("echo")
	if again.project() != project {
		d.t.Errorf("a new deployment got project %s, want %s", again.project(), project)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	must(d.t, d.DeleteDeployment(ctx, again.id, client.DeleteOptions{Now: true, TracingProject: true}))
	if n := d.traced(project); n != -1 {
		d.t.Errorf("the project is seen still, with %d traces", n)
	}
	end, err := d.WatchDeletion(ctx, again.id, func(wire.Deletion) {})
	must(d.t, err)
	if !slices.ContainsFunc(end.Items, func(i wire.DeletionItem) bool {
		return i.Kind == "tracing_project" && i.Ref == project && i.RemovedAt != nil && i.VerifiedAt != nil
	}) {
		d.t.Errorf("the receipt: %+v", end.Items)
	}
	d.noTracesLie()
}

// noTracesLie looks into the store of a server whose projects are all removed.
func (d *deployment) noTracesLie() {
	d.t.Helper()
	days, err := filepath.Glob(filepath.Join(d.data, "traces", "*.db"))
	if err != nil || len(days) == 0 {
		d.t.Fatalf("the days are %v, %v", days, err)
	}
	for _, day := range days {
		db, err := sql.Open("sqlite", "file:"+day+"?mode=ro&_pragma=busy_timeout(5000)")
		must(d.t, err)
		for _, table := range []string{"runs", "attachments", "blobs", "totals", "latencies", "tokens"} {
			var n int
			must(d.t, db.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
			if n > 0 {
				d.t.Errorf("%d rows are left in %s of %s", n, table, filepath.Base(day))
			}
		}
		must(d.t, db.Close())
	}
	must(d.t, filepath.WalkDir(filepath.Join(d.data, "blobs", "traces"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			d.t.Errorf("a value is left: %s", path)
		}
		return nil // there may be no folder
	}))
}

// The trace of a run that an agent ends for another to take over its state is
// there: it is sent when that has been handed over.
func TestAnAgentsLastTraces(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	project := d.project()
	d.beginsRun(20_000)
	eventually(t, "a run goes on", func() bool { return s.traced(project) == 1 })
	d.deploy(pack(t, echo, map[string]string{"README.md": "another revision"}))
	eventually(t, "its trace is whole", func() bool { return s.tracedToTheEnd(project) == 1 })
}

// beginsRun starts a run that takes so many ms, and returns its thread and where it
// is itself.
func (d *deployment) beginsRun(ms int) (thread, path string) {
	d.t.Helper()
	thread, err := client.NewAgent(d.url, d.key).CreateThread(d.t.Context())
	must(d.t, err)
	status, body, err := d.post(d.t.Context(), "/threads/"+thread+"/runs", map[string]any{
		"assistant_id": "slow", "input": map[string]any{"delay_ms": ms, "messages": []map[string]string{{"role": "user", "content": "work"}}},
	})
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("begin a run: %d %s, %v", status, body, err)
	}
	var run struct {
		ID string `json:"run_id"`
	}
	must(d.t, json.Unmarshal([]byte(body), &run))
	return thread, "/threads/" + thread + "/runs/" + run.ID
}

// Agents can trace to another installation, here a second server: their projects
// are made there, and removed.
func TestAnAgentTracesElsewhere(t *testing.T) {
	t.Parallel()
	there := serverOn(t, filepath.Join(t.TempDir(), "data"))
	s := newServer(t)
	s.stop()
	s.args, s.env = append(s.args, "--traces-endpoint", there.url+"/api/v1"), []string{"SLIPWAY_TRACES_API_KEY=" + there.key}
	s.start()
	d := s.create("echo")
	project := d.project()
	eventually(t, "the project is there", func() bool { return there.traced(project) == 0 })
	d.deploy(pack(t, echo, nil))
	d.talk()
	eventually(t, "a trace arrives there", func() bool { return there.traced(project) > 0 })
	if n := s.traced(project); n != 0 {
		t.Errorf("%d traces are here", n)
	}
	must(t, s.DeleteDeployment(t.Context(), d.id, client.DeleteOptions{Now: true, TracingProject: true}))
	eventually(t, "the project is gone there", func() bool { return there.traced(project) == -1 })
}

// A container traces too, also one that runs while the server starts again. It
// reaches the server for that, and for nothing else.
func TestAContainersTraces(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	basetest.Node(t, e.Client(t), "node-of-traces:20")
	s := newServer(t, "--docker-host", e.Host(), "--source-builds", "image", "--base-image-node", "node-of-traces:20")
	t.Cleanup(func() { s.removeContainers(e) })
	d := s.create("echo")
	d.deploy(pack(t, echo, map[string]string{"langgraph.json": withApp(t), "src/http.ts": reachesOut}))
	d.tracesToItsProject("the deployment")
	for path, want := range map[string]int{
		"/api/v1/info": 200, "/api/v1/auth/public": 403, "/api/v1/sessions": 200,
		"/v2/deployments": 404, "/v1/api-keys": 404, "/d/echo/ok": 404, "/healthz": 404, "/v2/": 404, "/metrics": 404,
	} {
		if got := d.asked("/reach" + path); got != fmt.Sprint(want) {
			t.Errorf("the container gets %s for %s, want %d", got, path, want)
		}
	}
	s.kill()
	s.start()
	d.Client, d.key = s.Client, s.key
	d.tracesToItsProject("the end of the server")
}

// reachesOut is a route that asks the server, as the agent's own client would,
// and tells what status it gets.
const reachesOut = `const reach = async (c: any) => {
  const path = new URL(c.req.url).pathname.split("/reach")[1];
  const answer = await fetch(new URL(process.env.LANGSMITH_ENDPOINT!).origin + path, { headers: { "X-Api-Key": process.env.LANGSMITH_API_KEY! } });
  return c.text(String(answer.status));
};
export const app = { routes: [{ method: "GET", path: "/reach/*", handler: reach }] };
`

// An Agent Server that looks at its clients' keys takes those that are good for
// its workspace.
func TestAnAgentThatTakesKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, "../examples/echo-py", map[string]string{
		"langgraph.json": `{"dependencies": ["."], "graphs": {"echo": "./graph.py:echo"}, "env": {"LANGGRAPH_AUTH_TYPE": "langsmith"}}`,
	}))
	_, err := d.PatchDeployment(t.Context(), d.id, wire.DeploymentPatchRequest{SourceConfig: &wire.SourceConfigRequest{Access: new("public")}})
	must(t, err)
	eventually(t, "it is there for everybody", func() bool { return d.searches() == http.StatusForbidden })
	other := s.otherWorkspace()
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"the workspace's":               {[]string{"X-Api-Key", s.key}, 200},
		"the workspace's, for reading":  {[]string{"X-Api-Key", s.newKey(map[string]any{"scopes": []string{"read"}})}, 200},
		"the organisation's":            {[]string{"X-Api-Key", s.rootKey()}, 200},
		"another workspace's":           {[]string{"X-Api-Key", other}, 403},
		"another workspace's as bearer": {[]string{"Authorization", "Bearer " + other}, 403},
		"without the right":             {[]string{"X-Api-Key", s.newKey(map[string]any{"scopes": []string{"delete"}})}, 403},
		"nobody's":                      {[]string{"X-Api-Key", "slipway_nobody"}, 403},
		"nobody's, as a bearer":         {[]string{"Authorization", "Bearer nobody"}, 403},
		"none":                          {nil, 403},
	} {
		if got := d.searches(c.headers...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// searches asks for the assistants of an agent.
func (d *deployment) searches(headers ...string) int {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+"/threads/00000000-0000-0000-0000-000000000000", nil)
	must(d.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	must(d.t, err)
	answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return http.StatusOK // it was asked
	}
	return answer.StatusCode
}
