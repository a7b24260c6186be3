package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// load is clients in a closed loop: each starts a run, by turns waiting for its
// result and following its stream, and starts the next when it has ended.
type load struct {
	d       *deployment
	patient bool
	stop    context.CancelFunc
	all     sync.WaitGroup

	mu      sync.Mutex
	runs    int
	failed  int
	putOff  int // answered 503 with the advice to come back
	first   error
	longest time.Duration
}

func (d *deployment) load(clients int) *load { return d.begin(&load{d: d}, clients) }

// patientLoad is of clients that come again when they are told to.
func (d *deployment) patientLoad(clients int) *load {
	return d.begin(&load{d: d, patient: true}, clients)
}

func (d *deployment) begin(l *load, clients int) *load {
	ctx, stop := context.WithCancel(d.t.Context())
	l.stop = stop
	for n := range clients {
		l.all.Go(func() {
			for k := n; ctx.Err() == nil; k++ {
				began := time.Now()
				err := d.shortRun(d.t.Context(), k%2 == 0)
				l.add(time.Since(began), err)
			}
		})
	}
	return l
}

func (l *load) add(took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.patient && errors.Is(err, errPutOff) {
		l.putOff++
		return
	}
	l.runs++
	l.longest = max(l.longest, took)
	if err != nil {
		l.failed++
		if l.first == nil {
			l.first = err
		}
	}
}

// seen returns how many runs have ended so far.
func (l *load) seen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs
}

// end stops the clients, each after its run, and says what came of them.
func (l *load) end() {
	l.d.t.Helper()
	l.stop()
	l.all.Wait()
	l.d.t.Logf("%d runs, %d failed, %d put off, the longest took %s", l.runs, l.failed, l.putOff, l.longest.Round(time.Millisecond))
	if l.failed > 0 || l.runs == 0 {
		l.d.t.Errorf("%d of %d runs failed, first: %v", l.failed, l.runs, l.first)
	}
}

// shortRun is one run without a thread, which is right only with its answer and,
// of a stream, with its end.
func (d *deployment) shortRun(ctx context.Context, waits bool) error {
	path, mode := "/runs/stream", "values"
	if waits {
		path = "/runs/wait"
	}
	status, body, err := d.post(ctx, path, map[string]any{
		"assistant_id": "echo", "stream_mode": mode, "input": map[string]any{"messages": []map[string]string{{"role": "user", "content": "hi"}}},
	})
	if err == nil && status == http.StatusServiceUnavailable {
		return fmt.Errorf("%w: %s: %.300s", errPutOff, path, body)
	}
	if err == nil && (status != http.StatusOK || !strings.Contains(body, "echo: hi (message 1 of this thread)")) {
		err = fmt.Errorf("%w: %s: %d %.300s", errRefused, path, status, body)
	}
	return err
}

