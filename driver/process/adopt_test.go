package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// fixture is a driver with one agent that serves.
type fixture struct {
	*testing.T
	root string
	w    slipway.Workload
	d    *process.Driver
}

func start(t *testing.T, flags ...string) *fixture {
	t.Helper()
	f := &fixture{T: t, root: t.TempDir(), w: workload(t, flags...)}
	f.d = open(t, f.root)
	t.Cleanup(f.clear)
	f.apply()
	if err := serving(f.w); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) clear() {
	if err := f.d.Stop(context.Background(), f.w.Deployment, f.w.Instance, 0); err != nil {
		f.Error(err)
	}
	f.try(f.d.Close())
}

func (f *fixture) try(err error) {
	f.Helper()
	if err != nil {
		f.Error(err)
	}
}

func (f *fixture) apply() slipway.Observed {
	f.Helper()
	o, err := f.d.Apply(f.Context(), f.w)
	f.try(err)
	return o
}

func (f *fixture) inspect() slipway.Observed {
	f.Helper()
	o, err := f.d.Inspect(f.Context(), f.w.Deployment, f.w.Instance)
	f.try(err)
	return o
}

func (f *fixture) stop(grace time.Duration) {
	f.Helper()
	f.try(f.d.Stop(f.Context(), f.w.Deployment, f.w.Instance, grace))
}

func (f *fixture) pid() int {
	f.Helper()
	leaders, _ := agents(f, f.w)
	if len(leaders) != 1 {
		f.Fatalf("processes %v", leaders)
	}
	return leaders[0]
}

// folder is that of the instance.
func (f *fixture) folder() string {
	return filepath.Join(f.root, string(f.w.Deployment), "instances", string(f.w.Instance))
}

// whileClosed does something that the driver does not see.
func (f *fixture) whileClosed(do func()) {
	f.Helper()
	f.try(f.d.Close())
	do()
	f.d = open(f, f.root)
}

// edit changes a state as it is written down.
func (f *fixture) edit(change func(state map[string]any)) {
	f.Helper()
	edit(f, f.folder(), change)
}

