package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/kind"
)

// standIn is a kind that needs nothing, for apps that say so in langgraph.json.
type standIn struct {
	prepare func(context.Context, kind.App, io.Writer) error
	runtime map[string]string // what it says of itself
}

func (s *standIn) open(string, string) kind.Kind { return s }

func (s *standIn) Agent() slipway.AgentKind { return slipway.AgentKind{Name: "stand-in", Probe: "/ok"} }

func (s *standIn) Fingerprint() string { return "stand-in 1" }

func (s *standIn) Accepts(c appconfig.Config, _ slipway.AgentServer) bool {
	return c.Raw["stand_in"] != nil
}

func (s *standIn) Prepare(ctx context.Context, app kind.App, log io.Writer) (map[string]string, error) {
	var err error
	if s.prepare != nil {
		err = s.prepare(ctx, app, log)
	}
	runtime := map[string]string{"stand-in": "1"}
	maps.Copy(runtime, s.runtime)
	return runtime, err
}

func (s *standIn) Launch(_ context.Context, b kind.Bundle) (slipway.Launch, error) {
	return slipway.Launch{Args: []string{"/bin/true", b.Dir, b.Config}}, nil
}

const standInConfig = `{"graphs": {"a": "./a.ts:a"}, "stand_in": true}`

// data is a data folder that the test can remove.
func data(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipway-build-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
		os.RemoveAll(dir)
	})
	return dir
}

func open(t testing.TB, dir string, kinds ...*standIn) *build.Builder {
	t.Helper()
	o := build.Options{Dir: dir, Users: users}
	for _, k := range kinds {
		o.Kinds = append(o.Kinds, k.open)
	}
	b, err := build.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// request of a source that is packed from files.
func request(t testing.TB, files map[string]string) slipway.BuildRequest {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) { // the same files, the same digest
		content := files[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	zipped.Close()
	return requestOf(packed.Bytes())
}

func requestOf(tarball []byte) slipway.BuildRequest {
	sum := sha256.Sum256(tarball)
	return slipway.BuildRequest{
		Deployment: "d", Revision: "r", SourceDigest: hex.EncodeToString(sum[:]),
		Source:  func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tarball)), nil },
		Secrets: func(context.Context) ([]slipway.EnvVar, error) { return nil, nil },
	}
}

// folder reads an app of the repository, but for what is not packed.
func folder(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if entry != nil && entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// lines is a log that several may write to.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func expectFailure(t *testing.T, err error, step, code, message string) {
	t.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok {
		t.Fatalf("error %v is no failure", err)
	}
	if f.Code != code || f.Step != step || !strings.Contains(f.Message, message) {
		t.Errorf("got %s in %s: %s", f.Code, f.Step, f.Message)
	}
}

func expectNothing(t *testing.T, dir string, below ...string) {
	t.Helper()
	for _, name := range below {
		if left, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", name, left, err)
		}
	}
}
