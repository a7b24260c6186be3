package image_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/build/kind/aegra"
	"github.com/slipwayhq/slipway/build/kind/js"
	"github.com/slipwayhq/slipway/build/kind/langgraphpy"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
	"github.com/slipwayhq/slipway/internal/basetest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// What is asked in a container is passed on to the control socket, one answer a
// line, until nobody asks any more.
func TestAsk(t *testing.T) {
	node, err := js.ServerFiles()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		argv  []string
	}{
		"node":   {node, []string{"node", "serve/ask.mjs"}},
		"python": {langgraphpy.ServerFiles(), []string{"python3", "-I", "-S", "slipway_serve/ask.py"}},
		"aegra":  {aegra.ServerFiles(), []string{"python3", "-I", "-S", "slipway_serve/ask.py"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, socket := written(t, c.files), filepath.Join(t.TempDir(), "control.sock")
			ask := exec.Command(c.argv[0], c.argv[1:]...)
			ask.Dir, ask.Env, ask.Stderr = dir, append(os.Environ(), "SLIPWAY_CONTROL="+socket), os.Stderr
			questions, err := ask.StdinPipe()
			must(t, err)
			said, err := ask.StdoutPipe()
			must(t, err)
			must(t, ask.Start())
			answers := bufio.NewReader(said)
			expect := func(question, want string) {
				t.Helper()
				fmt.Fprintln(questions, question)
				if got, err := answers.ReadString('\n'); got != want+"\n" {
					t.Errorf("%s is answered %q, %v; want %q", question, got, err, want)
				}
			}
			expect("before it listens", "")
			listener, err := addresstest.Listen(socket)
			must(t, err)
			go echo(listener)
			expect("one", "one!")
			expect("hang up", "")
			expect("two", "two!")
			must(t, listener.Close())
			expect("when it has ended", "")
			must(t, questions.Close())
			must(t, ask.Wait())
		})
	}
}

// echo answers what it is asked, as a launcher does: a connection for each.
func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && line != "hang up\n" {
			fmt.Fprintln(conn, strings.TrimSpace(line)+"!")
		}
		conn.Close()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func written(t *testing.T, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, content, 0o644))
	}
	return dir
}

// expectTells asks an agent that serves how it stands.
func expectTells(t *testing.T, c *client.Client, image string) {
	t.Helper()
	if got := told(t, c, image); got.State != "serving" || got.Pending == nil || got.Running == nil || got.Workers == 0 {
		t.Errorf("it tells %+v", got)
	}
}

// tells is what an agent says of its state, and of its runs.
type tells struct {
	State, Error     string
	Pending, Running *int
	Workers          int
}

// told asks the agent in the one container of an image, as its label says.
func told(t *testing.T, c *client.Client, image string) (all tells) {
	t.Helper()
	list, err := c.ContainerList(t.Context(), client.ContainerListOptions{Filters: make(client.Filters).Add("ancestor", image)})
	must(t, err)
	if len(list.Items) != 1 {
		t.Fatalf("%d containers of image %s", len(list.Items), image)
	}
	var argv []string
	must(t, json.Unmarshal([]byte(list.Items[0].Labels["slipway.control"]), &argv))
	made, err := c.ExecCreate(t.Context(), list.Items[0].ID, client.ExecCreateOptions{Cmd: argv, AttachStdin: true, AttachStdout: true, AttachStderr: true})
	must(t, err)
	to, err := c.ExecAttach(t.Context(), made.ID, client.ExecAttachOptions{})
	must(t, err)
	defer to.Close()
	_, err = io.WriteString(to.Conn, "{\"do\": \"state\"}\n{\"do\": \"runs\"}\n")
	must(t, err)
	must(t, to.CloseWrite())
	var said, wrong strings.Builder
	_, err = stdcopy.StdCopy(&said, &wrong, to.Reader)
	must(t, err)
	for line := range strings.Lines(said.String()) {
		if line = strings.TrimSpace(line); line != "" && json.Unmarshal([]byte(line), &all) != nil {
			t.Logf("told %s", line) // by the engine: it may have ended
		}
	}
	if wrong.Len() > 0 {
		t.Errorf("who asks says %s", &wrong)
	}
	return all
}

// Aegra in a container tells of its runs as it does as a process.
func TestAegraTells(t *testing.T) {
	const base = "plain-for-aegra:3.12"
	b, c := open(t, true, image.Bases{Python: base})
	basetest.PlainPython(t, c, base)
	a := app(t, "3", map[string]string{
		"langgraph.json": `{"python_version": "3.12", "dependencies": ["langgraph", "."], "graphs": {"echo": "./echo.py:graph"}}`,
		"echo.py":        strings.ReplaceAll(echoPython, "from words import loud", "loud = str.upper"),
	})
	a.Server = slipway.AgentServerAegra
	made, _ := build(t, b, a)
	database, err := url.Parse(postgrestest.Empty(t))
	must(t, err)
	socket := database.Query().Get("host") // the folder that it is in
	began, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config:     &container.Config{Image: made.Image, Env: []string{"POSTGRES_URI_CUSTOM=" + database.String()}},
		HostConfig: &container.HostConfig{Binds: []string{socket + ":" + socket}, CapDrop: []string{"ALL"}},
	})
	must(t, err)
	t.Cleanup(func() {
		_, _ = c.ContainerRemove(context.Background(), began.ID, client.ContainerRemoveOptions{Force: true})
	})
	_, err = c.ContainerStart(t.Context(), began.ID, client.ContainerStartOptions{})
	must(t, err)
	var got tells
	testsignal.Eventually(t, "Aegra to serve", func() bool {
		seen, err := c.ContainerInspect(t.Context(), began.ID, client.ContainerInspectOptions{})
		must(t, err)
		if !seen.Container.State.Running {
			t.Fatalf("it has ended:\n%s", printed(t, c, began.ID))
		}
		got = told(t, c, made.Image)
		return got.State == "serving"
	})
	if got.Pending == nil || *got.Pending != 0 || got.Running == nil || *got.Running != 0 || got.Error != "" {
		t.Errorf("it tells %+v", got)
	}
}
