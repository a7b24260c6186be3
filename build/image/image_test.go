package image_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

const (
	pythonBase = "plain-python-of-image:3.12"
	serverBase = "test/langgraph-api:3.12"
	nodeBase   = "plain-node-of-image:20"
)

// open returns a builder on this process's engine, by BuildKit or the classic
// builder.
func open(t *testing.T, kit bool) *image.Builder {
	t.Helper()
	e := dockertest.Shared(t)
	options := []client.Opt{client.WithHost(e.Host())}
	if !kit {
		options = append(options, client.WithHTTPResponseHook(func(r *http.Response) { r.Header.Set("Builder-Version", "1") }))
	}
	c, err := client.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return image.New(image.Options{
		Engine: &engine.Engine{Client: c}, Owner: "test",
		Bases: image.Bases{Python: pythonBase, Node: nodeBase},
	})
}

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

func app(t *testing.T, key string, files map[string]string) image.App {
	t.Helper()
	dir := write(t, files)
	c, err := appconfig.Load(dir, "langgraph.json")
	if err != nil {
		t.Fatal(err)
	}
	return image.App{Key: strings.Repeat(key, 64)[:64], Dir: dir, Config: c}
}

const pythonConfig = `{"base_image": "test/langgraph-api", "python_version": "3.12", "dependencies": ["six", "."], "graphs": {"echo": "./echo.py:graph"}, "dockerfile_lines": ["RUN echo line of mine"]}`

func TestTry(t *testing.T) {
	e := dockertest.Shared(t).Client(t)
	basetest.PlainPython(t, e, pythonBase)
	basetest.Python(t, e, serverBase)
	basetest.Node(t, e, nodeBase)
	for _, kit := range []bool{true, false} {
		b := open(t, kit)
		var log bytes.Buffer
		a, err := b.Build(t.Context(), app(t, map[bool]string{true: "a", false: "b"}[kit], map[string]string{"langgraph.json": pythonConfig, "echo.py": "graph = 1"}), &log)
		t.Logf("%+v %v\n%s", a, err, log.String())
	}
	_ = slipway.EnvVar{}
}
