package python

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// The parts of the launcher that need no server. What it does as a process is
// tested with real apps, in package build.
func TestServe(t *testing.T) {
	tools := toolchain.New(toolchain.Options{Dir: t.TempDir(), Tmp: t.TempDir()})
	python, err := tools.Python(t.Context(), 0, 11, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	test, err := filepath.Abs("serve_test.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python.Path, "-B", test)
	cmd.Dir = t.TempDir()
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
