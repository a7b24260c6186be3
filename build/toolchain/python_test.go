package toolchain_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// pythons looks for Python and uv among fakes only.
func pythons(t *testing.T, python, uv map[string]string) *toolchain.Toolchains {
	t.Helper()
	data := t.TempDir()
	tmp := filepath.Join(data, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	return toolchain.New(toolchain.Options{
		Dir: filepath.Join(data, "toolchains"), Tmp: tmp, SearchPython: fakes(t, python), SearchUV: fakes(t, uv),
	})
}

func python(version string) string { return "echo " + version + "; echo $0" }

func TestPython(t *testing.T) {
	many := map[string]string{
		"a": python("3.10.1"), "b": python("3.11.9"), "c": python("3.12.1"), "d": python("3.12.10"), "e": python("3.13.0"), "f": python("3.99.0"),
		"shim": "echo 'pyenv: not found' >&2; exit 127", "no ssl": "echo ImportError >&2; exit 1", "chatty": "echo hello",
	}
	cases := map[string]struct {
		installed    map[string]string
		minor, least int
		version      string
		message      string // of the failure
	}{
		"newest that was tried": {many, 0, 11, "3.13.0", ""},
		"asked for":             {many, 12, 11, "3.12.10", ""},
		"newer than tried":      {many, 99, 11, "3.99.0", ""},
		"only a newer one":      {map[string]string{"a": python("3.99.0")}, 0, 11, "3.99.0", ""},
		"only old ones":         {map[string]string{"a": python("3.10.1")}, 0, 11, "", "There is no Python 3.11 or newer: installed are 3.10.1 at /"},
		"not that one":          {many, 14, 11, "", "There is no Python 3.14: installed are 3.99.0 at "},
		"too old for a server":  {many, 11, 12, "", "The agent server needs Python 3.12 or newer, and the app asks for 3.11."},
		"none":                  {nil, 0, 11, "", "none is installed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := pythons(t, c.installed, nil).Python(t.Context(), c.minor, c.least, io.Discard)
			if c.message != "" {
				expect(t, err, "python_unavailable", c.message)
			} else if err != nil || p.Version != c.version {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

func TestExactlyPython(t *testing.T) {
	tools := pythons(t, map[string]string{"a": python("3.12.1"), "b": python("3.12.7"), "c": python("3.13.0")}, nil)
	for wanted, want := range map[string]string{"3.12.1": "3.12.1", "3.12.3": "3.12.7"} {
		if p, err := tools.ExactlyPython(t.Context(), wanted); err != nil || p.Version != want {
			t.Errorf("%s: %v, %v", wanted, p, err)
		}
	}
	_, err := tools.ExactlyPython(t.Context(), "3.11.1")
	expect(t, err, "python_unavailable", "There is no Python 3.11: installed are 3.13.0")
}

// Every one that is found here has been run, and says what it is.
func TestUsualPythons(t *testing.T) {
	tools := toolchain.New(toolchain.Options{Dir: t.TempDir(), Tmp: t.TempDir()})
	p, err := tools.Python(t.Context(), 0, 11, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	c := command.Command{Args: []string{p.Path, "-V"}, Dir: "/", As: command.Server, Line: func(line string) { said = append(said, line) }}
	if code, err := c.Run(t.Context()); code != 0 || err != nil || !slices.Equal(said, []string{"Python " + p.Version}) {
		t.Errorf("%v says %q, %d, %v", p, said, code, err)
	}
}

func TestInstalledUV(t *testing.T) {
	installed := map[string]string{"a": "exit 127", "b": "echo 'uv 0.1.2'", "c": "echo 'uv 0.12.3 (abc 2026-01-01)'"}
	u, err := pythons(t, nil, installed).UV(t.Context(), io.Discard)
	if err != nil || u.Version != "0.12.3" || filepath.Base(u.Path) != "c" {
		t.Errorf("got %v, %v", u, err)
	}
}

// index is one that lists every file of uv and pip, with a content of its own.
func index(t *testing.T, form func(file, link string) string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" {
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/files/") {
			io.WriteString(w, "a trap")
			return
		}
		io.WriteString(w, form("pip-26.3-py3-none-any.whl", "../../files/pip-26.3-py3-none-any.whl"))
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "//", "//user:secret@", 1) + "/simple"
}

func TestBringFromPyPIRefuses(t *testing.T) {
	html := func(_, link string) string {
		return fmt.Sprintf(`<a href="../../files/pip-26.2-py3-none-any.whl">x</a> <a data-x="" href="%s#sha256=00">y</a>`, link)
	}
	json := func(file, link string) string {
		return fmt.Sprintf(`{"files": [{"filename": %q, "url": %q}]}`, file, link)
	}
	trap := fmt.Sprintf("%x", sha256.Sum256([]byte("a trap")))
	cases := map[string]struct{ index, code, message string }{
		"other file, html": {index(t, html), "integrity_mismatch", "its SHA-256 is " + trap},
		"other file, json": {index(t, json), "integrity_mismatch", "its SHA-256 is " + trap},
		"not listed":       {index(t, func(string, string) string { return "{}" }), "registry_unreachable", "does not list pip-26.3"},
		"denied":           {strings.Replace(index(t, json), "secret", "other", 1), "registry_unreachable", "401 Unauthorized"},
		"nobody":           {"http://127.0.0.1:1/simple", "registry_unreachable", "connection refused"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PIP_INDEX_URL", c.index)
			_, err := pythons(t, nil, nil).Pip(t.Context(), io.Discard)
			expect(t, err, c.code, c.message)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the message shows a password: %v", err)
			}
		})
	}
}

// The real thing: a machine without uv and pip gets both.
func TestBringFromPyPI(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches about 20 MB")
	}
	var log lines
	data := t.TempDir()
	t.Cleanup(func() { os.Chmod(filepath.Join(data, "uv-0.13.9"), 0o755) })
	tmp := t.TempDir()
	tools := toolchain.New(toolchain.Options{Dir: data, Tmp: tmp, SearchUV: func() []string { return nil }})
	u, err := tools.UV(t.Context(), &log)
	if err != nil || u.Version != "0.13.9" {
		t.Fatalf("got %v, %v", u, err)
	}
	pip, err := tools.Pip(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tools.Python(t.Context(), 0, 11, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	c := command.Command{Args: []string{p.Path, pip.Path, "--version"}, Dir: "/", As: command.Server, Line: func(line string) { said = append(said, line) }}
	if code, err := c.Run(t.Context()); code != 0 || err != nil || !strings.HasPrefix(strings.Join(said, " "), "pip 26.3 ") {
		t.Errorf("pip says %q, %d, %v", said, code, err)
	}
	if again, err := tools.UV(t.Context(), &log); err != nil || again != u || strings.Count(log.String(), "Brought uv") != 1 {
		t.Errorf("then %v, %v; log:\n%s", again, err, &log)
	}
	expectEmpty(t, tmp)
}

func TestIndexes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pip.conf")
	os.WriteFile(file, []byte("[global]\n# a comment\nindex-url = https://one/simple\nextra_index_url =\n\thttps://two/simple\n\thttps://three/simple\n[list]\nindex-url = https://not\n[install]\ntrusted-host = one\n"), 0o644)
	for _, name := range []string{"UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "UV_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	if i, err := toolchain.Indexes(""); err != nil || i.URL != "https://pypi.org/simple" {
		t.Errorf("by default %+v, %v", i, err)
	}
	i, err := toolchain.Indexes(file)
	if err != nil || i.URL != "https://one/simple" || !slices.Equal(i.Extra, []string{"https://two/simple", "https://three/simple"}) || !slices.Equal(i.Trusted, []string{"one"}) {
		t.Errorf("of a file %+v, %v", i, err)
	}
	env := i.Environment()
	for _, want := range []string{"UV_DEFAULT_INDEX=https://one/simple", "PIP_INDEX_URL=https://one/simple", "UV_INDEX=https://two/simple https://three/simple", "PIP_TRUSTED_HOST=one"} {
		if !slices.Contains(env, want) {
			t.Errorf("%q lacks %s", env, want)
		}
	}
	t.Setenv("PIP_INDEX_URL", "https://machine/simple")
	if i, _ := toolchain.Indexes(""); i.URL != "https://machine/simple" {
		t.Errorf("of a variable %+v", i)
	}
	if i, _ := toolchain.Indexes(file); i.URL != "https://one/simple" {
		t.Errorf("the app's file does not win: %+v", i)
	}
}
