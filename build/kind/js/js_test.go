package js

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
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
			said := output{exit: 1}
			for line := range strings.Lines(c.said) {
				said.add(strings.TrimSuffix(line, "\n"))
			}
			f, ok := errors.AsType[*slipway.Failure](said.explain(dependencies, nil))
			if !ok || f.Code != c.code || !strings.HasSuffix(f.Message, c.message) && name != "silence" || *f.Exit != 1 || f.Step != "install" {
				t.Errorf("got %+v", f)
			}
		})
	}
	if err := new(output).explain(dependencies, nil); err != nil {
		t.Errorf("a good end is %v", err)
	}
	if err := new(output).explain(dependencies, os.ErrClosed); err != os.ErrClosed {
		t.Errorf("another error is %v", err)
	}
}

func TestExplainIsShort(t *testing.T) {
	said := output{exit: 1}
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
	key := func(node string, files map[string]string) string {
		m, err := findManifest(write(t, t.TempDir(), files), ".")
		if err != nil {
			t.Fatal(err)
		}
		seen, err := m.installFiles()
		if err != nil {
			t.Fatal(err)
		}
		return dependencyKey(seen, toolchain.Node{Version: node})
	}
	base := key("20.1.0", map[string]string{"package.json": `{"name": "a", "dependencies": {"a": "1"}}`, "package-lock.json": "{}"})
	same := key("20.2.0", map[string]string{"package.json": "{\"version\": \"2\", \"dependencies\":\n{\"a\":\"1\"}, \"scripts\": {\"x\": \"y\"}}", "package-lock.json": "{}", "src.ts": "x"})
	if base != same {
		t.Error("what does not decide changes the key")
	}
	others := map[string]string{
		"node":      key("22.1.0", map[string]string{"package.json": `{"dependencies": {"a": "1"}}`, "package-lock.json": "{}"}),
		"version":   key("20.1.0", map[string]string{"package.json": `{"dependencies": {"a": "2"}}`, "package-lock.json": "{}"}),
		"lock":      key("20.1.0", map[string]string{"package.json": `{"dependencies": {"a": "1"}}`, "package-lock.json": "{ }"}),
		"no lock":   key("20.1.0", map[string]string{"package.json": `{"dependencies": {"a": "1"}}`}),
		"overrides": key("20.1.0", map[string]string{"package.json": `{"dependencies": {"a": "1"}, "overrides": {"b": "1"}}`, "package-lock.json": "{}"}),
		"npmrc":     key("20.1.0", map[string]string{"package.json": `{"dependencies": {"a": "1"}}`, "package-lock.json": "{}", ".npmrc": "x=y"}),
	}
	seen := []string{base}
	for name, other := range others {
		if slices.Contains(seen, other) {
			t.Errorf("%s does not change the key", name)
		}
		seen = append(seen, other)
	}
}

func TestWarnOfPeers(t *testing.T) {
	server := write(t, t.TempDir(), map[string]string{
		"node_modules/@langchain/langgraph-api/package.json": `{"peerDependencies": {"@langchain/core": "^1.1.0", "@langchain/langgraph": "^0.2.57 || ^1.0.0", "typescript": "^5"}}`,
	})
	app := func(core, langgraph string) installed {
		return installed{packages: map[string]pkg{
			"node_modules/@langchain/core": {Version: core}, "node_modules/@langchain/langgraph": {Version: langgraph},
		}}
	}
	own := app("0.1.0", "0.1.0")
	own.packages["node_modules/@langchain/langgraph-api"] = pkg{Version: "1.4.0"}
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