func (d *deployment) post(ctx context.Context, path string, body any) (int, string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Api-Key", d.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

var errPutOff = errors.New("it is answered 503, to come again")

// talk is a thread, and what it was told.
type talk struct {
	d      *deployment
	thread string
	told   []string
}

func (d *deployment) talk() *talk {
	d.t.Helper()
	thread, err := client.NewAgent(d.url, d.key).CreateThread(d.t.Context())
	must(d.t, err)
	c := &talk{d: d, thread: thread}
	c.goesOn("the beginning")
	return c
}

// goesOn expects the thread to be known still.
func (c *talk) goesOn(after string) {
	c.d.t.Helper()
	c.d.remembers(c.thread, &c.told, after)
}

// remembers tells a thread something, and expects it to know all that was told
// before.
func (d *deployment) remembers(thread string, told *[]string, what string) {
	d.t.Helper()
	*told = append(*told, what)
	var said strings.Builder
	for event, err := range client.NewAgent(d.url, d.key).Stream(d.t.Context(), thread, client.RunRequest{
		Assistant: "memory", Input: map[string]any{"messages": []map[string]string{{"role": "user", "content": what}}},
	}) {
		must(d.t, err)
		said.Write(event.Data)
	}
	if want := strings.Join(*told, " | "); !strings.Contains(said.String(), want) {
		d.t.Errorf("the thread does not know %q:\n%s", want, &said)
	}
}

// A new revision takes over the state of the old one while clients go on; one
// that can not, in whichever way, leaves the old one with all that it had.
func TestHandOver(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--handover-wait", "1s")
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	thread, err := client.NewAgent(d.url, d.key).CreateThread(t.Context())
	must(t, err)
	var told []string
	d.remembers(thread, &told, "one")

	clients := d.load(8)
	old := mains(s.data)
	d.deploy(pack(t, echo, map[string]string{"README.md": "another revision"}))
	eventually(t, "the old one has sent its traces", func() bool { return len(mains(s.data)) == 1 })
	if now := mains(s.data); len(now) != 1 || len(old) != 1 || now[0] == old[0] {
		t.Errorf("agents %v after %v", now, old)
	}
	d.remembers(thread, &told, "two")

	graph, err := os.ReadFile(echo + "/src/graph.ts")
	must(t, err)
	serving := mains(s.data)
	for name, prefix := range map[string]string{
		"load": `throw new Error("hand-over test: it can not load");`,
		"open": ruinsState,
	} {
		end := d.await(d.push(pack(t, echo, map[string]string{"src/graph.ts": prefix + "\n" + string(graph)})))
		if end.Status != "DEPLOY_FAILED" || !strings.Contains(deref(end.StatusMessage), "hand-over test") {
			t.Errorf("what can not %s: %s %s", name, end.Status, deref(end.StatusMessage))
		}
		if now := mains(s.data); name == "load" && fmt.Sprint(now) != fmt.Sprint(serving) {
			t.Errorf("what can not load disturbed the old one: %v, was %v", now, serving)
		}
		d.remembers(thread, &told, "after what can not "+name)
		serving = mains(s.data)
	}
	clients.end()
}

// ruinsState writes into the state as soon as it owns it, and ends.
var ruinsState = onceOwned(`for (const name of list(states + "/.langgraph_api")) write(states + "/.langgraph_api/" + name, "ruined");`)

// onceOwned does something with the state as soon as it owns it, and ends. Its claim
// is told by when the process began: in containers all have one number.
func onceOwned(do string) string {
	return `import { existsSync as there, readdirSync as list, readFileSync as read, writeFileSync as write } from "node:fs";
const { env, pid, reallyExit } = (globalThis as any).process;
const states = env.SLIPWAY_STATE_DIR, own = "-" + pid + "-" + read("/proc/self/stat", "latin1").split(") ").pop()!.split(" ")[19];
setInterval(() => {
  const lock = states + "/launcher.lock";
  if (!there(lock) || !list(lock).some((name: string) => name.endsWith(own))) return;
  ` + do + `
  console.error("hand-over test: it can not open the state");
  reallyExit(1);
}, 1).unref();`
}

// The server may be killed in each phase of a hand-over: the next one goes on,
// and nothing is lost.
func TestHandOverSurvivesTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--handover-wait", "1s")
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	thread, err := client.NewAgent(d.url, d.key).CreateThread(t.Context())
	must(t, err)
	var told []string
	d.remembers(thread, &told, "one")
	for _, step := range []string{"step=start", "step=yield", "step=snapshot", "step=free", "step=pass"} {
		before := fileSize(t, s.log)
		r := d.push(pack(t, echo, map[string]string{"README.md": step}))
		eventually(t, "the server comes to "+step, func() bool {
			log, err := os.ReadFile(s.log)
			must(t, err)
			return strings.Contains(string(log[before:]), step) || strings.Contains(string(log[before:]), "status=DEPLOYED")
		})
		s.kill()
		s.start()
		if end := d.await(r); end.Status != "DEPLOYED" {
			t.Errorf("killed at %s: %s %s", step, end.Status, deref(end.StatusMessage))
		}
		d.remembers(thread, &told, "after "+step)
		eventually(t, "one agent is left", func() bool { return len(mains(s.data)) == 1 })
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	file, err := os.Stat(path)
	must(t, err)
	return file.Size()
}

// A revision of Aegra takes over from the one before beside it, on one database. The
// server may be killed in each step of that: threads are kept, and every run that was
// accepted ends.
func TestAegraIsReplacedWhileServersDie(t *testing.T) {
	t.Parallel()
	s := aegraServer(t)
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: echoPy.name, Source: "internal_source", SourceConfig: wire.SourceConfigRequest{AgentServer: new("aegra")},
	})
	must(t, err)
	d := s.made(created)
	d.deploy(pack(t, echoPy.dir, nil))
	thread, err := client.NewAgent(d.url, d.key).CreateThread(t.Context())
	must(t, err)
	var told, runs []string
	d.remembers(thread, &told, "one")
	graph, err := os.ReadFile(filepath.Join(echoPy.dir, echoPy.edit))
	must(t, err)
	before := fileSize(t, s.log)
	r := d.push(pack(t, echoPy.dir, map[string]string{echoPy.edit: string(graph) + "\n# another\n"}))
	for _, step := range []string{"step=start ", "step=probe ", "status=DEPLOYED", "step=drain "} {
		_, run := d.beginsRun(2000)
		runs = append(runs, run)
		eventually(t, "a server comes to "+step, func() bool {
			log, err := os.ReadFile(s.log)
			must(t, err)
			return strings.Contains(string(log[before:]), step)
		})
		s.kill()
		s.start()
		d.Client = s.Client
	}
	if end := d.await(r); end.Status != "DEPLOYED" {
		t.Fatalf("the new revision is %s: %s", end.Status, deref(end.StatusMessage))
	}
	for _, run := range runs {
		eventually(t, "a run ends", func() bool {
			status, body, err := d.get(run)
			return err == nil && status == http.StatusOK && strings.Contains(body, `"status":"success"`)
		})
	}
	d.remembers(thread, &told, "two")
	eventually(t, "the old one is gone", func() bool {
		log, err := os.ReadFile(s.log)
		must(t, err)
		return strings.Contains(string(log[before:]), "step=remove ")
	})
}
