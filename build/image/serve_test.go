package image_test

import (
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

const echoPython = `
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from words import loud

class State(TypedDict):
    text: str

builder = StateGraph(State).add_node("echo", lambda s: {"text": loud(s["text"])})
graph = builder.add_edge(START, "echo").add_edge("echo", END).compile()
`

// Apps in Python are served by the server that the base has, and by ours.
func TestServesPython(t *testing.T) {
	bases := map[string]func(testing.TB, *client.Client, ...string){
		"server-of-image/langgraph-api:3.12": basetest.Python, "plain-of-image:3.12": basetest.PlainPython,
	}
	files := map[string]string{
		"langgraph.json":     `{"python_version": "3.12", "dependencies": ["langgraph", "./words", "."], "graphs": {"echo": "./echo.py:graph"}}`,
		"echo.py":            echoPython,
		"words/__init__.py":  "def loud(text: str) -> str:\n    return text.upper()\n",
		"words/requirements": "",
	}
	for base, make := range bases {
		t.Run(strings.NewReplacer("/", "-", ":", "-").Replace(base), func(t *testing.T) {
			b, c := open(t, true, image.Bases{Python: base})
			make(t, c, base)
			made, _ := build(t, b, app(t, "1", files))
			if got := ask(t, run(t, c, made.Image), `{"assistant_id": "echo", "input": {"text": "hello"}}`); got != `{"text":"HELLO"}` {
				t.Errorf("got %s", got)
			}
			if strings.HasPrefix(base, "plain") {
				expectTells(t, c, made.Image)
			}

			// A line of code changes, and nothing is installed again.
			begin := time.Now()
			changed := app(t, "7", files)
			if err := os.WriteFile(filepath.Join(changed.Dir, "words", "__init__.py"), []byte("def loud(text: str) -> str:\n    return text * 2\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			made, log := build(t, b, changed)
			t.Logf("another line of code: %v", time.Since(begin))
			if installs := strings.Count(log, "pip install"); strings.Count(log, "(unchanged)") < installs || strings.Contains(log, "Installed") {
				t.Errorf("installed again:\n%s", log)
			}
			if got := ask(t, run(t, c, made.Image), `{"assistant_id": "echo", "input": {"text": "hello"}}`); got != `{"text":"hellohello"}` {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Packages of the source are installed where they lie, with what they need.
func TestServesPackages(t *testing.T) {
	const base = "packages-of-image/langgraph-api:3.12"
	b, c := open(t, true, image.Bases{Python: base})
	basetest.Python(t, c, base)
	for key, of := range map[string]struct{ dir, config, run, want string }{
		"8": {"testdata/workspace", "agents/one/langgraph.json", `{"assistant_id": "echo", "input": {"text": "hello"}}`, `{"text":"HELLO"}`},
		"9": {"../../examples/monorepo-py", "agents/assistant/langgraph.json", `{"assistant_id": "shout", "input": {"messages": [{"role": "human", "content": "hello"}]}}`, "HELLO"},
	} {
		a := copied(t, key, of.dir, of.config)
		made, _ := build(t, b, a)
		if got := ask(t, run(t, c, made.Image), of.run); !strings.Contains(got, of.want) {
			t.Errorf("%s: got %s", of.dir, got)
		}
	}
}

// copied is an app of the repository.
func copied(t *testing.T, key, dir, config string) image.App {
	t.Helper()
	a := image.App{Key: strings.Repeat(key, 64), Dir: t.TempDir()}
	if err := os.CopyFS(a.Dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	var err error
	if a.Config, err = appconfig.Load(a.Dir, config); err != nil {
		t.Fatal(err)
	}
	return a
}

// Apps in JavaScript are served by our server, on an image with Node.
func TestServesNode(t *testing.T) {
	const base = "node-of-image:20"
	b, c := open(t, true, image.Bases{Node: base})
	basetest.Node(t, c, base)
	made, _ := build(t, b, copied(t, "2", "../../examples/echo-js", "langgraph.json"))
	got := ask(t, run(t, c, made.Image), `{"assistant_id": "echo", "input": {"messages": [{"role": "human", "content": "hello"}]}}`)
	if !strings.Contains(got, "hello") {
		t.Errorf("got %s", got)
	}
	expectTells(t, c, made.Image)
}

// run returns the address of a container's agent, once it serves.
func run(t *testing.T, c *client.Client, image string) string {
	t.Helper()
	port := network.MustParsePort("8000/tcp")
	made, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: image},
		HostConfig: &container.HostConfig{
			PortBindings: network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1")}}},
			CapDrop:      []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	address := ""
	testsignal.Eventually(t, "the agent to serve", func() bool {
		seen, err := c.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !seen.Container.State.Running {
			t.Fatalf("it has ended with exit code %d:\n%s", seen.Container.State.ExitCode, printed(t, c, made.ID))
		}
		address = "127.0.0.1:" + seen.Container.NetworkSettings.Ports[port][0].HostPort
		answer, err := http.Get("http://" + address + "/ok")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return address
}

func printed(t *testing.T, c *client.Client, id string) string {
	t.Helper()
	logs, err := c.ContainerLogs(t.Context(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	content, _ := io.ReadAll(logs)
	return string(content)
}

func ask(t *testing.T, address, run string) string {
	t.Helper()
	answer, err := http.Post("http://"+address+"/runs/wait", "application/json", strings.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(body))
}
