package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/internal/redistest"
)

// source lays an example out as its user has it, changed by edits: path to
// content, where "" removes.
func source(t *testing.T, dir string, edits map[string]string) string {
	t.Helper()
	app := filepath.Join(t.TempDir(), filepath.Base(dir))
	must(t, os.CopyFS(app, os.DirFS(dir)))
	for path, content := range edits {
		path = filepath.Join(app, path)
		if content == "" {
			must(t, os.Remove(path))
			continue
		}
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return app
}

// deployFrom runs langgraph deploy in the folder of an app and returns what it
// prints and its exit code.
func (l *langgraph) deployFrom(dir, name string, args ...string) (string, int) {
	l.t.Helper()
	cmd := l.command(l.t.Context(), append([]string{"--name", name, "--no-input"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		l.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// deploys runs langgraph deploy, expects it to succeed and to print the address
// of the agent, and returns the deployment and what was printed.
func (l *langgraph) deploys(s *server, dir, name string, args ...string) (*deployment, string) {
	l.t.Helper()
	out, code := l.deployFrom(dir, name, args...)
	s.deployed = true
	d := &deployment{server: s, url: s.url + "/d/" + name, id: s.named(name)}
	if code != 0 || !strings.Contains(out, "Deployment successful!") || !strings.Contains(out, "URL: "+d.url+"\n") {
		s.printLog(l.t, d.id)
		l.t.Fatalf("langgraph deploy of %s ends with %d:\n%s", dir, code, out)
	}
	return d, out
}

// named is the id of a deployment, "" if there is none of that name.
func (s *server) named(name string) string {
	d, _ := s.FindDeployment(s.t.Context(), name)
	return d.ID
}

// newest is the newest revision of a deployment.
func (s *server) newest(id string) wire.Revision {
	s.t.Helper()
	all, err := s.Revisions(s.t.Context(), id)
	must(s.t, err)
	return all[0]
}

// conversation is what call.py prints.
type conversation struct {
	Thread  string
	Answers []string
}

// converse talks to an agent by the vendor's Python SDK.
func (l *langgraph) converse(d *deployment, assistant, text string, thread ...string) conversation {
	l.t.Helper()
	python := filepath.Join(filepath.Dir(l.path), "python")
	cmd := exec.CommandContext(l.t.Context(), python, append([]string{"langgraph-cli/call.py", d.url, d.key, assistant, text}, thread...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NO_PROXY=127.0.0.1"}
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatal(&commandError{"call.py", err, slices.Concat(out, stderr(err))})
	}
	var c conversation
	must(l.t, json.Unmarshal(out, &c))
	return c
}

// remote is an example that the vendor's command line deploys by a remote build
// and its Python SDK talks to.
type remote struct {
	name        string
	dir, config string // the folder that is uploaded; langgraph.json in it
	assistant   string
	edit        string // a file that is changed
}

// deployRemotely deploys an example, and again after a change of one line, and
// again as it is; it talks to the agent, which remembers what was said before.
func deployRemotely(t *testing.T, s *server, app remote) {
	l, name, dir := s.langgraph(t), app.name, source(t, app.dir, nil)
	from := filepath.Join(dir, filepath.Dir(app.config))
	d, _ := l.deploys(s, from, name, "--remote")
	first := l.converse(d, app.assistant, "hello")
	if len(first.Answers) != 2 || !strings.Contains(first.Answers[1], "hello") {
		t.Errorf("the agent answers %q", first.Answers)
	}
	d.expectBuilt("Read " + app.config)

	appendTo(t, filepath.Join(dir, app.edit))
	l.deploys(s, from, name, "--remote")
	d.expectBuilt("dependencies are unchanged")
	again := l.converse(d, app.assistant, "again", first.Thread)
	if again.Thread != first.Thread || len(again.Answers) != 4 {
		t.Errorf("after a second revision the thread holds %q", again.Answers)
	}
	l.deploys(s, from, name, "--remote")
	d.expectBuilt("Nothing has changed")
	l.host.taken()
	eventually(t, "the traces of both are in its project", func() bool { return s.tracedToTheEnd(d.project()) >= 2 })
}

// appendTo adds a line to a program that changes nothing but its digest.
func appendTo(t *testing.T, path string) {
	t.Helper()
	code, err := os.ReadFile(path)
	must(t, err)
	comment := map[string]string{".py": "\n# another line\n", ".ts": "\n// another line\n"}[filepath.Ext(path)]
	must(t, os.WriteFile(path, append(code, comment...), 0o644))
}

// expectBuilt looks for a text in the log of the newest revision's build.
func (d *deployment) expectBuilt(text string) {
	d.t.Helper()
	if log := d.buildLog(d.newest(d.id)); !strings.Contains(log, text) {
		d.t.Errorf("the build log lacks %q:\n%s", text, log)
	}
}

func TestRemoteBuildOfJavaScript(t *testing.T) {
	t.Parallel()
	deployRemotely(t, newServer(t), remote{"echo-js", echo, "langgraph.json", "echo", "src/graph.ts"})
}

var echoPy = remote{"echo-py", "../examples/echo-py", "langgraph.json", "echo", "graph.py"}

func TestRemoteBuildOfPython(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	deployRemotely(t, s, echoPy)
	deployRemotely(t, s, remote{"monorepo-py", "../examples/monorepo-py/agents", "assistant/langgraph.json", "assistant", "assistant/assistant/graph.py"})
	s.diesWhileDeleting(s.named("echo-py"), s.named("monorepo-py"))
}

// wantsVectors has an app keep vectors in its database.
const wantsVectors = `
import psycopg

with psycopg.connect(os.environ["POSTGRES_URI"]) as database:
    database.execute("CREATE EXTENSION IF NOT EXISTS vector")
`

// The command line does not send the name of the server that is to run an app: it
// is a setting of the deployment, made before. Its database is on a PostgreSQL that
// lacks pgvector. A revision that wants it says so, and changes nothing that serves.
// On that, and on a Redis that deployments share, nothing is left of it in the end.
func TestRemoteBuildForAegra(t *testing.T) {
	t.Parallel()
	postgres, queues := newForeign(t, ""), redistest.Start(t)
	s := aegraServer(t, "--agent-redis-url", queues)
	s.stop()
	s.env = []string{postgres.admin(rolePassword)}
	s.start()
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: echoPy.name, Source: "internal_source", SourceConfig: wire.SourceConfigRequest{AgentServer: new("aegra")},
	})
	must(t, err)
	deployRemotely(t, s, echoPy)
	d := s.made(created)
	serving := s.newest(d.id)
	if a := serving.Artefact; a == nil || a.Kind != "aegra" {
		t.Errorf("it is run as %+v", a)
	}
	graph, err := os.ReadFile(filepath.Join(echoPy.dir, "graph.py"))
	must(t, err)
	r := d.await(d.push(pack(t, echoPy.dir, map[string]string{"graph.py": string(graph) + wantsVectors})))
	if r.Status != "DEPLOY_FAILED" || r.Failure == nil || r.Failure.Code != "pgvector_missing" || !strings.Contains(deref(r.Failure.Hint), "superuser") {
		t.Errorf("an app that wants pgvector is %s: %+v, %s", r.Status, r.Failure, deref(r.StatusMessage))
	}
	v, err := s.Deployment(t.Context(), d.id)
	if err != nil || v.Status != "READY" || deref(v.ActiveRevisionID) != serving.ID {
		t.Errorf("afterwards it is %s with revision %s, %v", v.Status, deref(v.ActiveRevisionID), err)
	}
	if said := s.langgraph(t).converse(d, "echo", "still there"); len(said.Answers) != 2 {
		t.Errorf("afterwards the agent answers %q", said.Answers)
	}
	if kept := redisKeys(t, queues); !strings.HasPrefix(kept, "db0:1 db1:") {
		t.Errorf("of its Redis there is %q", kept)
	}
	d.purge()
	postgres.is("nothing")
	if left := redisKeys(t, queues); left != "" {
		t.Errorf("of its Redis there is left %q", left)
	}
}

// The command line asks for the log of a build every three seconds, from where it
// was: what it shows is a beginning of the log, without a hole and without a
// line twice.
func TestRemoteBuildIsShownAsItGoes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const count = `let n = 0; const tick = setInterval(() => { console.log("line " + ++n); if (n === 90) clearInterval(tick) }, 100);`
	dir := source(t, echo, map[string]string{
		"count.mjs": count, "package-lock.json": "",
		"package.json": `{"type": "module", "dependencies": {"@langchain/core": "1.4.0", "@langchain/langgraph": "1.7.3"}, "scripts": {"build": "node count.mjs"}}`,
	})
	d, out := s.langgraph(t).deploys(s, dir, "counting", "--remote", "--verbose", "--build-command", "npm run build")
	var shown []string
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "   | "); ok {
			shown = append(shown, strings.TrimSpace(text))
		}
	}
	log := strings.Split(d.buildLog(d.newest(d.id)), "\n")
	if len(shown) < 20 || len(shown) > len(log) || !slices.Equal(shown, log[:len(shown)]) {
		t.Errorf("the command line shows %d lines\n%s\nof the log\n%s", len(shown), strings.Join(shown, "\n"), strings.Join(log, "\n"))
	}
}

// A build that fails says why: in the last lines that the command line prints,
// and as a failure for programs.
func TestRemoteBuildFails(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	l := s.langgraph(t)
	dir := source(t, echo, map[string]string{
		"package.json": `{"dependencies": {"@langchain/core": "99.0.0"}}`, "package-lock.json": "",
	})
	out, code := l.deployFrom(dir, "broken", "--remote")
	for _, want := range []string{"Deployment failed", "Last build log lines:", "No matching version found for @langchain/core@99.0.0"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, and no %q in:\n%s", code, want, out)
		}
	}
	r := s.newest(s.named("broken"))
	if r.Status != "BUILD_FAILED" || !strings.Contains(deref(r.StatusMessage), "@langchain/core@99.0.0") {
		t.Errorf("revision is %s: %s", r.Status, deref(r.StatusMessage))
	}
	if f := r.Failure; f == nil || f.Phase != "build" || deref(f.Step) != "install" || f.Code != "dependency_not_found" || f.Exit == nil || *f.Exit != 1 || f.Hint == nil {
		t.Errorf("failure: %+v", f)
	}
}
