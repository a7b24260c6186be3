package command_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// hiding are ways for a program to get away from who would kill it. Each writes
// "ready" when it has.
var hiding = map[string]string{
	"ignores signals":    `trap '' TERM INT HUP; echo ready; while :; do sleep 600; done`,
	"in background":      `sleep 600 & echo ready; wait`,
	"own session":        `setsid sh -c 'echo ready; exec sleep 600' & wait`,
	"orphan":             `(setsid sh -c 'echo ready; exec sleep 600' &) ; exec sleep 600`,
	"empty environment":  `(setsid env -i /bin/sh -c 'echo ready; exec sleep 600' &) ; exec sleep 600`,
	"closes its output":  `(setsid env -i /bin/sh -c 'echo ready; exec sleep 600 >/dev/null 2>&1' &) ; exec sleep 600`,
	"forks all the time": `echo ready; f() { while :; do sleep 600 & done; }; f & f & wait`,
	"runs from generation to generation": `f() { (setsid env -i /bin/sh "$0" &) ; }
		cat > run <<'END'
		sleep 0.01
		(setsid env -i /bin/sh run &)
END
		(setsid env -i /bin/sh run &); echo ready; exec sleep 600`,
}

// expectNone waits for none of a user's, or of a tree's, processes to be left.
func expectNone(t *testing.T, c command.Command) {
	t.Helper()
	for _, pid := range living(c) {
		t.Errorf("process %d is left: %s", pid, cmdline(pid))
	}
}

// living are the processes that work in a command's folder.
func living(c command.Command) []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		dir, err := os.Readlink("/proc/" + entry.Name() + "/cwd")
		if err == nil && dir == c.Dir && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func cmdline(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// Cancelled, a program and all that it started are gone, long before they would
// have ended.
func TestCancel(t *testing.T) {
	for name, script := range hiding {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := sandboxed(t, command.Limits{Processes: 300}, script)
			var cancelled time.Time
			c.Line = func(line string) {
				if line == "ready" && ctx.Err() == nil {
					if len(living(c)) == 0 {
						t.Error("nothing is seen running")
					}
					cancelled = time.Now()
					cancel()
				}
			}
			_, err := c.Run(ctx)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			t.Logf("gone after %v", time.Since(cancelled))
			expectNone(t, c)
		})
	}
}

// One that ends leaves nobody behind.
func TestLeavesNobodyBehind(t *testing.T) {
	for name, script := range hiding {
		if strings.HasPrefix(name, "ignores") || strings.HasPrefix(name, "forks") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			script := strings.NewReplacer("wait", "exit 0", "; exec sleep 600\x00", "").Replace(script + "\x00")
			c := sandboxed(t, command.Limits{}, strings.TrimSuffix(script, "\x00"))
			if code, err := c.Run(t.Context()); code != 0 || err != nil {
				t.Errorf("exit %d, %v", code, err)
			}
			expectNone(t, c)
		})
	}
}

// What a killed server's builds still run ends when the next one starts.
func TestKilledServer(t *testing.T) {
	if data := os.Getenv("COMMAND_TEST_DATA"); data != "" {
		c := in(t, command.Settings{Data: data}, command.Scope{}, hiding["empty environment"])
		c.Line = func(line string) { fmt.Println(line) }
		c.Run(context.Background())
		return
	}
	data := t.TempDir()
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledServer$")
	self.Env = append(os.Environ(), "COMMAND_TEST_DATA="+data)
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 6)
	if _, err := out.Read(buffer); string(buffer) != "ready\n" {
		t.Fatalf("%q, %v", buffer, err)
	}
	self.Process.Signal(syscall.SIGKILL)
	self.Wait()
	c := in(t, command.Settings{Data: data}, command.Scope{}, "")
	if os.Geteuid() != 0 {
		testsignal.Until(t, "who supervises them to end them", func() bool { return len(living(c)) == 0 })
	}
	expectNone(t, c)
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/slipway-" + owner(data) + "-*"); len(left) > 0 {
		t.Errorf("control groups are left: %v", left)
	}
}
