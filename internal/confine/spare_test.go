package confine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func standBy(t testing.TB) *confine.Spare {
	t.Helper()
	s, err := confine.StandBy(t.Context())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("nobody can stand by here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runSpare runs a shell script by a spare.
func runSpare(t *testing.T, p confine.Policy, script string) (string, error) {
	t.Helper()
	if p.Args == nil {
		p.Args = []string{"/bin/sh", "-c", script}
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := standBy(t)
	pid, err := s.Start(t.Context(), p, out, out)
	s.Wait()
	if err == nil {
		err = ended(t, pid)
	}
	text, _ := os.ReadFile(out.Name())
	return string(text), err
}

// exitStatus is how a process ended that was not well.
type exitStatus syscall.WaitStatus

func (e exitStatus) Error() string { return fmt.Sprintf("%#x", uint32(e)) }

func ended(t *testing.T, pid int) error {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// signals has a shell tell which signals it blocks, ignores and handles, without
// starting anything: while it does, it blocks them all.
const signals = `while read -r key value; do case $key in SigBlk:|SigIgn:|SigCgt:) echo $key $value;; esac; done < /proc/$$/status`

// A program that a spare starts finds what it finds otherwise, in a session of
// its own.
func TestSpare(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "x")
	ordinary, err := run(t, confine.Policy{}, "ulimit -S -n")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		policy confine.Policy
		script string
		out    string
	}{
		"environment": {confine.Policy{Env: []string{"A=\xff1", "GODEBUG=x"}}, "env | sort | grep -av -e ^PWD -e ^_ -e ^SHLVL", "A=\xff1\nGODEBUG=x\n"},
		"folder":      {confine.Policy{Dir: "/usr"}, "pwd", "/usr\n"},
		"umask":       {confine.Policy{Umask: 0o077}, "umask", "0077\n"},
		"files":       {confine.Policy{Limits: confine.Limits{OpenFiles: 100}}, "ulimit -n -H", "100\n"},
		"files of us": {confine.Policy{}, "ulimit -S -n", ordinary},
		"privileges":  {confine.Policy{NoNewPrivileges: true}, "grep NoNewPrivs: /proc/self/status", "NoNewPrivs:\t1\n"},
		"descriptors": {confine.Policy{}, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "},
		"session":     {confine.Policy{}, "cut -d' ' -f6 /proc/$$/stat | grep -x $$ >/dev/null && echo own", "own\n"},
		"parent":      {confine.Policy{}, "echo $PPID", fmt.Sprintln(os.Getpid())},
		"threads":     {confine.Policy{}, "ls /proc/$$/task | wc -l", "1\n"},
		"signals":     {confine.Policy{}, signals, must(run(t, confine.Policy{}, signals))},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := runSpare(t, c.policy, c.script); out != c.out || err != nil {
				t.Errorf("%v: %q, want %q", err, out, c.out)
			}
		})
	}
}

func must(out string, err error) string {
	if err != nil {
		panic(err)
	}
	return out
}

// TestSpareAsUser has one become another user behind walls, in a folder that only
// that user gets into.
func TestSpareAsUser(t *testing.T) {
	root(t)
	dir := t.TempDir()
	for _, name := range []string{"work", "other"} {
		os.Mkdir(filepath.Join(dir, name), 0o700)
		os.Chown(filepath.Join(dir, name), nobody.UID, nobody.GID)
	}
	p := confine.Policy{
		User: nobody, NoNewPrivileges: true, Confined: true, Hide: confine.Closed(dir + "/x"),
		Write: []string{dir + "/work"}, Dir: dir + "/work",
	}
	out, err := runSpare(t, p, "id -u; id -G; touch new && ls; echo x > "+dir+"/other/new || echo denied; cat /proc/$PPID/environ || echo denied")
	if err != nil || !strings.HasPrefix(out, "60799\n60799\nnew\n") || strings.Count(out, "\ndenied\n") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// What keeps a program from being started is told, and nothing is left of it.
func TestSpareNeverBegun(t *testing.T) {
	dir := t.TempDir()
	plain, strange := filepath.Join(dir, "plain"), filepath.Join(dir, "strange")
	os.WriteFile(plain, []byte("text"), 0o644)
	os.WriteFile(strange, []byte("text"), 0o755)
	for name, c := range map[string]struct {
		policy confine.Policy
		want   error
		says   string
	}{
		"no program":      {confine.Policy{Args: []string{"/no/such/program"}}, os.ErrNotExist, "start /no/such/program: no such file or directory"},
		"no right":        {confine.Policy{Args: []string{plain}}, os.ErrPermission, "start " + plain},
		"no program text": {confine.Policy{Args: []string{strange}}, syscall.ENOEXEC, "start " + strange},
		"no folder":       {confine.Policy{Args: []string{"/bin/true"}, Dir: dir + "/absent"}, os.ErrNotExist, "enter " + dir},
		"no group":        {confine.Policy{Args: []string{"/bin/true"}, Join: []string{dir + "/absent/tasks"}}, os.ErrNotExist, "join " + dir},
		"no group of 2":   {confine.Policy{Args: []string{"/bin/true"}, Born: dir + "/absent"}, os.ErrNotExist, "join " + dir},
		"none, but there": {confine.Policy{Args: []string{"/bin/true"}, Born: dir}, syscall.EBADF, "start /bin/true"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runSpare(t, c.policy, "")
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if _, ok := errors.AsType[*confine.Error](err); !ok {
				t.Errorf("%T is not ours", err)
			}
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
				t.Errorf("left: %d, %v", pid, err)
			}
		})
	}
}

