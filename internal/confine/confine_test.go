package confine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/internal/confine"
)

// run runs a shell script under a policy.
func run(t *testing.T, p confine.Policy, script string) (string, error) {
	t.Helper()
	if p.Args == nil {
		p.Args = []string{"/bin/sh", "-c", script}
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "program")
	cmd.Stdout, cmd.Stderr = &out, &out
	c, err := p.Start(t.Context(), cmd)
	if err == nil {
		err = c.Wait()
	}
	return out.String(), err
}

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

var nobody = &confine.User{UID: 60799, GID: 60799}

func TestStart(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "x")
	dir := t.TempDir()
	cases := map[string]struct {
		policy confine.Policy
		script string
		out    string
		exit   int
	}{
		"environment": {confine.Policy{Env: []string{"A=\xff1", "GODEBUG=x"}}, "env | sort | grep -av -e ^PWD -e ^_ -e ^SHLVL", "A=\xff1\nGODEBUG=x\n", 0},
		"folder":      {confine.Policy{Dir: dir}, "pwd", dir + "\n", 0},
		"exit code":   {confine.Policy{}, "exit 7", "", 7},
		"its 126":     {confine.Policy{}, "exit 126", "", 126},
		"umask":       {confine.Policy{Umask: 0o077}, "umask", "0077\n", 0},
		"files":       {confine.Policy{Limits: confine.Limits{OpenFiles: 100}}, "ulimit -n -H", "100\n", 0},
		"size":        {confine.Policy{Limits: confine.Limits{FileSize: 1024}}, "ulimit -f", "2\n", 0},
		"privileges":  {confine.Policy{NoNewPrivileges: true}, "grep NoNewPrivs: /proc/self/status", "NoNewPrivs:\t1\n", 0},
		"kept":        {confine.Policy{}, "grep NoNewPrivs: /proc/self/status", "NoNewPrivs:\t0\n", 0},
		"descriptors": {confine.Policy{}, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, c.policy, c.script)
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if out != c.out || code != c.exit {
				t.Errorf("exit %d: %q", code, out)
			}
		})
	}
}

// What keeps a program from being started is not taken for its own end.
func TestNeverBegun(t *testing.T) {
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
		"no group":        {confine.Policy{Args: []string{"/bin/true"}, Join: []string{dir + "/absent/cgroup.procs"}}, os.ErrNotExist, "join " + dir},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, c.policy, "")
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if _, ok := errors.AsType[*confine.Error](err); !ok {
				t.Errorf("%T is not ours", err)
			}
		})
	}
}

func TestLandlock(t *testing.T) {
	if confine.LandlockVersion() == 0 {
		t.Skip("the kernel has no Landlock")
	}
	dir := t.TempDir()
	for _, name := range []string{"work", "shared", "other"} {
		os.Mkdir(filepath.Join(dir, name), 0o755)
		os.WriteFile(filepath.Join(dir, name, "file"), []byte(name), 0o644)
	}
	p := confine.Policy{User: other(dir), Confined: true, Write: []string{dir + "/work"}, Read: []string{dir + "/shared", dir + "/absent"}, Dir: dir + "/work"}
	for script, works := range map[string]bool{
		"cat file && echo x > file && rm file && mkdir a && ln -s b a/c && mv a d": true,
		"cat ../shared/file":                             true,
		"echo x > ../shared/file":                        false,
		"touch ../shared/new":                            false,
		"cat ../other/file":                              false,
		"ls ..":                                          false,
		"ln ../other/file stolen":                        false,
		"echo x > /dev/null && cat /dev/null":            true,
		"echo x > /dev/tty":                              false,
		"echo x > /tmp/slipway-confine-test":             false,
		"cat /etc/passwd > copy":                         true,
		fmt.Sprintf("cat /proc/%d/environ", os.Getpid()): false,
		fmt.Sprintf("kill -0 %d", os.Getpid()):           confine.LandlockVersion() < 6,
	} {
		os.WriteFile(dir+"/work/file", nil, 0o666)
		out, err := run(t, p, script)
		if works != (err == nil) {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}

// other is another user than the test's, who owns a folder; nobody if the test
// can not be another.
func other(dir string) *confine.User {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, closed := range confine.Closed(dir + "/x") {
		os.Chmod(closed, 0o755)
	}
	filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error { return os.Lchown(path, nobody.UID, nobody.GID) })
	return nobody
}

func TestUser(t *testing.T) {
	root(t)
	out, err := run(t, confine.Policy{User: nobody, KillSignal: syscall.SIGKILL}, "id -u; id -G; cat /proc/$PPID/environ")
	if !strings.HasPrefix(out, "60799\n60799\n") || !strings.Contains(out, "ermission denied") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A hidden folder shows only what may be seen, even if nobody else can enter
// it, and to nobody else.
func TestHide(t *testing.T) {
	root(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	for _, name := range []string{"a/work", "a/shared/cache", "b"} {
		os.MkdirAll(filepath.Join(dir, name), 0o700)
		os.WriteFile(filepath.Join(dir, name, "file"), []byte(name), 0o644)
		os.Chown(filepath.Join(dir, name), nobody.UID, nobody.GID)
	}
	os.Chmod(dir+"/a/shared", 0o755)
	os.WriteFile(dir+"/one", []byte("one"), 0o644)
	os.WriteFile(dir+"/secret", []byte("secret"), 0o644)
	p := confine.Policy{
		User: nobody, Hide: append(confine.Closed(dir+"/x"), dir+"/a"), Dir: dir + "/a/work",
		Write: []string{dir + "/a/work", dir + "/a/shared/cache"}, Read: []string{dir + "/a/shared", dir + "/one"},
	}
	for _, confined := range []bool{false, true} {
		p.Confined = confined
		for script, works := range map[string]bool{
			"pwd -P && cat file && touch new":                                 true,
			"cat ../shared/cache/file ../../one && touch ../shared/cache/new": true,
			"touch ../shared/new":                                             false,
			"cat ../../secret":                                                false,
			"cat ../../b/file":                                                false,
			"touch ../new":                                                    false,
		} {
			if out, err := run(t, p, script); works != (err == nil) {
				t.Errorf("%s: %v\n%s", script, err, out)
			}
		}
	}
	if _, err := os.Stat(dir + "/secret"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir + "/a/work/new"); err != nil {
		t.Error(err)
	}
}

// BenchmarkStart is what the way by the child costs.
func BenchmarkStart(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			exec.Command("/bin/true").Run()
		}
	})
	p := confine.Policy{Args: []string{"/bin/true"}, Confined: true, Read: []string{"/tmp"}}
	b.Run("spare", func(b *testing.B) {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer null.Close()
		for b.Loop() {
			b.StopTimer()
			s, err := confine.StandBy(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			pid, err := s.Start(b.Context(), p, null, null)
			if err != nil {
				b.Fatal(err)
			}
			syscall.Wait4(pid, nil, 0, nil)
			b.StopTimer()
			s.Wait()
			b.StartTimer()
		}
	})
	b.Run("confined", func(b *testing.B) {
		for b.Loop() {
			c, err := p.Start(b.Context(), exec.Command("true"))
			if err != nil {
				b.Fatal(err)
			}
			c.Wait()
		}
	})
}
