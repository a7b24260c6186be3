package build_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/address/addresstest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// agent is what was built, started as a driver would.
type agent struct {
	*testing.T
	address string // as a driver has it
	port    string
	out     *lines
	cmd     *exec.Cmd
	ready   chan struct{}
	ended   chan struct{}
}

// begin starts an agent on a state folder, with variables of its deployment.
func begin(t *testing.T, b *build.Builder, a slipway.Artefact, state string, env ...string) *agent {
	t.Helper()
	launch, err := b.Launch(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	g := &agent{T: t, address: "127.0.0.1:" + port, port: port, out: new(lines), ready: make(chan struct{}), ended: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), b.Kinds()[a.Kind].Start)
	g.cmd = exec.CommandContext(ctx, launch.Args[0], launch.Args[1:]...)
	g.cmd.Dir = t.TempDir()
	g.cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + port, "SLIPWAY_STATE_DIR=" + state, "HOME=" + g.cmd.Dir, "TMPDIR=" + g.cmd.Dir}
	if launch.Socket {
		socket := filepath.Join(g.cmd.Dir, "http.sock")
		g.address = address.OfSocket(socket)
		g.cmd.Env = append(g.cmd.Env, "SLIPWAY_SOCKET="+socket)
	}
	for _, v := range launch.Env {
		g.cmd.Env = append(g.cmd.Env, v.Name+"="+v.Value)
	}
	g.cmd.Env = append(g.cmd.Env, env...) // a test may change what the launch says
	g.cmd.Stdout = io.MultiWriter(g.out, &signal{text: "slipway: serving", seen: g.ready})
	g.cmd.Stderr = g.out
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { g.cmd.Wait(); close(g.ended) }()
	t.Cleanup(func() {
		cancel()
		<-g.ended
		if t.Failed() {
			t.Logf("the agent said:\n%s", g.out)
		}
	})
	return g
}

func (g *agent) serves() *agent {
	g.Helper()
	select {
	case <-g.ready:
	case <-g.ended:
		g.Fatal("it ended before it served")
	}
	return g
}

// call returns what a JSON answer says, with its status.
func (g *agent) call(method, path string, body any) (int, map[string]any) {
	g.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		g.Fatal(err)
	}
	status, text, err := g.ask(method, path, content)
	if err != nil {
		g.Fatal(err)
	}
	said := map[string]any{}
	json.Unmarshal(text, &said)
	return status, said
}

func (g *agent) ask(method, path string, body []byte) (status int, text []byte, err error) {
	request, err := address.NewRequest(g.Context(), method, g.address, path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := address.NewClient().Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// expectApart wants an agent to listen on a socket, and at its port for its own
// user alone.
func (g *agent) expectApart() {
	g.Helper()
	const nobody = 65534
	port := "127.0.0.1:" + g.port
	if line, err := addresstest.GetAs(os.Getuid(), port, "/ok"); line == "" {
		g.Errorf("it can not call itself: %s, %v", line, err)
	}
	if os.Getuid() != 0 {
		return // nobody else can be become
	}
	if line, err := addresstest.GetAs(nobody, port, "/ok"); line != "" || err == nil {
		g.Errorf("another user got %q at the port", line)
	}
	if line, err := addresstest.GetAs(nobody, g.address, "/ok"); line != "" || !errors.Is(err, syscall.EACCES) {
		g.Errorf("another user got %q from the socket: %v", line, err)
	}
}

func (g *agent) thread() string {
	g.Helper()
	_, made := g.call("POST", "/threads", map[string]any{})
	id, _ := made["thread_id"].(string)
	if id == "" {
		g.Fatalf("no thread: %v", made)
	}
	return id
}

type object = map[string]any

func run(graph, text string, more object) object {
	input := object{"messages": []object{{"role": "user", "content": text}}}
	for name, value := range more {
		input[name] = value
	}
	return object{"assistant_id": graph, "input": input}
}

// says runs a graph on a thread and returns its last message.
func (g *agent) says(thread, graph, text string) string {
	g.Helper()
	status, answer := g.call("POST", "/threads/"+thread+"/runs/wait", run(graph, text, nil))
	messages, _ := answer["messages"].([]any)
	if status != http.StatusOK || len(messages) == 0 {
		g.Fatalf("run: %d, %v", status, answer)
	}
	last, _ := messages[len(messages)-1].(object)
	content, _ := last["content"].(string)
	return content
}

// status of a run.
func (g *agent) status(thread, id string) string {
	g.Helper()
	_, r := g.call("GET", "/threads/"+thread+"/runs/"+id, nil)
	status, _ := r["status"].(string)
	return status
}

// starts a run that goes on by itself, and returns its id once it is at work.
func (g *agent) starts(thread string, body object) string {
	g.Helper()
	_, r := g.call("POST", "/threads/"+thread+"/runs", body)
	id, _ := r["run_id"].(string)
	testsignal.Eventually(g, "the run to begin", func() bool { return g.status(thread, id) != "pending" })
	return id
}

// terminate asks it to stop and returns its exit code.
func (g *agent) terminate() int { return g.end(syscall.SIGTERM) }

func (g *agent) end(with syscall.Signal) int {
	g.Helper()
	if err := g.cmd.Process.Signal(with); err != nil {
		g.Fatal(err)
	}
	return g.exit()
}

// exit waits until it has ended.
func (g *agent) exit() int {
	<-g.ended
	return g.cmd.ProcessState.ExitCode()
}

// refuses wants a failed start, with its code and part of what it says.
func (g *agent) refuses(exit int, code, message string) {
	g.Helper()
	<-g.ended
	said := strings.TrimSpace(g.out.String())
	var told struct{ Code, Message, Hint string }
	told.Code = "nothing"
	for line := range strings.Lines(said) { // the last one counts: a server's threads may print after it
		if line, ok := strings.CutPrefix(line, "slipway: failure: "); ok {
			json.Unmarshal([]byte(line), &told)
		}
	}
	if got := g.cmd.ProcessState.ExitCode(); got != exit || told.Code != code || !strings.Contains(told.Message, message) {
		g.Errorf("exit %d, told %+v, said:\n%s", got, told, said)
	}
}
