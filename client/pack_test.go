package client_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/client"
)

// write makes an app of names and contents in a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(t *testing.T, dir string) *client.Archive {
	t.Helper()
	a, err := client.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func unpack(t *testing.T, r io.Reader) (names []string, content map[string]string) {
	t.Helper()
	zip, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	content = map[string]string{}
	for tape := tar.NewReader(zip); ; {
		h, err := tape.Next()
		if errors.Is(err, io.EOF) {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || h.Uid != 0 || h.Uname != "" || !h.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("header %+v", h)
		}
		raw, err := io.ReadAll(tape)
		if err != nil {
			t.Fatal(err)
		}
		names, content[h.Name] = append(names, h.Name), string(raw)
	}
}

func TestPackLeavesOut(t *testing.T) {
	tests := []struct {
		name       string
		files      []string
		git, dock  string
		config     string
		want       []string
		wantHidden bool
	}{
		{name: "what is made anew", files: []string{"a.py", "b/node_modules/x", "node_modules/x", ".git/HEAD", ".langgraph_api/s", "b/__pycache__/x.pyc", "x.pyc", ".venv/x", ".slipway/admin.key", ".env"}, want: []string{".env", "a.py"}},
		{name: "by name at any depth", files: []string{"a", "x/secret.txt", "secret.txt", "y/z/secret.txt"}, git: "# c\n\nsecret.txt\n", want: []string{"a"}},
		{name: "anchored", files: []string{"dist/a", "x/dist/a"}, git: "/dist", want: []string{"x/dist/a"}},
		{name: "folders only", files: []string{"out", "x/out/a", "x/b"}, git: "out/", want: []string{"out", "x/b"}},
		{name: "patterns", files: []string{"a.log", "x/b.log", "keep.log", "doc/x/y.md", "doc/y.md", "f1", "f2", "fx"}, git: "*.log\n!keep.log\ndoc/**/y.md\nf[12]", want: []string{"fx", "keep.log"}},
		{name: "git does not go back into a folder", files: []string{"x/a", "x/b"}, git: "x/\n!x/a", want: nil},
		{name: "Docker's begin at the root", files: []string{"a.txt", "x/a.txt"}, dock: "a.txt", want: []string{"x/a.txt"}},
		{name: "Docker goes back into a folder", files: []string{"x/a", "x/b", "c"}, dock: "*\n!x/a\n!c", want: []string{"c", "x/a"}},
		{name: "Docker's any depth", files: []string{"x/y/a.md", "a.md", "b"}, dock: "**/*.md", want: []string{"b"}},
		{name: "but not the variables", files: []string{".env", ".env.local", "conf/env", "conf/other"}, git: ".env*\nconf/", dock: ".env*", config: `{"env":"./conf/env"}`, want: []string{"conf/env", "langgraph.json"}},
		{name: "variables at the root", files: []string{".env", ".env.local"}, git: ".env*", config: `{"env":".env"}`, want: []string{".env", "langgraph.json"}},
		{name: "variables written out", files: []string{".env"}, git: ".env", config: `{"env":{"A":"b"}}`, want: []string{"langgraph.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			for _, f := range tt.files {
				files[f] = f
			}
			for name, text := range map[string]string{".gitignore": tt.git, ".dockerignore": tt.dock, "langgraph.json": tt.config} {
				if text != "" {
					files[name] = text
				}
			}
			names, _ := unpack(t, pack(t, write(t, files)))
			names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "ignore") })
			if !slices.Equal(names, tt.want) {
				t.Errorf("got %q, want %q", names, tt.want)
			}
		})
	}
}

// The same content makes the same archive, whenever and in whatever order it
// was written.
func TestPackIsDeterministic(t *testing.T) {
	files := map[string]string{"b/c": "1", "a": "2", "b.txt": "3", "langgraph.json": "{}"}
	first, second := write(t, files), write(t, files)
	if err := os.Chtimes(filepath.Join(second, "a"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	a, b := pack(t, first), pack(t, second)
	if a.Digest != b.Digest || a.Size != b.Size || a.Files != 4 {
		t.Errorf("%s, %d bytes of %d files; then %s, %d bytes", a.Digest, a.Size, a.Files, b.Digest, b.Size)
	}
	names, content := unpack(t, a)
	if !slices.Equal(names, []string{"a", "b/c", "b.txt", "langgraph.json"}) || !maps.Equal(content, files) {
		t.Errorf("got %q: %q", names, content)
	}
	if err := os.WriteFile(filepath.Join(second, "a"), []byte("other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c := pack(t, second); c.Digest == a.Digest {
		t.Error("other content, same digest")
	}
}

func TestPackLinks(t *testing.T) {
	outside := write(t, map[string]string{"secret": "s"})
	dir := write(t, map[string]string{"real": "r", "sub/x": "x"})
	for name, target := range map[string]string{"in": "real", "dir": "sub", "out": filepath.Join(outside, "secret"), "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	a := pack(t, dir)
	_, content := unpack(t, a)
	if want := map[string]string{"real": "r", "in": "r", "sub/x": "x"}; !maps.Equal(content, want) {
		t.Errorf("got %q, want %q", content, want)
	}
	if want := []string{"dangling", "dir", "out"}; !slices.Equal(a.Skipped, want) {
		t.Errorf("skipped %q, want %q", a.Skipped, want)
	}
}

func TestPackOfNothing(t *testing.T) {
	if _, err := client.Pack(filepath.Join(t.TempDir(), "absent")); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
