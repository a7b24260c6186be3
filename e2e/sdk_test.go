package e2e_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// vendorSDK is a folder with the vendor's JavaScript client, and the Node to run
// it with.
type vendorSDK struct {
	dir  string
	node toolchain.Node
}

var sdkOnce = sync.OnceValues(installSDK)

func installSDK() (vendorSDK, error) {
	sdk := vendorSDK{dir: filepath.Join(scratch, "sdk")}
	if err := os.CopyFS(sdk.dir, os.DirFS("sdk")); err != nil {
		return sdk, err
	}
	tmp := filepath.Join(scratch, "toolchains-tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return sdk, err
	}
	tools := toolchain.New(toolchain.Options{Dir: filepath.Join(scratch, "toolchains"), Tmp: tmp})
	ctx := background()
	var err error
	if sdk.node, err = tools.Node(ctx, 20, io.Discard); err != nil {
		return sdk, err
	}
	npm, err := tools.NPM(ctx, sdk.node, io.Discard)
	if err != nil {
		return sdk, err
	}
	args := npm.Args("ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install := exec.CommandContext(ctx, args[0], args[1:]...)
	install.Dir = sdk.dir
	install.Env = toolchain.Environment(npm.Path(), scratch)
	out, err := install.CombinedOutput()
	if err != nil {
		return sdk, &commandError{"npm ci", err, out}
	}
	return sdk, nil
}

// scenario runs the vendor's client against a deployment and returns what it
// found.
func (d *deployment) scenario(name string, args ...string) map[string]any {
	d.t.Helper()
	sdk, err := sdkOnce()
	must(d.t, err)
	run := exec.CommandContext(d.t.Context(), sdk.node.Path, append([]string{"run.mjs", name, d.url}, args...)...)
	run.Dir = sdk.dir
	run.Env = append(os.Environ(), "SLIPWAY_API_KEY="+d.key)
	out, err := run.Output()
	if err != nil {
		d.t.Fatalf("scenario %s: %v", name, &commandError{name, err, stderr(err)})
	}
	var found map[string]any
	must(d.t, json.Unmarshal(out, &found))
	return found
}

func TestTheVendorsClient(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	for _, name := range []string{"assistants", "stream", "interrupt", "store", "disconnect"} {
		t.Run(name, func(t *testing.T) {
			found := (&deployment{server: &server{t: t, key: s.key}, url: d.url}).scenario(name)
			if name == "assistants" && len(found["graphs"].([]any)) != 5 {
				t.Errorf("graphs: %v", found["graphs"])
			}
		})
	}
}
