package build_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/content"
)

// The same source, built twice on different days in different places, comes to
// the same, to the byte.
func TestBuildsAreReproducible(t *testing.T) {
	realBuilder(t)
	apps := map[string]map[string]string{
		"npm":            folder(t, "../examples/echo-js"),
		"npm on its own": with(small(msManifest, "package-lock.json", msLockNPM), "package.json", strings.Replace(msManifest, "{", `{"scripts": {"build": "node -p 1 > built"},`, 1)),
	}
	for _, manager := range []string{"yarn-classic", "yarn", "pnpm", "bun"} {
		apps[manager] = hello(t, manager)
	}
	for _, manager := range []string{"yarn", "pnpm"} { // those that write most of their own
		apps[manager+" on its own"] = with(hello(t, manager), "linked/package.json", `{"name": "linked", "version": "1.0.0"}`)
	}
	for name, files := range apps {
		t.Run(name, func(t *testing.T) {
			r := request(t, files)
			if strings.HasSuffix(name, "on its own") {
				r.BuildCommand = "node --version"
			}
			first, second := freshly(t, r), freshly(t, r)
			if !maps.Equal(first.Runtime, second.Runtime) || first.Digest != second.Digest {
				t.Errorf("built twice:\n%v\n%v", first, second)
			}
			if first.Runtime["content"] == "" || first.Runtime["lock"] == "" || first.Runtime["package_manager"] == "" {
				t.Errorf("runtime %v", first.Runtime)
			}
		})
	}
}

const msLockNPM = `{"name": "app", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "app", "dependencies": {"ms": "2.1.3"}}, "node_modules/ms": {"version": "2.1.3", "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="}}}
`

// freshly builds in a new data folder, and looks at all of it.
func freshly(t *testing.T, r slipway.BuildRequest) slipway.Artefact {
	t.Helper()
	dir := data(t)
	linkCache(t, dir, "toolchains", "yarn", "pnpm", "bun") // packages, not what is installed
	a, _ := built(t, open(t, dir), r)
	app := filepath.Join(dir, "bundles", a.Digest, "app")
	digest, err := content.Digest(app)
	if err != nil || digest != a.Runtime["content"] {
		t.Errorf("recorded %s, has %s, %v", a.Runtime["content"], digest, err)
	}
	if target, err := filepath.EvalSymlinks(filepath.Join(app, "node_modules")); err == nil && !strings.HasPrefix(target, app) {
		shared, err := content.Digest(filepath.Dir(target))
		recorded, _ := os.ReadFile(filepath.Join(filepath.Dir(target), ".content"))
		if err != nil || strings.TrimSpace(string(recorded)) != shared {
			t.Errorf("shared folder: recorded %s, has %s, %v", recorded, shared, err)
		}
	}
	return a
}
