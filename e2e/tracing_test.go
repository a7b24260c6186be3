package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The vendor's tracing clients write and read back, of each language and, for
// Python, of two generations: under each prefix, one of them.
func TestTheVendorsTracingClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix  string
		command func(*testing.T) []string
	}{
		"python":      {"/api/v1", func(t *testing.T) []string { return tracePython(t, "requirements.txt") }},
		"python 0.11": {"", func(t *testing.T) []string { return tracePython(t, "requirements-0.11.txt") }},
		"javascript":  {"/api", traceJavaScript},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := c.command(t)
			s := serverOn(t, filepath.Join(t.TempDir(), "data"))
			args = append(args, s.url+c.prefix)
			run := exec.CommandContext(t.Context(), args[0], args[1:]...)
			run.Env = append(os.Environ(), "LANGSMITH_API_KEY="+s.key, "PYTHONWARNINGS=ignore", "NO_PROXY=127.0.0.1")
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatal(&commandError{strings.Join(args, " "), err, out})
			}
		})
	}
}

// tracePython installs the client, as it is pinned, and is what runs it.
func tracePython(t *testing.T, requirements string) []string {
	t.Helper()
	venv := filepath.Join(t.TempDir(), "venv")
	python := filepath.Join(venv, "bin", "python")
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", filepath.Join("langsmith", requirements)},
	} {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v (make prepare installs python3 and its venv)", &commandError{strings.Join(args, " "), err, out})
		}
	}
	return []string{python, filepath.Join("langsmith", "trace.py")}
}

func traceJavaScript(t *testing.T) []string {
	t.Helper()
	sdk, err := sdkOnce()
	must(t, err)
	return []string{sdk.node.Path, filepath.Join(sdk.dir, "trace.mjs")}
}
