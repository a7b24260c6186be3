package process_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// TestNothingInherited: an agent has the files that it was given, even if this
// process was started with others.
func TestNothingInherited(t *testing.T) {
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	leaked, err := syscall.Dup(int(secret.Fd())) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)
	f := runScript(t, "echo $$ >pid; exec sleep 3600")
	found := files(t, f.child())
	output := filepath.Join(f.folder(), "output.log")
	if found["0"] != "/dev/null" || found["1"] != output || found["2"] != output {
		t.Errorf("files %v", found)
	}
	for fd, target := range found {
		if target == secret.Name() || filepath.Base(target) == "lock" {
			t.Errorf("file %s is %s", fd, target)
		}
	}
}

func files(t *testing.T, pid int) map[string]string {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		found[entry.Name()], _ = os.Readlink(filepath.Join(folder, entry.Name()))
	}
	return found
}

func TestOwnSession(t *testing.T) {
	f := start(t)
	pid := f.pid()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(stat))
	if err != nil || fields[4] != strconv.Itoa(pid) || fields[5] != strconv.Itoa(pid) {
		t.Errorf("group and session of %d: %s, %v", pid, stat, err)
	}
}

// TestHalted: a halted agent is woken to drain.
func TestHalted(t *testing.T) {
	f := start(t)
	if err := syscall.Kill(f.pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.stop(time.Minute)
	if o := f.inspect(); o.Exit == nil || o.Exit.Code != 0 {
		t.Errorf("Inspect = %+v", o)
	}
}

// TestStragglers: what is left of an ended main process is found by its session
// or its output, even without the marker's variables.
func TestStragglers(t *testing.T) {
	stragglers := map[string]string{
		"session":             `env -i sleep 3600 >/dev/null 2>&1 & echo $! >pid; exit 3`,
		"output":              `env -i setsid sleep 3600 & echo $! >pid; exit 3`,
		"variables":           `setsid sleep 3600 >/dev/null 2>&1 & echo $! >pid; exit 3`,
		"output, as it stops": `env -i setsid sleep 3600 & echo $! >pid; wait`,
	}
	for name, script := range stragglers {
		t.Run(name, func(t *testing.T) {
			f := runScript(t, script)
			pid := f.child()
			if strings.HasSuffix(script, "wait") {
				f.stop(time.Minute)
			}
			testsignal.Until(t, "the exit", func() bool { return f.inspect().Phase == slipway.PhaseExited })
			if alive(pid) {
				t.Error("the straggler lives")
			}
		})
	}
}

// runScript starts a shell in place of an agent.
func runScript(t *testing.T, script string) *fixture {
	f := &fixture{T: t, root: t.TempDir(), w: workload(t)}
	f.w.Args = []string{"/bin/sh", "-c", script}
	f.d = open(t, f.root)
	t.Cleanup(f.clear)
	f.apply()
	return f
}

// child is the pid that a script wrote down.
func (f *fixture) child() int {
	pid := 0
	testsignal.Until(f, "the pid of a child", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.folder(), "work", "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return strings.HasSuffix(string(text), "\n")
	})
	return pid
}

// TestLostVariables: an agent that was started but not recorded, and that has
// lost its variables, is found by its output.
func TestLostVariables(t *testing.T) {
	f := runScript(t, `echo $$ >pid; exec env -i sleep 3600`)
	pid := f.child()
	testsignal.Until(t, "the loss", func() bool {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		return err == nil && !strings.Contains(string(environ), "SLIPWAY")
	})
	f.whileClosed(func() {
		f.edit(func(s map[string]any) { s["phase"], s["pid"], s["boot"] = "starting", 0, "" })
	})
	if o := f.apply(); o.Phase != slipway.PhaseRunning || o.Attempt != 1 || !alive(pid) {
		t.Errorf("Apply = %+v, and %d", o, pid)
	}
	f.stop(0)
	if alive(pid) {
		t.Error("it was not the one that was adopted")
	}
}

