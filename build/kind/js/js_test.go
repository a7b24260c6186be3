package js

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/toolchain"
)

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWriteServer(t *testing.T) {
	dir := t.TempDir()
	if err := writeServer(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"serve.mjs", "serve/settings.mjs", "package.json", "package-lock.json"} {
		if !exists(filepath.Join(dir, name)) {
			t.Errorf("%s is not there", name)
		}
	}
	fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, _ error) error {
		if strings.Contains(name, "test") {
			t.Errorf("%s is there", name)
		}
		return nil
	})
}

// TestLauncherOfAnEarlierVersion: a revision that is pinned to it listens as that
// one does.
func TestLauncherOfAnEarlierVersion(t *testing.T) {
	data := t.TempDir()
	node := filepath.Join(data, "node")
	says := "#!/bin/sh\necho v22.1.0\necho " + node + "\n"
	if err := os.WriteFile(node, []byte(says), 0o755); err != nil {
		t.Fatal(err)
	}
	tools := toolchain.New(toolchain.Options{Dir: data, Tmp: data, Search: func() []string { return []string{node} }})
	k := New(data, data, tools, nil)
	if err := writeServer(filepath.Join(data, "servers", "js-today-node22")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "servers", "js-earlier-node22"), map[string]string{"serve.mjs": "", "serve/listen.mjs": ""})
	for version, socket := range map[string]bool{"today": true, "earlier": false} {
		launch, err := k.Launch(t.Context(), kind.Bundle{Dir: data, Runtime: map[string]string{runtimeNode: "22.1.0", runtimeServer: version}})
		if err != nil || launch.Socket != socket || !strings.Contains(launch.Args[1], version) {
			t.Errorf("%s: %+v, %v", version, launch, err)
		}
	}
}

func TestExplain(t *testing.T) {
	cases := map[string]struct {
		said    string
		code    string
		message string
	}{
		"not found": {
			"npm warn deprecated x\nnpm error code E404\nnpm error 404 Not Found - GET registry/nope - Not found\nnpm error 404\nnpm error A complete log of this run can be found in: /x/_logs/y.log",
			"dependency_not_found", "npm can not install the dependencies: Not Found - GET registry/nope - Not found",
		},
		"old npm":   {"npm ERR! code ETARGET\nnpm ERR! notarget No matching version found for x@9.", "dependency_not_found", "No matching version found for x@9."},
		"conflict":  {"npm error code ERESOLVE\nnpm error ERESOLVE could not resolve\nnpm error\nnpm error While resolving: a@1", "dependency_conflict", "could not resolve\nWhile resolving: a@1"},
		"network":   {"npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request failed", "registry_unreachable", "request failed"},
		"refused":   {"npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno ECONNREFUSED\nnpm error connect ECONNREFUSED 127.0.0.1:1", "registry_unreachable", ": connect ECONNREFUSED 127.0.0.1:1"},
		"disk":      {"npm error code ENOSPC\nnpm error nospc no space left on device, write", "disk_full", ": no space left on device, write"},
		"lock":      {"npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install\nnpm error\nnpm error Clean install a project\nnpm error Usage:\nnpm error npm ci", "lock_refused", ": `npm ci` can only install"},
		"denied":    {"npm error code E401\nnpm error Unable to authenticate", "registry_denied", "Unable to authenticate"},
		"integrity": {"npm error code EINTEGRITY\nnpm error sha512-x integrity checksum failed", "integrity_mismatch", "checksum failed"},
		"a stack":   {"npm error Cannot read properties of null\nnpm error     at Arborist (/x.js:1) {\nnpm error   code: 'X',\nnpm error   port: 1\nnpm error }", "install_failed", ": Cannot read properties of null"},
		"no npm":    {"line 1\nSegmentation fault", "install_failed", "line 1\nSegmentation fault"},
		"silence":   {"", "install_failed", "said nothing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			said := output{speech: npmSpeech, exit: 1}
			for line := range strings.Lines(c.said) {
				said.add(strings.TrimSuffix(line, "\n"))
			}
			f, ok := errors.AsType[*slipway.Failure](said.explain("npm can not install the dependencies", true, nil))
			if !ok || f.Code != c.code || !strings.HasSuffix(f.Message, c.message) && name != "silence" || *f.Exit != 1 || f.Step != "install" {
				t.Errorf("got %+v", f)
			}
		})
	}
	if err := new(output).explain("x", true, nil); err != nil {
		t.Errorf("a good end is %v", err)
	}
	if err := new(output).explain("x", true, os.ErrClosed); err != os.ErrClosed {
		t.Errorf("another error is %v", err)
	}
}

