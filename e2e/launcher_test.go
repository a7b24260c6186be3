package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The launcher of the JavaScript server has tests in its own language. They run
// on what a server installs: its shared folder and a bundle.
func TestLauncher(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	sdk, err := sdkOnce()
	must(t, err)
	test, err := filepath.Abs("../build/kind/js/serve.test.mjs")
	must(t, err)
	run := exec.CommandContext(t.Context(), sdk.node.Path, "--test", "--test-reporter=spec", test) // which tells of failures last
	run.Env = append(os.Environ(),
		"SLIPWAY_TEST_SERVER_DIR="+only(t, filepath.Join(s.data, "cache", "servers", "*")),
		"SLIPWAY_TEST_APP_DIR="+only(t, filepath.Join(s.data, "bundles", "*", "app")))
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatal(&commandError{"node --test serve.test.mjs", err, out})
	}
}

// only is the one path that a pattern matches.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found[0]
}