// A spare that has ended starts nothing, and says so: another way can be taken.
func TestSpareGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, p := standBy(t), confine.Policy{Args: []string{"/bin/true"}}
	cancel()
	pid, err := s.Start(ctx, p, os.Stdout, os.Stdout)
	if s.Wait(); err == nil {
		ended(t, pid) // it was faster
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	s = standBy(t)
	unix.Kill(childOf(t), unix.SIGKILL)
	if _, err := s.Start(t.Context(), p, os.Stdout, os.Stdout); !errors.Is(err, confine.ErrGone) {
		t.Errorf("killed: %v", err)
	}
	s.Wait()
	s = standBy(t)
	s.End()
	s.Wait()
}

// childOf is the one child of this process.
func childOf(t *testing.T) int {
	t.Helper()
	children := confine.Descendants(os.Getpid())
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	return children[0]
}

// Held stays open in a spare that is on the way to its program, and no longer.
func TestSpareHolds(t *testing.T) {
	dir := t.TempDir()
	path, gate := filepath.Join(dir, "lock"), filepath.Join(dir, "gate")
	held, err := os.Create(path)
	if err := errors.Join(err, unix.Flock(int(held.Fd()), unix.LOCK_EX), unix.Mkfifo(gate, 0o600)); err != nil {
		t.Fatal(err)
	}
	free := func() bool {
		other, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		return unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	}
	s := standBy(t)
	child := childOf(t)
	started := make(chan int)
	go func() {
		// It waits at the gate for somebody to read there.
		pid, _ := s.Start(t.Context(), confine.Policy{Args: []string{"/bin/sleep", "600"}, Join: []string{gate}}, os.Stdout, held)
		started <- pid
	}()
	testsignal.Until(t, "the lock in other hands", func() bool {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", child))
		return slices.ContainsFunc(files, func(file string) bool { to, _ := os.Readlink(file); return to == path })
	})
	held.Close()
	if free() {
		t.Error("free before the program began")
	}
	reader, err := os.OpenFile(gate, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	pid := testsignal.Receive(t, "its start", started)
	reader.Close()
	s.Wait()
	if !free() {
		t.Error("still held")
	}
	unix.Kill(pid, unix.SIGKILL)
	ended(t, pid)
}

// Whoever forks a Go program must not come by anything that schedules: that shows
// only under load.
func TestSparesUnderLoad(t *testing.T) {
	var stop atomic.Bool
	defer stop.Store(true)
	for range 2 * runtime.NumCPU() {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	for range 40 {
		if _, err := runSpare(t, confine.Policy{Args: []string{"/bin/true"}, Confined: true, Umask: 0o022}, ""); err != nil {
			t.Fatal(err)
		}
	}
}
