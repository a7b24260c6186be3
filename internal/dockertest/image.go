package dockertest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/moby/moby/client"
)

// Image has the engine hold an image of that name that runs a Go program of this
// module, and nothing else: there is not even a shell in it. pkg is the program's
// import path, args follow its name. It returns the image's id and is removed
// with the engine.
func (e *Engine) Image(t testing.TB, name, pkg string, args ...string) string {
	t.Helper()
	entrypoint, err := json.Marshal(append([]string{"/program"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return e.Import(t, name, map[string][]byte{"program": Program(t, pkg)}, "ENTRYPOINT "+string(entrypoint))
}

// Import has the engine hold an image made of executable files, by their paths,
// and lines as in a Dockerfile. It returns the image's id.
func (e *Engine) Import(t testing.TB, name string, files map[string][]byte, lines ...string) string {
	t.Helper()
	layer := tarOf(t, files)
	c := e.Client(t)
	said, err := c.ImageImport(t.Context(), client.ImageImportSource{Source: layer, SourceName: "-"}, name, client.ImageImportOptions{Changes: lines})
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	if _, err := io.Copy(io.Discard, said); err != nil {
		t.Fatal(err)
	}
	image, err := c.ImageInspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return image.ID
}

// tarOf packs executable files.
func tarOf(t testing.TB, files map[string][]byte) *bytes.Buffer {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for path, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &packed
}

// programs are those that this process has compiled, by import path.
var programs sync.Map

// Program compiles a Go program of this module so that it needs nothing beside.
func Program(t testing.TB, pkg string) []byte {
	t.Helper()
	once, _ := programs.LoadOrStore(pkg, sync.OnceValues(func() ([]byte, error) { return compile(pkg) }))
	program, err := once.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func compile(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, said)
	}
	return os.ReadFile(out)
}
