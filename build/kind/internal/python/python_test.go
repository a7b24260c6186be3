package python

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/toolchain"
)

func TestParseLock(t *testing.T) {
	l := parseLock("# a comment\n--index-url x\nZope.Interface[a]==1.0 ; python_version > '3' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n" +
		"-e file:///data/app/one\n-e ./two\nlib @ file:///data/app/three\n./four ; sys_platform == 'linux'\ngit-it @ git+https://host/x@abc\nattrs==2\n")
	want := lock{
		pinned: []pinned{{name: "attrs", version: "2"}, {name: "zope-interface", version: "1.0", hashes: []string{"sha256:aa", "sha256:bb"}}},
		direct: []string{"git-it @ git+https://host/x@abc"},
		local:  []string{"/data/app/one", "./two", "/data/app/three", "./four"},
	}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("got %+v", l)
	}
	again := parseLock(l.String())
	if again.local = l.local; !reflect.DeepEqual(again, l) {
		t.Errorf("written and read: %+v", again)
	}
	if l.version("attrs") != "2" || l.version("absent") != "" {
		t.Error("versions are wrong")
	}
}

// Of a package that the server's lock knows, no other file is taken.
func TestTrust(t *testing.T) {
	known := parseLock("a==1 --hash=sha256:good\nb==1 --hash=sha256:good\n")
	got := parseLock("a==1 --hash=sha256:evil\nb==2 --hash=sha256:other\nc==1 --hash=sha256:new\n").trust(known)
	if want := parseLock("a==1 --hash=sha256:good\nb==2 --hash=sha256:other\nc==1 --hash=sha256:new\n"); got.digest() != want.digest() {
		t.Errorf("got\n%s", got)
	}
}

func TestReadReport(t *testing.T) {
	l, err := readReport([]byte(`{"install": [
		{"metadata": {"name": "B_b", "version": "1"}, "download_info": {"url": "https://x/b.whl", "archive_info": {"hashes": {"sha256": "aa"}}}},
		{"metadata": {"name": "app", "version": "1"}, "is_direct": true, "download_info": {"url": "file:///data/app", "dir_info": {"editable": true}}},
		{"metadata": {"name": "g", "version": "1"}, "is_direct": true, "download_info": {"url": "https://x/g.zip", "archive_info": {}}}
	]}`))
	want := lock{pinned: []pinned{{"b-b", "1", []string{"sha256:aa"}}}, direct: []string{"g @ https://x/g.zip"}, local: []string{"/data/app"}}
	if err != nil || !reflect.DeepEqual(l, want) {
		t.Errorf("got %+v, %v", l, err)
	}
}

// What only happens to those who have no disk or a bad index left; the rest is
// tested with the real tools.
func TestExplain(t *testing.T) {
	cases := map[string]struct{ said, code, message string }{
		"uv disk":     {"error: Failed to install: x.whl\n  cause: failed to write to file `/data/x`: No space left on device (os error 28)", "disk_full", "No space left on device"},
		"pip disk":    {"ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk_full", "[Errno 28]"},
		"uv hash":     {"error: Hash mismatch for `six==1.17.0`\n\nExpected:\n  sha256:aa\n\nComputed:\n  sha256:bb", "integrity_mismatch", "Hash mismatch for `six==1.17.0`\nExpected:\nsha256:aa"},
		"pip hash":    {"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "integrity_mismatch", "DO NOT MATCH"},
		"uv python":   {"error: No solution found when resolving dependencies\n  cause: Because the requested Python version (>=3.12.1) does not satisfy Python>=3.13 and x==1 depends on Python>=3.13, we can conclude that x==1 cannot be used.", "dependency_conflict", "does not satisfy"},
		"pip denied":  {"WARNING: 401 Error, Credentials not correct for https://x\nERROR: No matching distribution found for six", "registry_denied", "No matching"},
		"killed":      {"", "install_failed", "it said nothing"},
		"unknown":     {"line 1\nSegmentation fault", "install_failed", "line 1\nSegmentation fault"},
		"certificate": {"error: Failed to fetch: `https://x/simple/six/`\n  cause: invalid peer certificate: UnknownIssuer", "registry_unreachable", "UnknownIssuer"},
	}
	j := &job{Maker: &Maker{server: Server{Name: "The server", Packages: []string{"the-server"}}}}
	j.with = uv{j, toolchain.UV{}}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			said := output{exit: 1}
			for line := range strings.Lines(c.said) {
				said.add(strings.TrimSuffix(line, "\n"))
			}
			f, ok := errors.AsType[*slipway.Failure](j.explain(&said, "install", nil))
			if !ok || f.Code != c.code || !strings.Contains(f.Message, c.message) || f.Step != "install" || *f.Exit != 1 {
				t.Errorf("got %+v", f)
			}
		})
	}
	if err := j.explain(new(output), "install", nil); err != nil {
		t.Errorf("a good end is %v", err)
	}
	if err := j.explain(new(output), "install", os.ErrClosed); err != os.ErrClosed {
		t.Errorf("another error is %v", err)
	}
}

func TestExplainIsShort(t *testing.T) {
	said := output{exit: 1}
	for range 100 {
		said.add("error: " + strings.Repeat("é", 400))
	}
	if text := said.quote(); len(text) > quoteBytes || !strings.HasPrefix(text, "éé") {
		t.Errorf("%d bytes", len(text))
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRelocate(t *testing.T) {
	site := t.TempDir()
	write(t, site, map[string]string{
		"a.pth": "/tmp/build-1/app/src\n", "f.py": "X = '/elsewhere'\n",
		"a-1.dist-info/RECORD": "a.pth,sha256=old,1\nf.py,sha256=old,1\na-1.dist-info/RECORD,,\na-1.dist-info/gone,sha256=old,1\n",
	})
	if err := relocate(site, "/tmp/build-1/app", "/data/bundles/k/app"); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(filepath.Join(site, "a.pth")); string(content) != "/data/bundles/k/app/src\n" {
		t.Errorf("a.pth is %q", content)
	}
	record, _ := os.ReadFile(filepath.Join(site, "a-1.dist-info/RECORD"))
	if text := string(record); strings.Contains(text, "old") || strings.Contains(text, "gone") || !strings.Contains(text, "a.pth,sha256=") || !strings.Contains(text, ",24\n") {
		t.Errorf("RECORD is\n%s", text)
	}
}

func TestTidy(t *testing.T) {
	site := t.TempDir()
	write(t, site, map[string]string{
		".lock": "", "a/REQUESTED": "", "a/__pycache__/x.pyc": "", "a-1.dist-info/REQUESTED": "", "a-1.dist-info/uv_cache.json": "", "a-1.dist-info/METADATA": "",
	})
	if err := tidy(site); err != nil {
		t.Fatal(err)
	}
	left, err := files(site)
	for _, name := range []string{"/.lock", "/a/__pycache__", "/a-1.dist-info/REQUESTED", "/a-1.dist-info/uv_cache.json"} {
		if left[name] || err != nil {
			t.Errorf("%s is left, %v", name, err)
		}
	}
	if !left["/a/REQUESTED"] || !left["/a-1.dist-info/METADATA"] {
		t.Errorf("left are %v", left)
	}
}