func TestExplainIsShort(t *testing.T) {
	said := output{speech: npmSpeech, exit: 1}
	for range 100 {
		said.add("npm error " + strings.Repeat("é", 400))
	}
	if text := said.quote(); len(text) > quoteBytes || !strings.HasPrefix(text, "éé") {
		t.Errorf("%d bytes", len(text))
	}
}

func TestFindManifest(t *testing.T) {
	root := write(t, t.TempDir(), map[string]string{"package.json": "{}", "a/package.json": "{}", "a/b/x": "", "c/x": ""})
	for from, want := range map[string]string{".": ".", "a": "a", "a/b": "a", "c": "."} {
		m, err := findManifest(root, from)
		if err != nil || m.dir != filepath.Join(root, want) {
			t.Errorf("%s: %+v, %v", from, m, err)
		}
	}
	if m, err := findManifest(t.TempDir(), "a/b"); m != nil || err != nil {
		t.Errorf("none: %+v, %v", m, err)
	}
}

func TestManifestIsLocal(t *testing.T) {
	cases := map[string]bool{
		`{}`:                                     false,
		`{"dependencies": {"a": "^1.0.0"}}`:      false,
		`{"dependencies": {"a": "npm:b@1"}}`:     false,
		`{"dependencies": {"a": "github:a/b"}}`:  false,
		`{"dependencies": {"a": "file:../a"}}`:   true,
		`{"devDependencies": {"a": "../a"}}`:     true,
		`{"optionalDependencies": {"a": "~/a"}}`: true,
		`{"dependencies": {"a": "~1.0.0"}}`:      false,
		`{"workspaces": ["packages/*"]}`:         true,
		`{"dependencies": {"a": "workspace:*"}}`: true,
	}
	for text, want := range cases {
		m, err := readManifest("", "package.json", []byte(text))
		if err != nil || m.local() != want {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}

// What decides is in the key, what does not is not.
func TestDependencyKey(t *testing.T) {
	key := func(d *dialect, node, manager string, secrets []slipway.EnvVar, files map[string]string) string {
		m, err := findManifest(write(t, t.TempDir(), files), ".")
		if err != nil {
			t.Fatal(err)
		}
		i := installation{
			App:     kind.App{Secrets: secrets},
			project: project{app: m, root: m},
			choice:  choice{dialect: d, lock: first(m.dir, d.lockFiles)},
			node:    toolchain.Node{Version: node}, manager: toolchain.Manager{Version: manager},
		}
		seen, err := i.files()
		if err != nil {
			t.Fatal(err)
		}
		return i.key(seen)
	}
	files := func(more ...string) map[string]string {
		all := map[string]string{"package.json": `{"dependencies": {"a": "1"}}`, "package-lock.json": "{}"}
		for n := 0; n < len(more); n += 2 {
			all[more[n]] = more[n+1]
		}
		return all
	}
	secret := func(name, value string) []slipway.EnvVar { return []slipway.EnvVar{{Name: name, Value: value}} }
	const named = "//registry/:_authToken=${NPM_TOKEN}"
	base := key(&npm, "20.1.0", "10.0.0", nil, files())
	for name, same := range map[string]string{
		"what is no dependency": key(&npm, "20.2.0", "10.0.0", nil, files("package.json", "{\"name\": \"a\", \"version\": \"2\", \"dependencies\":\n{\"a\":\"1\"}, \"scripts\": {\"x\": \"y\"}}", "src.ts", "x")),
		"another's settings":    key(&npm, "20.1.0", "10.0.0", nil, files(".yarnrc.yml", "x: y")),
		"a secret of no use":    key(&npm, "20.1.0", "10.0.0", secret("NPM_TOKEN", "a"), files()),
	} {
		if same != base {
			t.Errorf("%s changes the key", name)
		}
	}
	others := map[string]string{
		"":              base,
		"node":          key(&npm, "22.1.0", "10.0.0", nil, files()),
		"npm":           key(&npm, "20.1.0", "10.0.1", nil, files()),
		"pnpm":          key(&pnpm, "20.1.0", "10.0.0", nil, files()),
		"version":       key(&npm, "20.1.0", "10.0.0", nil, files("package.json", `{"dependencies": {"a": "2"}}`)),
		"lock":          key(&npm, "20.1.0", "10.0.0", nil, files("package-lock.json", "{ }")),
		"no lock":       key(&npm, "20.1.0", "10.0.0", nil, map[string]string{"package.json": `{"dependencies": {"a": "1"}}`}),
		"overrides":     key(&npm, "20.1.0", "10.0.0", nil, files("package.json", `{"dependencies": {"a": "1"}, "overrides": {"b": "1"}}`)),
		"npmrc":         key(&npm, "20.1.0", "10.0.0", nil, files(".npmrc", "x=y")),
		"no secret":     key(&npm, "20.1.0", "10.0.0", nil, files(".npmrc", named)),
		"a secret":      key(&npm, "20.1.0", "10.0.0", secret("NPM_TOKEN", "a"), files(".npmrc", named)),
		"other secret":  key(&npm, "20.1.0", "10.0.0", secret("NPM_TOKEN", "b"), files(".npmrc", named)),
		"yarn settings": key(&yarn, "20.1.0", "4.0.0", nil, files(".yarnrc.yml", "x: y")),
		"yarn":          key(&yarn, "20.1.0", "4.0.0", nil, files()),
	}
	seen := map[string]string{}
	for name, other := range others {
		if twin, ok := seen[other]; ok {
			t.Errorf("%q and %q have one key", name, twin)
		}
		seen[other] = name
	}
}

func TestWarnOfPeers(t *testing.T) {
	server := write(t, t.TempDir(), map[string]string{
		"node_modules/@langchain/langgraph-api/package.json": `{"peerDependencies": {"@langchain/core": "^1.1.0", "@langchain/langgraph": "^0.2.57 || ^1.0.0", "typescript": "^5"}}`,
	})
	app := func(core, langgraph string) installed {
		versions := map[string]string{"@langchain/core": core, "@langchain/langgraph": langgraph, "@langchain/langgraph-api": "1.4.0"}
		return installed{version: func(name string) string { return versions[name] }}
	}
	own := app("0.1.0", "0.1.0")
	own.deps = map[string]string{"@langchain/langgraph-api": "^1.4.0"}
	cases := map[string]struct {
		app  installed
		want string
	}{
		"fits":          {app("1.4.0", "0.2.60"), ""},
		"old":           {app("0.3.1", "1.0.0"), "Warning: the app installs @langchain/core 0.3.1; the server is made for ^1.1.0\n"},
		"pre-release":   {app("1.4.0", "1.0.0-alpha.1"), "Warning: the app installs @langchain/langgraph 1.0.0-alpha.1; the server is made for ^0.2.57 || ^1.0.0\n"},
		"absent":        {app("1.4.0", ""), "Warning: the app does not install @langchain/langgraph, which its graphs need\n"},
		"no version":    {app("1.4.0", "fork"), ""},
		"its own":       {own, "The app lists @langchain/langgraph-api itself: its own 1.4.0 is used\n"},
		"nothing known": {installed{}, "Warning: the app does not install @langchain/core, which its graphs need\nWarning: the app does not install @langchain/langgraph, which its graphs need\n"},
	}
	for name, c := range cases {
		var log strings.Builder
		warnOfPeers(c.app, server, &log)
		if log.String() != c.want {
			t.Errorf("%s: %q", name, &log)
		}
	}
}
