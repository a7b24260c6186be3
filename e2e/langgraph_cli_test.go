package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

var cliOnce = sync.OnceValues(installCLI)

// installCLI installs the vendor's Python command line, as it is pinned.
func installCLI() (string, error) {
	venv := filepath.Join(scratch, "langgraph-cli")
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{
			filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
			"--require-hashes", "--only-binary", ":all:", "-r", "langgraph-cli/requirements.txt",
		},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w (make prepare installs python3 and its venv)", &commandError{strings.Join(args, " "), err, out})
		}
	}
	return filepath.Join(venv, "bin", "langgraph"), nil
}

// recorder stands before a server and notes what it is asked.
type recorder struct {
	url string

	mu    sync.Mutex
	asked []string
}

func (s *server) record(t *testing.T) *recorder {
	address, err := url.Parse(s.url)
	must(t, err)
	r, proxy := &recorder{}, httputil.NewSingleHostReverseProxy(address)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, ask *http.Request) {
		r.note(ask)
		proxy.ServeHTTP(w, ask)
	}))
	t.Cleanup(front.Close)
	r.url = front.URL
	return r
}

var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// note writes a request down: method, path with its ids as *, sorted query, and
// the body.
func (r *recorder) note(ask *http.Request) {
	line := ask.Method + " " + anID.ReplaceAllString(ask.URL.Path, "*")
	if ask.URL.RawQuery != "" {
		line += "?" + ask.URL.Query().Encode()
	}
	if ask.Body != nil {
		var body bytes.Buffer
		_, _ = body.ReadFrom(ask.Body)
		ask.Body = http.NoBody
		if body.Len() > 0 {
			line += " " + body.String()
			ask.Body = readCloser{&body}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, line)
}

type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }

// taken returns what was asked since it was called last.
func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

// langgraph is the vendor's command line, as a user has it.
type langgraph struct {
	t    *testing.T
	path string
	key  string
	host *recorder
	env  []string // besides what every user has
}

func (s *server) langgraph(t *testing.T) *langgraph {
	path, err := cliOnce()
	must(t, err)
	return &langgraph{t: t, path: path, key: s.key, host: s.record(t)}
}

// command prepares a command. It runs in an empty folder, and sends nobody a
// report of its use.
func (l *langgraph) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.path, append([]string{"deploy"}, args...)...)
	cmd.Args = append(cmd.Args, "--host-url", l.host.url, "--api-key", l.key)
	cmd.Dir = l.t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "LANGGRAPH_CLI_NO_ANALYTICS=1", "NO_COLOR=1", "NO_PROXY=127.0.0.1", "PYTHONUNBUFFERED=1"}
	cmd.Env = append(cmd.Env, l.env...)
	return cmd
}

