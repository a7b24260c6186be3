package procfs

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway/internal/testsignal"
)

func TestStatOfOneself(t *testing.T) {
	p, err := Stat(os.Getpid())
	if err != nil || p.PID != os.Getpid() || p.Start == 0 || p.Ended() || p.Stopped() {
		t.Fatalf("Stat = %+v, %v", p, err)
	}
	again, _ := Stat(os.Getpid())
	if again.Start != p.Start || again.Session != p.Session {
		t.Fatalf("two looks differ: %+v, %+v", p, again)
	}
}

func TestGoneProcess(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Stat(cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("Stat: %v", err)
	}
	if _, err := Environ(cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("Environ: %v", err)
	}
}

func TestEnviron(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "60")
	cmd.Env = []string{"A=1", "B=two words"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	// The kernel shows them a moment after exec has succeeded.
	testsignal.Until(t, "the variables", func() bool {
		env, err := Environ(cmd.Process.Pid)
		return err == nil && slices.Equal(env.All(), cmd.Env) && env.Get("B") == "two words" && env.Get("words") == ""
	})
	if name := Command(cmd.Process.Pid); name != "sleep" {
		t.Errorf("Command = %q", name)
	}
}

// TestEnvironDuringExec looks at a process that does nothing but execute itself.
func TestEnvironDuringExec(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", `exec "$SELF" -c "$PROGRAM"`)
	cmd.Env = []string{"SELF=/bin/sh", `PROGRAM=exec "$SELF" -c "$PROGRAM"`, "MARK=here"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for range 5_000 {
		if env, err := Environ(cmd.Process.Pid); env.Get("MARK") != "here" || err != nil {
			t.Fatalf("Environ = %q, %v", env, err)
		}
	}
}

func TestListener(t *testing.T) {
	if !canAsk() {
		t.Log("this kernel answers no socket queries: only the tables are tested")
	}
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(address, func(t *testing.T) {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Skip(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			inode, err := Listener(port)
			table, err2 := readListener(port)
			if err != nil || err2 != nil || inode == 0 || inode != table {
				t.Fatalf("Listener = %d, %v; tables say %d, %v", inode, err, table, err2)
			}
			if held, err := Holds(os.Getpid(), inode); !held || err != nil {
				t.Errorf("Holds = %v, %v", held, err)
			}
			if pid := Holder(inode); pid != os.Getpid() {
				t.Errorf("Holder = %d, not this process", pid)
			}
			l.Close()
			if inode, err := Listener(port); inode != 0 || err != nil {
				t.Errorf("after Close: %d, %v", inode, err)
			}
			if inode, err := readListener(port); inode != 0 || err != nil {
				t.Errorf("after Close, tables: %d, %v", inode, err)
			}
		})
	}
}

func TestListenerElsewhere(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if inode, err := Listener(port); inode != 0 || err != nil {
		t.Errorf("a socket on another address counts: %d, %v", inode, err)
	}
	if inode, err := readListener(port); inode != 0 || err != nil {
		t.Errorf("a socket on another address counts in the tables: %d, %v", inode, err)
	}
}

func BenchmarkListener(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		Listener(l.Addr().(*net.TCPAddr).Port)
	}
}
