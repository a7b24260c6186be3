package process_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// server is a child of the test that uses a driver and dies: this binary again,
// see TestMain.
type server struct {
	Root      string
	Workloads []slipway.Workload
	Live      string // which life to live, see lives
	Step      string // where to die; "" nowhere
	Times     int    // die when it is there for the n-th time
}

// lives are what a server may do with an instance.
var lives = map[string]func(context.Context, *process.Driver, slipway.Workload) error{
	"closed folders": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		w.Args = []string{"/bin/true"}
		exits := d.Exits(ctx)
		_, err := d.Apply(ctx, w)
		<-exits
		return errors.Join(err, makeClosedFolders(os.Getenv("SLIPWAY_TEST_ROOT"), w), remove(ctx, d, w))
	},
	"stopped": stopped,
	"spared": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		<-standsBy
		_, err := d.Apply(ctx, w)
		err = errors.Join(err, serving(w))
		<-standsBy // the next, which comes by itself: not at a time when the instance is being removed
		return errors.Join(err, d.Stop(ctx, w.Deployment, w.Instance, time.Minute), remove(ctx, d, w))
	},
	"killed": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		_, err := d.Apply(ctx, w)
		return errors.Join(err, serving(w), d.Stop(ctx, w.Deployment, w.Instance, 30*time.Millisecond), remove(ctx, d, w))
	},
	"crashed": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		exits := d.Exits(ctx)
		_, err := d.Apply(ctx, w)
		err = errors.Join(err, serving(w), post(w, "/fork"), post(w, "/fork?own=true"))
		_ = post(w, "/exit?code=3")
		<-exits
		return errors.Join(err, remove(ctx, d, w))
	},
	"serving": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		_, err := d.Apply(ctx, w)
		return errors.Join(err, serving(w))
	},
	"idle": func(context.Context, *process.Driver, slipway.Workload) error {
		<-standsBy
		fmt.Println("stands by")
		select {} // until it is killed
	},
	"copied": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		return copyAndChange(ctx, d, os.Getenv("SLIPWAY_TEST_ROOT"), w.Deployment)
	},
	"started": func(ctx context.Context, d *process.Driver, w slipway.Workload) error {
		_, err := d.Apply(ctx, w)
		return err
	},
}

func stopped(ctx context.Context, d *process.Driver, w slipway.Workload) error {
	_, err := d.Apply(ctx, w)
	return errors.Join(err, serving(w), d.Stop(ctx, w.Deployment, w.Instance, time.Minute), remove(ctx, d, w))
}

// standsBy tells in a server of each child that stands by for a start.
var standsBy = make(chan struct{}, 100)

func remove(ctx context.Context, d *process.Driver, w slipway.Workload) error {
	return errors.Join(d.Delete(ctx, w.Deployment, w.Instance), d.Purge(ctx, w.Deployment))
}