// run runs a command with an input and returns what it prints and its exit code.
func (l *langgraph) run(input string, args ...string) (string, int) {
	l.t.Helper()
	cmd := l.command(l.t.Context(), args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		l.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// says runs a command and expects an exit code, texts in what it prints, and the
// requests that it sends.
func (l *langgraph) says(code int, texts []string, asked []string, args ...string) string {
	l.t.Helper()
	out, got := l.run("", args...)
	if got != code {
		l.t.Errorf("deploy %s ends with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			l.t.Errorf("deploy %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	if seen := l.host.taken(); !slices.Equal(seen, asked) {
		l.t.Errorf("deploy %s asks\n%s\nwant\n%s", strings.Join(args, " "), strings.Join(seen, "\n"), strings.Join(asked, "\n"))
	}
	return out
}

const (
	askList      = "GET /v2/deployments?limit=100&name_contains=&offset=0"
	askRevisions = "GET /v2/deployments/*/revisions?limit=10"
	askDelete    = "DELETE /v2/deployments/*"
	unknownID    = "3c2f9f0e-5d4b-4a67-9d5e-2b8f4f6f1a01"
)

// The requests are written down, so that a version of the vendor's client that
// sends others fails here rather than at a user's.
func TestTheVendorsCommandLine(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	l := s.langgraph(t)
	empty, d := s.create("still-empty"), s.create("echo")
	first := d.deploy(pack(t, echo, nil))

	t.Run("list", func(t *testing.T) {
		l.says(0, []string{"Deployment ID", d.id, "echo", d.url, empty.id, "still-empty"}, []string{askList}, "list")
		out := l.says(0, nil, []string{"GET /v2/deployments?limit=100&name_contains=ech&offset=0"}, "list", "--name-contains", "ech", "--json")
		var found []map[string]string
		if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) != 1 || found[0]["id"] != d.id || found[0]["name"] != "echo" {
			t.Errorf("list --json: %v %s", err, out)
		}
		l.says(0, []string{"No deployments found."}, []string{"GET /v2/deployments?limit=100&name_contains=nothing&offset=0"}, "list", "--name-contains", "nothing")
		l.says(1, []string{"400", "Agent filters are not available for this tenant."},
			[]string{"GET /v2/deployments?agent_id=a&limit=100&name_contains=&offset=0"}, "list", "--agent-id", "a")
	})
	t.Run("logs", func(t *testing.T) { l.logs(t, d, first.ID) })
	t.Run("revisions list", func(t *testing.T) {
		l.says(0, []string{"Revision ID", first.ID, "DEPLOYED"}, []string{askRevisions}, "revisions", "list", d.id)
		l.says(0, []string{"No revisions found for deployment " + empty.id}, []string{askRevisions}, "revisions", "list", empty.id)
		v, err := s.Redeploy(t.Context(), d.id, first.ID)
		must(t, err)
		second, err := s.Revision(t.Context(), d.id, *v.LatestRevisionID)
		must(t, err)
		d.await(second)
		out := l.says(0, []string{second.ID, first.ID}, []string{askRevisions}, "revisions", "list", d.id)
		if !regexp.MustCompile(`(?s)` + second.ID + ` +DEPLOYED .*` + first.ID + ` +REPLACED `).MatchString(out) {
			t.Errorf("the newer one is not first, or the older one not replaced:\n%s", out)
		}
		out = l.says(0, []string{second.ID}, []string{"GET /v2/deployments/*/revisions?limit=1"}, "revisions", "list", d.id, "--limit", "1")
		if strings.Contains(out, first.ID) {
			t.Errorf("more than one:\n%s", out)
		}
	})
	t.Run("what is wrong is said", func(t *testing.T) {
		l.says(1, []string{"404", "Deployment ID " + unknownID + " not found."}, []string{askRevisions}, "revisions", "list", unknownID)
		l.says(1, []string{"404", "Deployment ID " + unknownID + " not found."}, []string{askDelete}, "delete", "--force", unknownID)
		l.says(1, []string{"422", "uuid_parsing"}, []string{"DELETE /v2/deployments/nonsense"}, "delete", "--force", "nonsense")
		l.says(1, []string{"Deployment 'nobody' not found."}, []string{"GET /v2/deployments?limit=100&name=nobody&name_contains=nobody&offset=0"}, "logs", "--name", "nobody")
		stranger := *l
		stranger.key = "no-such-key"
		stranger.says(1, []string{"401", "Invalid API key."}, []string{askList}, "list")
		stranger.says(1, []string{"401", "Invalid API key."}, []string{askDelete}, "delete", "--force", d.id)
	})
	t.Run("by the address of the tracing API", func(t *testing.T) {
		cmd := l.command(t.Context(), "list")
		cmd.Args = cmd.Args[:3]
		cmd.Env = append(cmd.Env, "LANGSMITH_ENDPOINT="+l.host.url+"/api/v1", "LANGSMITH_API_KEY="+s.key)
		out, err := cmd.CombinedOutput()
		if asked := l.host.taken(); err != nil || !strings.Contains(string(out), d.id) || !slices.Equal(asked, []string{"GET /api-host/v2/deployments?limit=100&name_contains=&offset=0"}) {
			t.Errorf("%v %v\n%s", err, asked, out)
		}
	})
	t.Run("delete", func(t *testing.T) { l.deletes(t, empty, d) })
}

func (l *langgraph) deletes(t *testing.T, empty, d *deployment) {
	if out, code := l.run("n\n", "delete", empty.id); code != 1 || !strings.Contains(out, "Are you sure") || len(l.host.taken()) > 0 {
		t.Errorf("declined: %d\n%s", code, out)
	}
	if out, code := l.run("y\n", "delete", empty.id); code != 0 || !strings.Contains(out, "Deleted deployment "+empty.id) || !slices.Equal(l.host.taken(), []string{askDelete}) {
		t.Errorf("confirmed: %d\n%s", code, out)
	}
	l.says(0, []string{"Deleted deployment " + d.id}, []string{askDelete}, "delete", "--force", d.id)
	must(t, d.WaitGone(t.Context(), empty.id))
	must(t, d.WaitGone(t.Context(), d.id))
	if status, _, err := d.get("/ok"); err == nil && status == http.StatusOK {
		t.Error("the agent still answers")
	}
	if left := agents(d.data); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	l.says(0, []string{"No deployments found."}, []string{askList}, "list")
}

func (l *langgraph) logs(t *testing.T, d *deployment, revision string) {
	const of, ofRevision = "POST /v1/projects/*/deploy_logs", "POST /v1/projects/*/revisions/*/deploy_logs"
	const ofBuild = "POST /v1/projects/*/revisions/*/build_logs"
	l.says(0, []string{"Using latest revision: " + revision, "langgraph.json", "[INFO]"},
		[]string{"GET /v2/deployments/*/revisions?limit=1", ofBuild + ` {"limit":100,"order":"desc"}`}, "logs", "--type", "build", "--deployment-id", d.id)
	l.says(0, []string{"langgraph.json"}, []string{ofBuild + ` {"limit":100,"order":"desc","query":"langgraph.json"}`},
		"logs", "--type", "build", "--deployment-id", d.id, "--revision-id", revision, "-q", "langgraph.json")
	byName := "GET /v2/deployments?limit=100&name=echo&name_contains=echo&offset=0"
	all := l.says(0, []string{"[INFO]"}, []string{byName, of + ` {"limit":100,"order":"desc"}`}, "logs", "--name", "echo")
	if n := strings.Count(all, "\n"); n < 2 {
		t.Fatalf("the agent said %d lines:\n%s", n, all)
	}
	out := l.says(0, nil, []string{ofRevision + ` {"limit":1,"order":"desc"}`}, "logs", "--deployment-id", d.id, "--revision-id", revision, "--limit", "1")
	if strings.Count(out, "\n") != 1 {
		t.Errorf("--limit 1:\n%s", out)
	}
	out = l.says(0, []string{"[INFO]"}, []string{of + ` {"limit":100,"order":"desc","level":"INFO"}`}, "logs", "--deployment-id", d.id, "--level", "info")
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "[INFO]") {
			t.Errorf("--level INFO: %s", line)
		}
	}
	l.says(0, []string{"No log entries found."}, []string{of + ` {"limit":100,"order":"desc","level":"CRITICAL"}`}, "logs", "--deployment-id", d.id, "--level", "CRITICAL")
	l.says(0, []string{"No log entries found."}, []string{of + ` {"limit":100,"order":"desc","start_time":"2000-01-01T00:00:00Z","end_time":"2001-01-01T00:00:00Z"}`},
		"logs", "--deployment-id", d.id, "--start-time", "2000-01-01T00:00:00Z", "--end-time", "2001-01-01T00:00:00Z")
	l.follow(t, d)
}

// follow follows an agent's log, has the agent say something, sees it once, and
// stops as a user does.
func (l *langgraph) follow(t *testing.T, d *deployment) {
	cmd := l.command(t.Context(), "logs", "--deployment-id", d.id, "--follow", "--limit", "5")
	var out buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	lines := func() int { return strings.Count(out.String(), "\n") }
	eventually(t, "the lines that there are", func() bool { return lines() >= 2 })
	before := lines()
	agent := client.NewAgent(d.url, d.key)
	thread, err := agent.CreateThread(t.Context())
	must(t, err)
	for _, err := range agent.Stream(t.Context(), thread, client.RunRequest{Assistant: "echo", Input: map[string]any{"messages": []any{}}}) {
		if err != nil {
			t.Log(err) // what counts is that it is said
		}
	}
	eventually(t, "a new line", func() bool { return lines() > before })
	must(t, cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "Stopped.") {
		t.Errorf("after SIGINT: %v\n%s", err, out.String())
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if seen[line] {
			t.Errorf("twice: %s", line)
		}
		seen[line] = true
	}
	l.host.taken()
}

// buffer may be read while a process writes to it.
type buffer struct {
	mu  sync.Mutex
	raw bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.raw.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.raw.String()
}
