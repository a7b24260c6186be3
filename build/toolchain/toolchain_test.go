package toolchain_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// fakes makes programs that answer as Node would, or do not.
func fakes(t *testing.T, scripts map[string]string) func() []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for name, script := range scripts {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return func() []string { return append(paths, filepath.Join(dir, "absent"), dir) }
}

func answers(version string) string { return "echo v" + version + "; echo $0" }

func toolchains(t *testing.T, search func() []string) (*toolchain.Toolchains, string) {
	t.Helper()
	data := t.TempDir()
	tmp := filepath.Join(data, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // what is brought is read-only
		filepath.WalkDir(data, func(path string, _ os.DirEntry, _ error) error { os.Chmod(path, 0o755); return nil })
	})
	return toolchain.New(toolchain.Options{Dir: filepath.Join(data, "toolchains"), Tmp: tmp, Search: search}), tmp
}

func TestPlan(t *testing.T) {
	cases := map[string]struct {
		installed map[string]string
		least     int
		version   string // of the installed one chosen
		bring     bool
		says      string
	}{
		"newest":            {map[string]string{"a": answers("20.20.2"), "b": answers("24.1.0"), "c": answers("22.9.9")}, 20, "24.1.0", false, "installed Node 24.1.0 at "},
		"by number":         {map[string]string{"a": answers("20.9.0"), "b": answers("20.20.0")}, 20, "20.20.0", false, ""},
		"shims that fail":   {map[string]string{"a": "exit 127", "b": answers("20.20.2")}, 20, "20.20.2", false, ""},
		"nonsense":          {map[string]string{"a": "echo hello", "b": "echo v; echo $0", "c": "echo v22.1; echo $0", "d": "echo v22.1.0; echo gone"}, 20, "", true, "none is installed"},
		"where it is":       {map[string]string{"a": "echo v22.1.0; echo /bin/sh"}, 20, "22.1.0", false, " at /bin/sh"},
		"too old":           {map[string]string{"a": answers("18.20.4")}, 20, "", true, "none that is installed fits: 18.20.4 at "},
		"too old a minor":   {map[string]string{"a": answers("20.10.0")}, 20, "", true, "20.10.0 at "},
		"too old for this":  {map[string]string{"a": answers("22.1.0")}, 24, "", true, ""},
		"none":              {nil, 20, "", true, "from the npm registry, since none is installed"},
		"newer than pinned": {nil, 26, "", true, "Node 26."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tools, _ := toolchains(t, fakes(t, c.installed))
			p, err := tools.Plan(t.Context(), c.least)
			if err != nil || p.Node.Version != c.version || (p.Bring != "") != c.bring || !strings.Contains(p.String(), c.says) {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

func TestPlanForWhatDoesNotExist(t *testing.T) {
	tools, _ := toolchains(t, fakes(t, map[string]string{"a": answers("22.1.0")}))
	_, err := tools.Plan(t.Context(), 99)
	expect(t, err, "node_unavailable", "No Node 99 or newer: none that is installed fits: 22.1.0 at ")
}

// A candidate is run again only when its file has changed.
func TestPlanRunsOnce(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	search := fakes(t, map[string]string{"a": "echo x >> " + count + "; " + answers("22.1.0")})
	tools, _ := toolchains(t, search)
	for range 3 {
		if _, err := tools.Plan(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
	}
	if runs, _ := os.ReadFile(count); string(runs) != "x\n" {
		t.Errorf("ran %q", runs)
	}
	os.WriteFile(search()[0], []byte("#!/bin/sh\n"+answers("24.10.0")), 0o755)
	if p, _ := tools.Plan(t.Context(), 20); p.Node.Version != "24.10.0" {
		t.Errorf("after a change: %v", p)
	}
}

func TestExactly(t *testing.T) {
	tools, _ := toolchains(t, fakes(t, map[string]string{"a": answers("20.20.2"), "b": answers("22.1.0"), "c": answers("22.3.0"), "d": answers("24.0.0")}))
	for wanted, want := range map[string]string{"22.1.0": "22.1.0", "22.2.0": "22.3.0", "20.16.0": "20.20.2", "21.0.0": "24.0.0"} {
		if n, err := tools.Exactly(t.Context(), wanted); err != nil || n.Version != want {
			t.Errorf("%s: %v, %v", wanted, n, err)
		}
	}
}

func TestPlanEndsWithItsContext(t *testing.T) {
	tools, _ := toolchains(t, fakes(t, map[string]string{"a": answers("22.1.0")}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tools.Plan(ctx, 20); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if p, err := tools.Plan(t.Context(), 20); err != nil || p.Node.Version != "22.1.0" {
		t.Errorf("a run that was cancelled counts: %v, %v", p, err)
	}
}

func TestBringRefuses(t *testing.T) {
	cases := map[string]struct {
		answer  http.HandlerFunc
		code    string
		message string
	}{
		"not found":  {http.NotFound, "registry_unreachable", "404 Not Found"},
		"other file": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a trap") }, "integrity_mismatch", "SHA-512"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		}, "registry_unreachable", "unexpected EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			registry := httptest.NewServer(c.answer)
			defer registry.Close()
			t.Setenv("npm_config_registry", strings.Replace(registry.URL, "//", "//user:password@", 1)+"/")
			tools, tmp := toolchains(t, fakes(t, nil))
			_, err := tools.Node(t.Context(), 20, io.Discard)
			expect(t, err, c.code, c.message)
			if strings.Contains(err.Error(), "password") {
				t.Errorf("the message shows a password: %v", err)
			}
			expectEmpty(t, tmp)
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Setenv("npm_config_registry", "http://127.0.0.1:1")
		tools, _ := toolchains(t, fakes(t, nil))
		_, err := tools.Node(t.Context(), 20, io.Discard)
		expect(t, err, "registry_unreachable", "connection refused")
	})
}

// The real thing: a machine without Node gets one, and an npm that it can run.
func TestBring(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches about 55 MB")
	}
	tools, tmp := toolchains(t, fakes(t, map[string]string{"old": answers("18.20.4")}))
	var log lines
	var all sync.WaitGroup
	nodes := make([]toolchain.Node, 2)
	for i := range nodes {
		all.Go(func() {
			var err error
			if nodes[i], err = tools.Node(t.Context(), 22, &log); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := nodes[0]
	if n != nodes[1] || !n.Brought || n.Major() < 22 || strings.Count(log.String(), "Brought node-linux") != 1 {
		t.Fatalf("brought %v; log:\n%s", nodes, &log)
	}
	npm, err := tools.NPM(t.Context(), n, &log)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	c := command.Command{
		Args: []string{"/bin/sh", "-c", "node --version && npm --version && npx --version"},
		Dir:  tmp, Env: toolchain.Environment(npm.Path(), t.TempDir()), As: command.Server,
		Line: func(line string) { out = append(out, line) },
	}
	if code, err := c.Run(t.Context()); code != 0 || err != nil || len(out) != 3 || out[0] != "v"+n.Version || out[1] != "11.12.1" {
		t.Errorf("exit %d, %v: %q", code, err, out)
	}
	again, err := tools.Plan(t.Context(), 22)
	if err != nil || again.Node != n || !strings.HasPrefix(again.String(), "kept Node") {
		t.Errorf("then %v, %v", again, err)
	}
	expectEmpty(t, tmp)
	t.Logf("log:\n%s", &log)
}

func expectEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

func expect(t *testing.T, err error, code, message string) {
	t.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok {
		t.Fatalf("error %v is no failure", err)
	}
	if f.Code != code || f.Step != "toolchain" || !strings.Contains(f.Message, message) {
		t.Errorf("got %s in %s: %s", f.Code, f.Step, f.Message)
	}
}

// lines is a log that several may write to.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