// serve is the main function of the child.
func serve(file string) {
	var s server
	config, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(config, &s)
	}
	var mu sync.Mutex
	d, err2 := process.Open(s.Root, process.OnStep(func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if s.Times--; step != s.Step {
			s.Times++
		} else if s.Times == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		if step == process.StepSpare {
			standsBy <- struct{}{}
		}
	}))
	if err = errors.Join(err, err2); err == nil {
		err = s.live(d)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (s server) live(d *process.Driver) error {
	errs := make([]error, len(s.Workloads))
	var all sync.WaitGroup
	fmt.Println("ready")
	for i, w := range s.Workloads {
		all.Go(func() { errs[i] = lives[s.Live](context.Background(), d, w) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil || s.Live != "serving" {
		return err
	}
	fmt.Println("all serve")
	select {} // until it is killed
}

// writeConfig writes to where another user can read: it is too long for a
// variable.
func writeConfig(t *testing.T, config []byte) string {
	t.Helper()
	f, err := os.CreateTemp("", "slipway-test-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(f.Name()) })
	_, err = f.Write(config)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func (s server) command(t *testing.T) *exec.Cmd {
	t.Helper()
	config, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	file := writeConfig(t, config)
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_SERVER="+file, "SLIPWAY_TEST_ROOT="+s.Root)
	cmd.Stderr = os.Stderr
	return cmd
}

// died runs a server and says whether it was killed, else it came to its end.
func (s server) died(t *testing.T) bool {
	t.Helper()
	err := s.command(t).Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signaled() {
		return true
	}
	if err != nil {
		t.Fatalf("the server failed: %v", err)
	}
	return false
}

func workload(t testing.TB, flags ...string) slipway.Workload {
	return slipway.Workload{
		Instance:   slipway.NewID[slipway.InstanceID](time.Now()),
		Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
		Attempt:    1,
		Args:       append([]string{standin, "-print=started"}, flags...),
		Env:        []slipway.EnvVar{{Name: "API_KEY", Value: "a-secret-of-the-agent"}},
		Port:       drivertest.FreePort(t),
	}
}

func url(w slipway.Workload, path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", w.Port, path)
}

// serving waits for the first answer; children have no test to fail.
func serving(w slipway.Workload) error {
	deadline := time.Now().Add(30 * time.Second)
	for now := range time.Tick(time.Millisecond) {
		answer, err := http.Get(url(w, "/ok"))
		if err == nil {
			return answer.Body.Close()
		}
		if now.After(deadline) {
			return err
		}
	}
	panic("unreachable")
}

func post(w slipway.Workload, path string) error {
	answer, err := http.Post(url(w, path), "", nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// agents finds the living processes of an instance, in a way of its own: those
// that were started by a driver, and their children.
func agents(t testing.TB, w slipway.Workload) (leaders, children []int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		environ, _ := os.ReadFile(dir + "/environ")
		line, _ := os.ReadFile(dir + "/cmdline")
		pid, _ := strconv.Atoi(filepath.Base(dir))
		switch {
		case !strings.Contains(string(environ), "SLIPWAY_INSTANCE="+string(w.Instance)):
		case strings.Contains(string(line), "-child"):
			children = append(children, pid)
		default:
			leaders = append(leaders, pid)
		}
	}
	return leaders, children
}

// TestDeathAtEachStep lets a server die at each step of each life, as often as
// it comes there, and then lets another one take over.
func TestDeathAtEachStep(t *testing.T) {
	flags := map[string][]string{"stopped": nil, "killed": {"-deaf"}, "crashed": nil, "copied": nil, "spared": nil}
	if !canStandBy(t) {
		delete(flags, "spared")
	}
	reached := map[string]bool{}
	for life, flags := range flags {
		for _, step := range process.Steps() {
			if step == process.StepSpare && life != "spared" {
				continue // it comes at any time of the others, in the middle of a removal too
			}
			for times := 1; ; times++ {
				w := workload(t, flags...)
				w.Stateful = true
				s := server{Root: t.TempDir(), Workloads: []slipway.Workload{w}, Live: life, Step: step, Times: times}
				if !s.died(t) {
					break
				}
				reached[step] = true
				t.Run(fmt.Sprintf("%s/%s/%d", life, step, times), func(t *testing.T) { takeOver(t, s.Root, w) })
			}
		}
	}
	for _, step := range process.Steps() {
		if !reached[step] && (step != process.StepSpare || canStandBy(t)) {
			t.Errorf("no life comes to %q", step)
		}
	}
}

// takeOver checks what a new server makes of what a dead one left.
func takeOver(t *testing.T, root string, w slipway.Workload) {
	before, _ := agents(t, w)
	if len(before) > 1 {
		t.Fatalf("%d processes of one instance", len(before))
	}
	d := open(t, root)
	defer d.Close()
	o, err := d.Inspect(t.Context(), w.Deployment, w.Instance)
	if err != nil || len(before) == 1 && o.Phase != slipway.PhaseRunning && o.Phase != slipway.PhaseExited {
		t.Errorf("process %v runs, but Inspect = %+v, %v", before, o, err)
	}
	o, err = d.Apply(t.Context(), w)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	runsOnce(t, d, w, before, o)
	leavesNothing(t, d, root, w)
}

// runsOnce checks that an attempt was started once, and by whom.
func runsOnce(t *testing.T, d *process.Driver, w slipway.Workload, before []int, o slipway.Observed) {
	t.Helper()
	if o.Phase == slipway.PhaseRunning && settles(t, d, w) == slipway.PhaseRunning {
		after, _ := agents(t, w)
		if len(after) > 1 || len(before) == 1 && len(after) == 1 && before[0] != after[0] {
			t.Errorf("processes %v before, %v after", before, after)
		}
		if len(after) == 0 { // it drained meanwhile
			testsignal.Until(t, "its exit", func() bool { return settles(t, d, w) == slipway.PhaseExited })
		}
	} else {
		testsignal.Until(t, "the end of everything", func() bool {
			leaders, children := agents(t, w)
			return len(leaders)+len(children) == 0
		})
	}
	text, err := d.Output(t.Context(), w.Deployment, w.Instance, 0, 1<<20)
	n := strings.Count(string(text), "started")
	if err != nil || n > 1 || n == 0 && !endedUnseen(t, d, w) {
		t.Errorf("started %d times, %v: %s; %+v", n, err, text, o.Exit)
	}
}

// endedUnseen says whether an attempt is reported as one that nobody saw end: so
// is one whose server died before it came to its exec.
func endedUnseen(t *testing.T, d *process.Driver, w slipway.Workload) bool {
	t.Helper()
	o, err := d.Inspect(t.Context(), w.Deployment, w.Instance)
	return err == nil && o.Phase == slipway.PhaseExited && o.Exit != nil && o.Exit.Code == -1
}

// settles waits until an instance serves or has ended: the dead server may have
// asked it to.
func settles(t *testing.T, d *process.Driver, w slipway.Workload) slipway.Phase {
	t.Helper()
	var o slipway.Observed
	testsignal.Until(t, "an answer or an end", func() bool {
		var err error
		if o, err = d.Inspect(t.Context(), w.Deployment, w.Instance); err != nil {
			t.Fatal(err)
		}
		return o.Phase != slipway.PhaseRunning || post(w, "/print?line=") == nil
	})
	return o.Phase
}

func leavesNothing(t *testing.T, d *process.Driver, root string, w slipway.Workload) {
	t.Helper()
	if err := d.Stop(t.Context(), w.Deployment, w.Instance, 100*time.Millisecond); err != nil {
		t.Errorf("Stop: %v", err)
	}
	text, _ := d.Output(t.Context(), w.Deployment, w.Instance, 0, 1<<20)
	if n := strings.Count(string(text), "SIGTERM"); n > 2 { // the second from the next server, where the first died over its own
		t.Errorf("%d SIGTERMs", n)
	}
	if leaders, children := agents(t, w); len(leaders)+len(children) > 0 {
		t.Errorf("stopped, but %v and %v run", leaders, children)
	}
	if err := remove(t.Context(), d, w); err != nil {
		t.Errorf("Delete, Purge: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestDeathAnywhere kills servers at any moment while they start agents.
func TestDeathAnywhere(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		workloads := []slipway.Workload{workload(t), workload(t), workload(t)}
		s := server{Root: t.TempDir(), Workloads: workloads, Live: "started"}
		s.killedAfter(t, time.Duration(rand.IntN(12000))*time.Microsecond)
		d := open(t, s.Root)
		for _, w := range workloads {
			before, _ := agents(t, w)
			o, err := d.Apply(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			runsOnce(t, d, w, before, o)
		}
		for _, w := range workloads {
			if err := errors.Join(d.Stop(t.Context(), w.Deployment, w.Instance, 0), remove(t.Context(), d, w)); err != nil {
				t.Error(err)
			}
		}
		d.Close()
	}
}

// killedOnce kills a server when it has said something.
func (s server) killedOnce(t *testing.T, said string) {
	t.Helper()
	cmd := s.command(t)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != said; {
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// killedAfter kills a server some time after it was ready.
func (s server) killedAfter(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := s.command(t)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the server was never ready: %v", err)
	}
	<-time.After(after)
	cmd.Process.Kill()
	cmd.Wait()
}
