package build_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/redistest"
)

// What was sent to a server before it was told to stop is answered, though the
// machine had no time for it to read that.
func TestPythonAnswersWhatWasSent(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	begin(t, b, a, t.TempDir()).serves().answersWhatWasSent()
}

func TestAegraAnswersWhatWasSent(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, slipway.AgentServerAegra)
	begin(t, b, a, "", "POSTGRES_URI_CUSTOM="+postgrestest.Empty(t)).serves().answersWhatWasSent()
}

// With Redis a run may be another instance's, whose client waits here: it is waited
// for. What waits in the queue is left to others.
func TestAegraEndsBesideOthers(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, slipway.AgentServerAegra)
	database, queue := "POSTGRES_URI_CUSTOM="+postgrestest.Empty(t), "REDIS_URI_CUSTOM="+redistest.Start(t)
	works := begin(t, b, a, "", database, queue, "WORKER_COUNT=1", "N_JOBS_PER_WORKER=1").serves()
	asked := begin(t, b, a, "", database, queue, "WORKER_COUNT=0").serves()
	third := begin(t, b, a, "", database, queue, "WORKER_COUNT=0").serves()

	slow := run("slow", "x", object{"delay_ms": 4000}) // longer than answers get at the end
	var sent []net.Conn
	for _, path := range []string{"/runs/stream", "/runs/wait"} {
		sent = append(sent, asked.send(path, slow))
	}
	thread := third.thread()
	asked.cmd.Process.Signal(syscall.SIGTERM)
	for n, conn := range sent {
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("answer %d: %v", n, err)
			continue
		}
		if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), "done: x") {
			t.Errorf("answer %d: %d %s, %v", n, answer.StatusCode, text, err)
		}
	}
	if code := asked.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}

	begun := third.starts(thread, slow)
	_, left := third.call("POST", "/threads/"+third.thread()+"/runs", slow)
	if code := works.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if status := third.status(thread, begun); status != "success" {
		t.Errorf("the run that had begun is %s", status)
	}
	if status := third.status(fmt.Sprint(left["thread_id"]), fmt.Sprint(left["run_id"])); status != "pending" {
		t.Errorf("the one that waits is %s", status)
	}
}

// With Redis a stream has all of its run, however soon that ends.
func TestAegraStreamsToTheEnd(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, slipway.AgentServerAegra)
	g := begin(t, b, a, "", "POSTGRES_URI_CUSTOM="+postgrestest.Empty(t), "REDIS_URI_CUSTOM="+redistest.Start(t)).serves()
	const clients, each = 32, 10
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				answer, err := http.ReadResponse(bufio.NewReader(g.send("/runs/stream", run("echo", "x", nil))), nil)
				if err != nil {
					t.Errorf("no answer: %v", err)
					return
				}
				text, err := io.ReadAll(answer.Body)
				if err != nil || !strings.Contains(string(text), "echo: x") || !strings.Contains(string(text), "event: end") {
					t.Errorf("a stream is %d %s, %v", answer.StatusCode, text, err)
				}
			}
		})
	}
	all.Wait()
}

func (g *agent) answersWhatWasSent() {
	g.Helper()
	g.says(g.thread(), "echo", "warm")
	g.cmd.Process.Signal(syscall.SIGSTOP)
	var sent []net.Conn
	for n := range 4 {
		sent = append(sent, g.send("/runs/wait", run("echo", fmt.Sprint("request ", n), nil)))
	}
	g.cmd.Process.Signal(syscall.SIGTERM)
	g.cmd.Process.Signal(syscall.SIGCONT)
	for n, conn := range sent {
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			g.Errorf("request %d: %v", n, err)
			continue
		}
		text, err := io.ReadAll(answer.Body)
		if want := fmt.Sprintf("echo: request %d", n); err != nil || !strings.Contains(string(text), want) {
			g.Errorf("request %d: %d %s, %v", n, answer.StatusCode, text, err)
		}
	}
	if code := g.exit(); code != 0 {
		g.Errorf("exit %d", code)
	}
}

// send hands a whole request to the kernel, whoever reads it.
func (g *agent) send(path string, body any) net.Conn {
	g.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		g.Fatal(err)
	}
	conn, err := address.DialSocket(g.Context(), strings.TrimPrefix(g.address, address.OfSocket("")))
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: agent\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(content), content)
	return conn
}

// intake takes traces, and answers those that come with runs only once it is
// opened.
type intake struct {
	*httptest.Server
	open func()

	mu   sync.Mutex
	text strings.Builder
}

func newIntake(t *testing.T) *intake {
	opened := make(chan struct{})
	i := &intake{open: sync.OnceFunc(func() { close(opened) })}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		text, _ := io.ReadAll(r.Body)
		i.mu.Lock()
		i.text.Write(text)
		i.mu.Unlock()
		<-opened
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(i.Close)
	t.Cleanup(i.open)
	return i
}

func (i *intake) taken() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.text.String()
}

// State is free for the next one while the traces of the last run are sent.
func TestPythonYields(t *testing.T) {
	t.Parallel()
	b, a := pythonExample(t, "")
	state, traces := t.TempDir(), newIntake(t)
	asked, control := controlled(t)
	old := begin(t, b, a, state, control, "LANGSMITH_TRACING=true", "LANGSMITH_API_KEY=key", "LANGSMITH_ENDPOINT="+traces.URL, "LANGSMITH_DISABLE_RUN_COMPRESSION=true").serves()
	next, ask := standsBy(t, b, a, state)
	thread := old.thread()
	old.says(thread, "memory", "the last word")
	yielded := make(chan answer)
	go func() { yielded <- asked("yielded") }()
	old.cmd.Process.Signal(syscall.SIGTERM)
	if said := <-yielded; said.State != "yielded" {
		t.Fatalf("it is told %+v", said)
	}
	select {
	case <-old.ended:
		t.Error("it has ended before its traces were taken")
	default:
	}
	if claims, _ := os.ReadDir(filepath.Join(state, "launcher.lock")); len(claims) != 0 {
		t.Errorf("%d claim the state", len(claims))
	}
	if _, _, err := old.ask("GET", "/ok", nil); err == nil {
		t.Error("it answers")
	}
	ask("release")
	next.serves()
	if said := next.says(thread, "memory", "and another"); said != "you said: the last word | and another" {
		t.Errorf("after the hand-over: %q", said)
	}
	traces.open()
	if code := old.exit(); code != 0 || !strings.Contains(traces.taken(), "the last word") {
		t.Errorf("exit %d", code)
	}
	if code := next.terminate(); code != 0 {
		t.Errorf("exit %d", code)
	}
}
