package build_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build"
)

// Where the operator's wrapper takes the network away, an installation says that
// it does not reach the registry.
func TestWrapperTakesTheNetwork(t *testing.T) {
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("installs with the real npm in a network namespace, which root can make")
	}
	space := fmt.Sprintf("slipway-build-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", space).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer exec.Command("ip", "netns", "delete", space).Run()
	settings := filepath.Join(t.TempDir(), "npmrc")
	if err := os.WriteFile(settings, []byte("fetch-retries=0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("npm_config_userconfig", settings)
	b, err := build.Open(build.Options{Dir: data(t), Users: users, Wrapper: strings.Fields("ip netns exec " + space)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), request(t, folder(t, "../examples/echo-js")), io.Discard)
	expectFailure(t, err, "install", "registry_unreachable", "")
}
