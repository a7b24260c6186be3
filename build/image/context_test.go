package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestStream(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"a.py": 0o600, "run.sh": 0o700, "lib/b.py": 0o644, "node_modules/x/y.js": 0o644, "node_modules/keep.js": 0o644, "secret": 0o644,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte("# what is not needed\nnode_modules\n!node_modules/keep.js\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := openSource(dir, map[string]string{"secret": "slipway-file-0"})
	if err != nil {
		t.Fatal(err)
	}
	r := &recipe{dockerfile: "FROM x\n", ours: map[string][]byte{"slipway/app/requirements.txt": []byte("six\n")}}
	stream := s.stream(r)
	defer stream.Close()
	var names []string
	for entries := tar.NewReader(stream); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s is of %d %q at %v", h.Name, h.Uid, h.Uname, h.ModTime)
		}
		if executable := h.Mode&0o111 != 0; executable != (h.Name == "app/run.sh" || h.Typeflag == tar.TypeDir) {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		names = append(names, h.Name)
	}
	want := "Dockerfile slipway/app/requirements.txt app/ app/.dockerignore app/a.py app/lib/ app/lib/b.py app/node_modules/keep.js app/run.sh"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Memory does not grow with the source.
func TestStreamIsConstant(t *testing.T) {
	dir := t.TempDir()
	large, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 << 20
	if err := errors.Join(large.Truncate(size), large.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := openSource(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.Copy(io.Discard, s.stream(&recipe{}))
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; n < size || err != nil || grown > 4<<20 {
		t.Errorf("%d bytes, %v, %d allocated", n, err, grown)
	}
}

func TestDockerignoreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte("[\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := openSource(dir, nil)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "dockerignore_invalid" {
		t.Errorf("got %v", err)
	}
}