// edit changes what is written down of an instance.
func edit(t testing.TB, folder string, change func(state map[string]any)) {
	t.Helper()
	path := filepath.Join(folder, "state.json")
	text, err := os.ReadFile(path)
	var state map[string]any
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(state)
	if text, err = json.Marshal(state); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrphanWithoutFolder(t *testing.T) {
	f := start(t)
	before, pid := f.inspect(), f.pid()
	f.whileClosed(func() { f.try(os.RemoveAll(filepath.Join(f.root, string(f.w.Deployment)))) })
	list, err := f.d.List(t.Context())
	if err != nil || len(list) != 1 || list[0] != before {
		t.Errorf("List = %+v, %v, want %+v", list, err, before)
	}
	if o := f.apply(); o != before || f.pid() != pid {
		t.Errorf("Apply = %+v, process %d, was %d", o, f.pid(), pid)
	}
	f.stop(time.Minute)
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
}

func TestUnreadableState(t *testing.T) {
	f := start(t)
	before, pid := f.inspect(), f.pid()
	f.whileClosed(func() { f.try(os.WriteFile(filepath.Join(f.folder(), "state.json"), []byte(`{"att`), 0o600)) })
	if o := f.apply(); o != before || f.pid() != pid {
		t.Errorf("Apply = %+v, was %+v", o, before)
	}
}

// A record that can not be read at all keeps nobody from being adopted, not even
// its own process.
func TestRecordOnABadDisk(t *testing.T) {
	f := start(t)
	pid := f.pid()
	other := workload(t)
	if _, err := f.d.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	defer func() { f.try(f.d.Stop(context.Background(), other.Deployment, other.Instance, 0)) }()
	record := filepath.Join(f.folder(), "state.json")
	f.try(f.d.Close())
	f.try(os.Remove(record))
	f.try(os.Mkdir(record, 0o700))
	f.try(os.WriteFile(filepath.Join(record, "x"), nil, 0o600)) // which no rename replaces
	f.d = open(t, f.root)
	if o := f.inspect(); o.Phase != slipway.PhaseRunning || f.pid() != pid {
		t.Errorf("seen %+v, of process %d", o, pid)
	}
	if o, err := f.d.Inspect(t.Context(), other.Deployment, other.Instance); err != nil || o.Phase != slipway.PhaseRunning {
		t.Errorf("the other is seen as %+v, %v", o, err)
	}
	f.stop(0)
	if o := f.inspect(); o.Phase == slipway.PhaseRunning {
		t.Errorf("after its stop it is seen as %+v", o)
	}
}

// TestReboot: the number of the process now is somebody else's.
func TestReboot(t *testing.T) {
	stranger := exec.Command("sleep", "3600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stranger.Process.Kill(); stranger.Wait() }()
	changes := map[string]func(map[string]any){
		"another boot":       func(s map[string]any) { s["boot"] = "another" },
		"another start time": func(s map[string]any) { s["start"] = 1 },
		"no process":         func(s map[string]any) { s["pid"] = 1 << 30 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.stop(time.Minute)
			f.whileClosed(func() {
				f.edit(func(s map[string]any) {
					s["phase"], s["exit"], s["pid"] = "running", nil, stranger.Process.Pid
					change(s)
				})
			})
			o := f.inspect()
			if o.Phase != slipway.PhaseExited || o.Exit.Code != -1 || !strings.Contains(o.Exit.Reason, "unknown") {
				t.Errorf("Inspect = %+v", o)
			}
			if again := f.apply(); again.Phase != slipway.PhaseExited {
				t.Errorf("Apply = %+v", again)
			}
			f.stop(0)
			if !alive(stranger.Process.Pid) {
				t.Error("the stranger was killed")
			}
		})
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// TestLongStop: a server dies while it waits for an agent to drain; the next
// one counts on.
func TestLongStop(t *testing.T) {
	f := start(t, "-deaf")
	f.whileClosed(func() {
		f.edit(func(s map[string]any) { s["term_at"] = time.Now().Add(-time.Hour) })
	})
	f.stop(time.Hour)
	if o := f.inspect(); o.Phase != slipway.PhaseExited || o.Exit.Signal != "SIGKILL" {
		t.Errorf("Inspect = %+v", o)
	}
	text, err := f.d.Output(t.Context(), f.w.Deployment, f.w.Instance, 0, 1<<16)
	if err != nil || strings.Contains(string(text), "SIGTERM") {
		t.Errorf("it was asked again: %s, %v", text, err)
	}
}

func TestOpenWaitsForTheLock(t *testing.T) {
	root := t.TempDir()
	former, err := os.Create(filepath.Join(root, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(former.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *process.Driver)
	go func() {
		d, _ := process.Open(root)
		opened <- d
	}()
	select {
	case <-opened:
		t.Fatal("opened what another has")
	case <-time.After(20 * time.Millisecond):
	}
	former.Close()
	if d := testsignal.Receive(t, "Open", opened); d == nil {
		t.Error("not opened")
	} else {
		d.Close()
	}
}

// TestAdoptMany kills a server with many agents: the next one adopts all that
// run, none with another process, and knows of those that ended meanwhile.
func TestAdoptMany(t *testing.T) {
	const many, ended = 200, 10
	s := server{Root: t.TempDir(), Workloads: make([]slipway.Workload, many), Live: "serving", Step: "none"}
	for i := range s.Workloads {
		s.Workloads[i] = workload(t)
	}
	s.killedOnce(t, "all serve")
	before := make([]int, many)
	atOnce(many, func(i int) { before[i] = pidOf(t, s.Workloads[i]) })
	for _, w := range s.Workloads[:ended] {
		_ = post(w, "/print?line=last+words")
		_ = post(w, "/exit?code=3")
	}
	for _, pid := range before[:ended] {
		testsignal.Until(t, "an end", func() bool { return !alive(pid) })
	}
	begun := time.Now()
	d := open(t, s.Root)
	t.Logf("adopted %d agents in %v", many, time.Since(begun))
	defer d.Close()
	for i, w := range s.Workloads {
		o, err := d.Inspect(t.Context(), w.Deployment, w.Instance)
		switch {
		case err != nil:
			t.Fatal(err)
		case i < ended:
			if o.Phase != slipway.PhaseExited || !strings.Contains(o.Exit.Reason, "last words") || !strings.Contains(o.Exit.Reason, "unknown") {
				t.Errorf("ended meanwhile: %+v, %+v", o, o.Exit)
			}
		case o.Phase != slipway.PhaseRunning || pidOf(t, w) != before[i]:
			t.Errorf("process %d, was %d: %+v", pidOf(t, w), before[i], o)
		}
	}
	atOnce(many, func(i int) {
		w := s.Workloads[i]
		if err := errors.Join(d.Stop(t.Context(), w.Deployment, w.Instance, 0), remove(t.Context(), d, w)); err != nil {
			t.Error(err)
		}
	})
}

// pidOf asks an agent for its number.
func pidOf(t *testing.T, w slipway.Workload) int {
	t.Helper()
	answer, err := http.Get(url(w, "/pid"))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	pid, _ := strconv.Atoi(string(text))
	return pid
}

func atOnce(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