func TestHolderOfPortIsNamed(t *testing.T) {
	f := start(t)
	other := f.w
	other.Instance = slipway.NewID[slipway.InstanceID](time.Now())
	_, err := f.d.Apply(t.Context(), other)
	want := fmt.Sprintf("Port %d is in use by process %d (standin).", f.w.Port, f.pid())
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestListensByWorker(t *testing.T) {
	f := &fixture{T: t, root: t.TempDir(), w: workload(t)}
	f.w.Args, f.w.Read = []string{"/bin/sh", "-c", "setsid " + standin + " & echo $! >pid; wait"}, []string{standin}
	f.d = open(t, f.root)
	t.Cleanup(f.clear)
	f.apply()
	f.child()
	if err := serving(f.w); err != nil {
		t.Fatal(err)
	}
	if listens, err := f.d.Listens(t.Context(), f.w.Deployment, f.w.Instance); !listens || err != nil {
		t.Errorf("Listens = %v, %v", listens, err)
	}
}

func TestCannotStart(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d := open(t, t.TempDir())
	defer d.Close()
	for path, want := range map[string]string{
		filepath.Join(folder, "none"):                     "no such file or directory",
		write("plain", "text", 0o600):                     "permission denied",
		write("strange", "text", 0o700):                   "exec format error",
		write("script", "#!/nonexistent/python\n", 0o700): "no such file or directory",
		folder: "permission denied",
	} {
		w := workload(t)
		w.Args[0] = path
		_, err := d.Apply(t.Context(), w)
		f, ok := err.(*slipway.Failure)
		if !ok || f.Code != "cannot_start" || f.Message != "cannot start "+path+": "+want {
			t.Errorf("got %#v, want a Failure with %q", err, want)
		}
		if hinted := ok && f.Hint != ""; hinted != strings.HasSuffix(path, "script") {
			t.Errorf("%s: hint %q", path, f.Hint)
		}
	}
}

func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("slipway-test", root, "tmpfs", 0, "size=1m,nr_inodes=9"); err != nil {
		t.Skipf("a small disk needs root: %v", err)
	}
	defer syscall.Unmount(root, 0)
	d := open(t, root)
	defer d.Close()
	for {
		w := workload(t)
		_, err := d.Apply(t.Context(), w)
		if err == nil {
			defer d.Stop(t.Context(), w.Deployment, w.Instance, 0)
			continue
		}
		if f, ok := err.(*slipway.Failure); !ok || f.Code != "disk_full" || f.Hint == "" {
			t.Errorf("got %#v", err)
		}
		if leaders, _ := agents(t, w); len(leaders) > 0 {
			t.Errorf("%v runs without a record", leaders)
		}
		return
	}
}

func TestCloseLetsGo(t *testing.T) {
	f := start(t)
	f.try(f.d.Close())
	before := runtime.NumGoroutine()
	d := open(t, f.root)
	exits := d.Exits(t.Context())
	f.try(d.Close())
	if _, open := <-exits; open {
		t.Error("an exit was reported")
	}
	testsignal.Until(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
	if !alive(f.pid()) {
		t.Error("the agent ended")
	}
	if _, err := d.Apply(t.Context(), f.w); err == nil {
		t.Error("a closed driver applies")
	}
	f.d = open(t, f.root)
}

// TestDeleteByNobody: without the rights of root, closed folders stand in the
// way.
func TestDeleteByNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the suite tests it when it is not run by root")
	}
	folder, err := os.MkdirTemp("", "slipway-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	self, err := os.ReadFile("/proc/self/exe")
	binary := filepath.Join(folder, "test")
	for _, err := range []error{err, os.Chmod(folder, 0o777), os.WriteFile(binary, self, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w := workload(t)
	s := server{Root: filepath.Join(folder, "root"), Workloads: []slipway.Workload{w}, Live: "closed folders"}
	cmd := s.command(t)
	cmd.Path = binary
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if left, _ := exec.Command("find", s.Root, "-mindepth", "1").Output(); strings.TrimSpace(string(left)) != filepath.Join(s.Root, "lock") {
		t.Errorf("left: %s", left)
	}
}

func makeClosedFolders(root string, w slipway.Workload) error {
	work := filepath.Join(root, string(w.Deployment), "instances", string(w.Instance), "work")
	closed := filepath.Join(work, "closed", "inner")
	if err := os.MkdirAll(filepath.Join(closed, "deep"), 0o700); err != nil {
		return err
	}
	for _, path := range []string{closed, filepath.Dir(closed), work} {
		if err := os.Chmod(path, 0); err != nil {
			return err
		}
	}
	return nil
}
