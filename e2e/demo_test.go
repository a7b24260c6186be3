package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// The demo on a machine without Node: those that are installed are covered by a
// program that fails, in a mount namespace of the demo's own.
func TestDemoBringsNode(t *testing.T) {
	t.Parallel()
	script := "set -e\n"
	for _, place := range toolchain.UsualPlaces() {
		if real, err := filepath.EvalSymlinks(place); err == nil {
			script += "mountpoint -q '" + real + "' || mount --bind /bin/false '" + real + "'\n"
		}
	}
	temp := t.TempDir()
	script += "export TMPDIR='" + temp + "'\nexec '" + binary + "' demo --once --listen " + freeAddress(t) + "\n"
	args := []string{"unshare", "--mount", "sh", "-c", script}
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatal(&commandError{"slipway demo --once, without Node", err, out})
	}
	for _, want := range []string{"from the npm registry, since none is installed", "DEPLOYED", "echo: Hello", "Removed " + temp} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
