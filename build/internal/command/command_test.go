package command_test

import (
	"bufio"
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

func run(t *testing.T, script string) (lines []string, code int, err error) {
	c := sandboxed(t, command.Limits{Output: 10 << 20}, script)
	c.Env = []string{"GREETING=hello"}
	c.Line = func(line string) { lines = append(lines, line) }
	code, err = c.Run(t.Context())
	return lines, code, err
}

func TestRun(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "x")
	cases := map[string]struct {
		script string
		lines  string
		code   int
	}{
		"both outputs":      {"echo out; echo err >&2", "out|err", 0},
		"exit code":         {"echo why; exit 7", "why", 7},
		"killed":            {"kill -9 $$", "", -1},
		"no last newline":   {"printf 'a\nb'", "a|b", 0},
		"empty lines":       {"printf '\n\na\n\n'", "a", 0},
		"progress":          {`printf '10%%\r20%%\r\n'`, "20%", 0},
		"given environment": {"echo $GREETING$SECRET_OF_THE_SERVER$HOME", "hello", 0},
		"no input":          {"cat", "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lines, code, err := run(t, c.script)
			if got := strings.Join(lines, "|"); got != c.lines || code != c.code || err != nil {
				t.Errorf("got %q, exit %d, %v", got, code, err)
			}
		})
	}
}

func TestRunBoundsOutput(t *testing.T) {
	lines, _, err := run(t, "head -c 12000000 /dev/zero | tr '\\0' x; echo; echo end")
	size := 0
	for _, line := range lines {
		size = max(size, len(line))
	}
	if err != nil || size != command.MaxLine || len(lines) > 10<<20/command.MaxLine+1 {
		t.Errorf("%d lines of up to %d bytes, %v", len(lines), size, err)
	}
	if last := lines[len(lines)-1]; last != command.Truncated {
		t.Errorf("ends with %.40q", last)
	}
}

func TestRunReportsWhatCanNotStart(t *testing.T) {
	_, err := command.Command{Args: []string{"/no/such/program"}, As: command.Server}.Run(t.Context())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A command that waits for the second report of its own silence.
func TestRunReportsSilence(t *testing.T) {
	c := sandboxed(t, command.Limits{Output: 10 << 20}, "echo; until test -e heard; do :; done")
	heard, reports := filepath.Join(c.Dir, "heard"), 0
	c.Patience = 10 * time.Millisecond
	c.Silent = func(since time.Duration) {
		if reports++; reports == 2 && since >= 20*time.Millisecond {
			os.WriteFile(heard, nil, 0o644)
		}
	}
	if code, err := c.Run(t.Context()); code != 0 || err != nil || reports < 2 {
		t.Errorf("exit %d, %v, %d reports", code, err, reports)
	}
}

// When we are killed, so is what we run.
func TestRunDiesWithUs(t *testing.T) {
	if pids := os.Getenv("COMMAND_TEST_PIDS"); pids != "" {
		c := in(t, command.Settings{Data: filepath.Dir(pids)}, command.Scope{}, "echo $$; exec sleep 600")
		c.Line = func(line string) { os.WriteFile(pids, []byte(line), 0o644); fmt.Println("ready") }
		c.Run(context.Background())
		return
	}
	pids := filepath.Join(t.TempDir(), "pids")
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestRunDiesWithUs")
	self.Env = append(os.Environ(), "COMMAND_TEST_PIDS="+pids)
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	self.Process.Kill()
	self.Wait()
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(string(text))
	testsignal.Until(t, "init to reap it", func() bool { return !alive(pid) })
	in(t, command.Settings{Data: filepath.Dir(pids)}, command.Scope{}, "") // takes away its control group
}

func TestKillMarked(t *testing.T) {
	mine, other := exec.Command("sleep", "600"), exec.Command("sleep", "600")
	mine.Env, other.Env = []string{"SLIPWAY_BUILD=/data/tmp/x"}, []string{"SLIPWAY_BUILD=/data/tmp2"}
	for _, cmd := range []*exec.Cmd{mine, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	command.KillMarked("/data/tmp")
	if err := mine.Wait(); err == nil {
		t.Error("it ended well")
	}
	if !alive(other.Process.Pid) {
		t.Error("another one is gone too")
	}
	other.Process.Kill()
	other.Wait()
}

func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && syscall.Kill(pid, 0) == nil
}
