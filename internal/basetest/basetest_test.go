package basetest_test

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// What the vendor's client has a base image do: install an app by uv, put the
// server right again, and remove the tools.
const vendors = `FROM base-of-basetest:3.12
ADD . /deps/app
RUN cd /deps/app && PYTHONDONTWRITEBYTECODE=1 uv pip install --system --no-cache-dir -c /api/constraints.txt -e .
ENV LANGSERVE_GRAPHS='{"echo": "/deps/app/echo.py:graph"}'
RUN mkdir -p /api/langgraph_api /api/langgraph_runtime && touch /api/langgraph_api/__init__.py /api/langgraph_runtime/__init__.py
RUN PYTHONDONTWRITEBYTECODE=1 uv pip install --system --no-cache-dir --no-deps -e /api
RUN pip uninstall -y pip setuptools wheel
RUN uv pip uninstall --system pip setuptools wheel && rm /usr/bin/uv /usr/bin/uvx
WORKDIR /deps/app
`

const project = `[project]
name = "app"
version = "0.1"
dependencies = ["langgraph"]
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
`

const graph = `
from typing import TypedDict
from langgraph.graph import END, START, StateGraph

class State(TypedDict):
    text: str

builder = StateGraph(State).add_node("echo", lambda s: {"text": s["text"].upper()})
graph = builder.add_edge(START, "echo").add_edge("echo", END).compile()
`

// An image made as the vendor's client makes it answers on port 8000.
func TestPythonServes(t *testing.T) {
	engine := dockertest.Shared(t).Client(t)
	basetest.Python(t, engine, "base-of-basetest:3.11", "base-of-basetest:3.12")
	build(t, engine, "app-of-basetest", map[string]string{"Dockerfile": vendors, "pyproject.toml": project, "echo.py": graph})
	address := run(t, engine, "app-of-basetest")
	answer, err := http.Post("http://"+address+"/runs/wait", "application/json", strings.NewReader(`{"assistant_id": "echo", "input": {"text": "hello"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if got := strings.TrimSpace(string(body)); got != `{"text":"HELLO"}` {
		t.Errorf("got %q, %v", got, err)
	}
}

// And so does one for JavaScript.
func TestNodeServes(t *testing.T) {
	engine := dockertest.Shared(t).Client(t)
	basetest.NodeServer(t, engine, "base-of-basetest-js:20")
	build(t, engine, "js-of-basetest", map[string]string{
		"Dockerfile": "FROM base-of-basetest-js:20\nADD . /deps/app\nWORKDIR /deps/app\nRUN npm i\n" +
			"ENV LANGSERVE_GRAPHS='{\"echo\": \"./echo.ts:graph\"}'\nWORKDIR /deps/app\n" +
			"RUN (test ! -f /api/langgraph_api/js/build.mts && echo skipping) || tsx /api/langgraph_api/js/build.mts\n",
		"package.json":   `{"type": "module", "dependencies": {"@langchain/langgraph": "^1.0.0", "@langchain/core": "^1.0.0"}}`,
		"langgraph.json": `{"node_version": "20", "graphs": {"echo": "./echo.ts:graph"}}`,
		"echo.ts":        jsGraph,
	})
	run(t, engine, "js-of-basetest")
}

const jsGraph = `
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string> });
export const graph = new StateGraph(State)
  .addNode("echo", (s) => ({ text: s.text.toUpperCase() }))
  .addEdge(START, "echo").addEdge("echo", END).compile();
`

// The others have their tools, and reach their registries from within.
func TestToolsReachRegistries(t *testing.T) {
	engine := dockertest.Shared(t).Client(t)
	basetest.PlainPython(t, engine, "plain-python-of-basetest")
	basetest.Node(t, engine, "plain-node-of-basetest")
	for base, command := range map[string]string{
		"plain-python-of-basetest": "python3 -m pip install --no-cache-dir six && python3 -c 'import six, ssl, sqlite3'",
		"plain-node-of-basetest":   "npm install is-number && node -e 'require(\"is-number\")'",
	} {
		build(t, engine, base+"-tried", map[string]string{"Dockerfile": "FROM " + base + "\nWORKDIR /app\nRUN " + command + "\n"})
	}
}

func build(t *testing.T, engine *client.Client, tag string, files map[string]string) {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	answer, err := engine.ImageBuild(t.Context(), &packed, client.ImageBuildOptions{Tags: []string{tag}, Remove: true, ForceRemove: true})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("build %s: %v\n%s", tag, err, said)
	}
}

// run returns the address of a container's port 8000, once it serves there.
func run(t *testing.T, engine *client.Client, image string) string {
	t.Helper()
	port := network.MustParsePort("8000/tcp")
	made, err := engine.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: image},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{
			port: {{HostIP: netip.MustParseAddr("127.0.0.1")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	address := ""
	testsignal.Eventually(t, "the agent to serve", func() bool {
		seen, err := engine.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !seen.Container.State.Running {
			t.Fatalf("it has ended with exit code %d: %s", seen.Container.State.ExitCode, printed(t, engine, made.ID))
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

func printed(t *testing.T, engine *client.Client, id string) []byte {
	t.Helper()
	logs, err := engine.ContainerLogs(t.Context(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	content, err := io.ReadAll(logs)
	if err != nil {
		t.Error(err)
	}
	return content
}
