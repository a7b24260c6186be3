package build_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/toolchain"
)

// monorepo is a workspace with an app that imports a package beside it, which
// has a dependency of its own, and one that the app has nothing to do with.
func monorepo(more ...string) map[string]string {
	files := map[string]string{
		"package.json":                `{"name": "all", "private": true, "workspaces": ["apps/*", "packages/*"]}`,
		"apps/agent/langgraph.json":   `{"graphs": {"hello": "./src/graph.ts:hello"}}`,
		"apps/agent/package.json":     `{"name": "@acme/agent", "version": "1.0.0", "type": "module", "dependencies": {"@langchain/core": "1.4.0", "@langchain/langgraph": "1.7.3", "@acme/words": "1.0.0"}}`,
		"apps/agent/src/graph.ts":     strings.NewReplacer(`"hello" }]`, "word() }]", "import {", "import { word } from \"@acme/words\";\nimport {").Replace(helloGraph),
		"apps/other/package.json":     `{"name": "@acme/other", "version": "1.0.0", "dependencies": {"isarray": "2.0.5"}}`,
		"packages/words/package.json": `{"name": "@acme/words", "version": "1.0.0", "type": "module", "main": "index.ts", "dependencies": {"ms": "2.1.3"}}`,
		"packages/words/index.ts":     "import ms from \"ms\";\nexport const word = (): string => ms(60000);\n",
	}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

// The graphs of a member of a workspace see its other members, however deep the
// configuration lies, and whoever installs.
func TestWorkspaces(t *testing.T) {
	t.Parallel()
	b := realBuilder(t)
	linked := strings.Replace(monorepo()["apps/agent/package.json"], `"@acme/words": "1.0.0"`, `"@acme/words": "workspace:*"`, 1)
	cases := map[string]struct {
		files    map[string]string
		says     string
		confined bool // the other member's dependencies are left out
	}{
		"npm":          {monorepo("package-lock.json", ""), "--workspace=apps/agent", true},
		"yarn-classic": {monorepo("yarn.lock", ""), "$ yarn install ", false},
		"yarn": {monorepo("yarn.lock", "", "apps/agent/package.json", linked,
			"package.json", `{"name": "all", "private": true, "workspaces": ["apps/*", "packages/*"], "packageManager": "yarn@4.18.1"}`), "workspaces focus @acme/agent --production", true},
		"pnpm": {monorepo("package.json", `{"name": "all", "private": true}`, "apps/agent/package.json", linked, "pnpm-lock.yaml", "",
			"pnpm-workspace.yaml", "packages:\n  - 'apps/*'\n  - packages/*\n"), "--filter={./apps/agent}...", true},
		"bun": {monorepo("bun.lock", "", "apps/agent/package.json", linked), "$ bun install ", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := lockedBy(t, name, c.files)
			r := request(t, files)
			r.ConfigPath = "apps/agent/langgraph.json"
			a, log := built(t, b, r)
			if !strings.Contains(log, "The app is apps/agent of a workspace") || !strings.Contains(log, c.says) {
				t.Error("it is not installed as a member of a workspace")
			}
			serve(t, b, a, "hello")
			app := filepath.Join(realDir, "bundles", a.Digest, "app")
			if there := find(t, app, "isarray"); there == c.confined {
				t.Errorf("the other member's dependency is there: %v", there)
			}
		})
	}
}

// lockedBy adds the lock file that a package manager writes for a source.
func lockedBy(t *testing.T, manager string, files map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	lock := ""
	for name, text := range files {
		if text == "" {
			lock = name
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := map[string][]string{
		"npm":          {"install", "--package-lock-only", "--no-audit", "--no-fund"},
		"yarn-classic": {"install", "--ignore-scripts", "--non-interactive"},
		"yarn":         {"install", "--mode=update-lockfile"},
		"pnpm":         {"install", "--lockfile-only"},
		"bun":          {"install", "--lockfile-only"},
	}[manager]
	runManager(t, manager, dir, args)
	text, err := os.ReadFile(filepath.Join(dir, lock))
	if err != nil {
		t.Fatal(err)
	}
	return with(files, lock, string(text))
}

// runManager runs one of those that the builder has brought, or brings.
func runManager(t *testing.T, name, dir string, args []string) {
	t.Helper()
	cache := filepath.Join(realDir, "cache")
	tools := toolchain.New(toolchain.Options{Dir: filepath.Join(cache, "toolchains"), Tmp: filepath.Join(realDir, "tmp")})
	node, err := tools.Node(t.Context(), 20, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	m, err := tools.NPM(t.Context(), node, t.Output())
	if name != "npm" {
		program, version, _ := strings.Cut(map[string]string{"yarn-classic": "yarn 1.x", "yarn": "yarn 4.x"}[name], " ")
		if program == "" {
			program = name
		}
		w := toolchain.Wanted{Name: program, Version: version}
		m, err = tools.Manager(t.Context(), node, w, w, t.Output())
	}
	if err != nil {
		t.Fatal(err)
	}
	all := m.Args(args...)
	cmd := exec.CommandContext(t.Context(), all[0], all[1:]...)
	cmd.Dir, cmd.Env = dir, toolchain.Environment(m.Path(), t.TempDir(), "YARN_ENABLE_IMMUTABLE_INSTALLS=false", "YARN_ENABLE_TELEMETRY=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// find looks for a package below a folder.
func find(t *testing.T, dir, name string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		found = found || filepath.Base(path) == name && filepath.Base(filepath.Dir(path)) == "node_modules"
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Commands are run where people expect them: the installation at the root of the
// workspace, the build in the app's folder. They find the package managers that
// they name, the programs of packages, the secrets of builds, and nothing of the
// server's.
func TestCommandsInAWorkspace(t *testing.T) {
	b := realBuilder(t)
	t.Setenv("SLIPWAY_CANARY", "canary")
	files := maps.Clone(monorepo())
	delete(files, "apps/agent/src/graph.ts")
	files["apps/agent/src/graph.ts"] = "export const hello = 1"
	files["apps/agent/package.json"] = `{"name": "@acme/agent", "version": "1.0.0", "dependencies": {"semver": "7.7.2"}, "scripts": {"look": "env && pwd && which node npm semver pnpm"}}`
	files["packages/words/package.json"] = `{"name": "@acme/words", "version": "1.0.0"}`
	files["yarn.lock"] = ""
	r := request(t, lockedBy(t, "yarn-classic", files))
	r.ConfigPath, r.Secrets = "apps/agent/langgraph.json", secrets("NPM_TOKEN", "s3cret")
	r.InstallCommand = "pwd && yarn install --frozen-lockfile --ignore-scripts"
	r.BuildCommand = "npm run look && pnpm --version && yarn --version && semver 1.2.3"
	a, log := built(t, b, r)
	for _, want := range []string{"\n1.22.22\n", "\n10.34.9\n", "\n1.2.3\n", "/app\nyarn install", "/app/apps/agent\n", "NPM_TOKEN=s3cret\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	for _, not := range []string{"canary", "SLIPWAY_CANARY"} {
		if strings.Contains(log, not) {
			t.Errorf("the log has %q", not)
		}
	}
	if a.Runtime["lock"] == "" || a.Runtime["package_manager"] != "yarn 1.22.22" {
		t.Errorf("runtime %v", a.Runtime)
	}
	expectNothing(t, realDir, "tmp")
}
