package toolchain_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// The real ones: each is brought once, by what an app asks for, and runs by the
// name that its users know.
func TestManagers(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches about 70 MB")
	}
	tools, tmp := toolchains(t, nil)
	node, err := tools.Node(t.Context(), 20, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	newest := func(name string) toolchain.Wanted { return toolchain.Wanted{Name: name} }
	cases := map[string]struct {
		wanted, or toolchain.Wanted
		version    string
		says       string
	}{
		"yarn":                     {newest("yarn"), newest("yarn"), "4.18.1", "Using yarn 4.18.1"},
		"yarn classic":             {toolchain.Wanted{Name: "yarn", Version: "1.x"}, newest("yarn"), "1.22.22", ""},
		"pnpm":                     {newest("pnpm"), newest("pnpm"), "10.34.9", ""},
		"pnpm by a range":          {toolchain.Wanted{Name: "pnpm", Version: "9.x"}, newest("pnpm"), "9.15.9", ""},
		"an exact one":             {toolchain.Wanted{Name: "pnpm", Version: "9.15.8"}, newest("pnpm"), "9.15.8", "Brought pnpm 9.15.8"},
		"bun":                      {newest("bun"), newest("bun"), "1.4.4", ""},
		"a range of no one":        {toolchain.Wanted{Name: "pnpm", Version: "7.x"}, newest("pnpm"), "10.34.9", "pnpm@7.x can not be used: the npm registry has no such version"},
		"one that never was":       {toolchain.Wanted{Name: "yarn", Version: "1.99.0"}, toolchain.Wanted{Name: "yarn", Version: "1.x"}, "1.22.22", "yarn@1.99.0 can not be used"},
		"what is no version":       {toolchain.Wanted{Name: "yarn", Version: "latest/../x"}, newest("yarn"), "4.18.1", ""},
		"the same from a lock too": {newest("bun"), toolchain.Wanted{Name: "bun", Version: "1.x"}, "1.4.4", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var log lines
			m, err := tools.Manager(t.Context(), node, c.wanted, c.or, &log)
			if err != nil || m.Version != c.version || !strings.Contains(log.String(), c.says) {
				t.Fatalf("%+v, %v\n%s", m, err, &log)
			}
			var out []string
			run := command.Command{
				Args: []string{"/bin/sh", "-c", m.Name + " --version"}, Dir: tmp,
				Env: toolchain.Environment(m.Path(), t.TempDir()), As: command.Server,
				Line: func(line string) { out = append(out, line) },
			}
			if code, err := run.Run(t.Context()); code != 0 || err != nil || !slices.Contains(out, c.version) {
				t.Errorf("exit %d, %v: %q", code, err, out)
			}
		})
	}
	expectEmpty(t, tmp)
}

// A version that the app answers for comes with the digest that the registry
// gives; what does not have it is not kept.
func TestManagerIsVerified(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case "/@yarnpkg%2Fcli-dist/4.0.0":
			io.WriteString(w, `{"dist": {"integrity": "sha512-AAAA"}}`)
		case "/@yarnpkg/cli-dist/-/cli-dist-4.0.0.tgz":
			io.WriteString(w, "a trap")
		case "/pnpm/9.0.0":
			io.WriteString(w, `{"dist": {"shasum": "00"}}`)
		case "/pnpm/9.0.1":
			http.Error(w, "out of order", http.StatusInternalServerError)
		default:
			t.Errorf("asked for %s", r.URL.EscapedPath())
		}
	}))
	defer registry.Close()
	t.Setenv("npm_config_registry", registry.URL)
	tools, tmp := toolchains(t, fakes(t, map[string]string{"a": answers("22.1.0")}))
	node, err := tools.Node(t.Context(), 20, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for version, c := range map[string]struct{ name, code, message string }{
		"4.0.0": {"yarn", "integrity_mismatch", "cli-dist-4.0.0.tgz is not the file that is expected"},
		"9.0.0": {"pnpm", "integrity_mismatch", "gives no SHA-512"},
		"9.0.1": {"pnpm", "registry_unreachable", "500 Internal Server Error"},
	} {
		w := toolchain.Wanted{Name: c.name, Version: version}
		_, err := tools.Manager(t.Context(), node, w, toolchain.Wanted{Name: c.name}, io.Discard)
		expect(t, err, c.code, c.message)
	}
	expectEmpty(t, tmp)
	if kept, _ := filepath.Glob(filepath.Join(filepath.Dir(tmp), "toolchains", "*")); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
}
