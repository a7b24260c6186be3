package js

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestCovers(t *testing.T) {
	cases := map[string]struct {
		patterns []string
		folder   string
		want     bool
	}{
		"by name":        {[]string{"apps/agent"}, "apps/agent", true},
		"with dots":      {[]string{"./apps/agent/"}, "apps/agent", true},
		"by star":        {[]string{"apps/*"}, "apps/agent", true},
		"too deep":       {[]string{"apps/*"}, "apps/agent/sub", false},
		"not deep":       {[]string{"apps/*"}, "apps", false},
		"any depth":      {[]string{"**"}, "a/b/c", true},
		"below":          {[]string{"apps/**"}, "apps/a/b", true},
		"below, itself":  {[]string{"apps/**"}, "apps", true},
		"in the middle":  {[]string{"a/**/z"}, "a/b/c/z", true},
		"part of a name": {[]string{"agent-*"}, "agent-one", true},
		"excluded":       {[]string{"apps/*", "!apps/agent"}, "apps/agent", false},
		"and back":       {[]string{"!apps/agent", "apps/*"}, "apps/agent", true},
		"no pattern":     {[]string{"[", ""}, "apps", false},
		"none":           {nil, "apps", false},
	}
	for name, c := range cases {
		if got := covers(c.patterns, c.folder); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPNPMMembers(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"list":          {"packages:\n  - 'apps/*'\n  - \"libs/*\"\n  - one\n", []string{"apps/*", "libs/*", "one"}},
		"not indented":  {"packages:\n- a\n- '!b'\ncatalog:\n  x: 1\n", []string{"a", "!b"}},
		"in brackets":   {"packages: ['apps/*', libs]\n", []string{"apps/*", "libs"}},
		"after others":  {"onlyBuiltDependencies:\n  - x\npackages:\n  # all\n\n  - a # one\n", []string{"a"}},
		"no last line":  {"packages:\n  - a", []string{"a"}},
		"empty":         {"packages:\n", []string{}},
		"settings only": {"onlyBuiltDependencies:\n  - x\n", nil},
		"within":        {"x:\n  packages:\n    - a\n", nil},
	}
	for name, c := range cases {
		got := pnpmMembers(write(t, t.TempDir(), map[string]string{"pnpm-workspace.yaml": c.text}))
		if !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := pnpmMembers(t.TempDir()); got != nil {
		t.Errorf("no file: %q", got)
	}
}

func TestFindProject(t *testing.T) {
	const (
		workspace = `{"workspaces": ["apps/*"]}`
		object    = `{"workspaces": {"packages": ["apps/*"]}}`
		linked    = `{"dependencies": {"b": "workspace:*"}}`
	)
	cases := map[string]struct {
		files        map[string]string
		root, member string
	}{
		"alone":              {map[string]string{"apps/a/package.json": "{}"}, "apps/a", ""},
		"a member":           {map[string]string{"apps/a/package.json": "{}", "package.json": workspace}, ".", "apps/a"},
		"the other form":     {map[string]string{"apps/a/package.json": "{}", "package.json": object}, ".", "apps/a"},
		"of pnpm":            {map[string]string{"apps/a/package.json": "{}", "pnpm-workspace.yaml": "packages:\n  - apps/*\n"}, ".", "apps/a"},
		"not taken in":       {map[string]string{"apps/a/package.json": "{}", "package.json": `{"workspaces": ["libs/*"]}`}, "apps/a", ""},
		"no workspace":       {map[string]string{"apps/a/package.json": "{}", "package.json": "{}", "package-lock.json": "{}"}, "apps/a", ""},
		"its own lock":       {map[string]string{"apps/a/package.json": "{}", "apps/a/yarn.lock": "", "package.json": workspace}, "apps/a", ""},
		"its own, but links": {map[string]string{"apps/a/package.json": linked, "apps/a/yarn.lock": "", "package.json": workspace}, ".", "apps/a"},
		"a workspace itself": {map[string]string{"apps/a/package.json": workspace, "package.json": workspace}, "apps/a", ""},
		"nested":             {map[string]string{"apps/a/package.json": "{}", "apps/package.json": `{"workspaces": ["a"]}`, "package.json": workspace}, "apps", "a"},
	}
	for name, c := range cases {
		source := write(t, t.TempDir(), c.files)
		app, err := findManifest(source, "apps/a")
		if err != nil {
			t.Fatal(err)
		}
		p, err := findProject(source, app)
		if err != nil || p.root.dir != filepath.Join(source, c.root) || p.member != c.member || p.app != app {
			t.Errorf("%s: %+v in %s, %v", name, p.member, p.root.dir, err)
		}
	}
}

func TestTidy(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		".npmrc": "", "apps/a/.yarnrc.yml": "", "apps/a/src/.npmrc.ts": "", "package.json": "",
		"node_modules/.modules.yaml": "", "node_modules/.cache/x": "", "node_modules/x/.npmrc": "", "node_modules/x/index.js": "",
		"apps/a/node_modules/.yarn-state.yml": "", ".yarn/install-state.gz": "", ".yarn/patches/x": "",
	})
	var log logged
	if err := tidy(dir, &log); err != nil {
		t.Fatal(err)
	}
	if want := "Left out of the bundle, since credentials may be in it: .npmrc, apps/a/.yarnrc.yml\n"; string(log) != want {
		t.Errorf("log %q", log)
	}
	for name, want := range map[string]bool{
		".npmrc": false, "apps/a/.yarnrc.yml": false, "apps/a/src/.npmrc.ts": true, "package.json": true,
		"node_modules/.modules.yaml": false, "node_modules/.cache": false, "node_modules/x/.npmrc": true, "node_modules/x/index.js": true,
		"apps/a/node_modules/.yarn-state.yml": false, ".yarn/install-state.gz": false, ".yarn/patches/x": true,
	} {
		if exists(filepath.Join(dir, name)) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
}

type logged []byte

func (l *logged) Write(p []byte) (int, error) { *l = append(*l, p...); return len(p), nil }
