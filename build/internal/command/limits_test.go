package command_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/command"
)

func owner(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:4])
}

func TestLimits(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("these tests need node: ", err)
	}
	fill := node + ` -e "const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1))"`
	cases := map[string]struct {
		limits  command.Limits
		script  string
		code    string // of the failure, "" for none
		message string
		hint    string
		exit    int
	}{
		"memory":             {command.Limits{Memory: 200 << 20}, fill, "out_of_memory", "200 MiB", "--build-memory", 0},
		"memory of a child":  {command.Limits{Memory: 200 << 20}, fill + "; echo goes on; exit 3", "out_of_memory", "200 MiB", "--build-memory", 0},
		"memory of a tree":   {command.Limits{Memory: 200 << 20}, "for i in 1 2 3 4; do " + node + ` -e "globalThis.a = Buffer.alloc(80 << 20, 1); setTimeout(() => {}, 3000)" & done; wait; exit 1`, "out_of_memory", "200 MiB", "", 0},
		"heap of Node":       {command.Limits{}, node + ` --max-old-space-size=20 -e "const all = []; for (;;) all.push({})"`, "out_of_memory", "JavaScript heap out of memory", "--max-old-space-size", 0},
		"killed by itself":   {command.Limits{Memory: 200 << 20}, "sh -c 'kill -9 $$'; exit $?", "", "", "", 137},
		"time":               {command.Limits{Wall: 300 * time.Millisecond}, "sleep 600", "timeout", "longer than 300ms", "--build-timeout", 0},
		"processor":          {command.Limits{CPU: time.Second}, "while :; do :; done", "timeout", "1s of processor time", "--build-cpu-time", 0},
		"processor of many":  {command.Limits{CPU: 2 * time.Second}, "for i in 1 2 3 4; do (while :; do :; done) & done; wait", "timeout", "2s of processor time", "", 0},
		"processes":          {command.Limits{Processes: 20}, "for i in $(seq 100); do sleep 60 & done; wait", "too_many_processes", "20 processes", "--build-processes", 0},
		"one file":           {command.Limits{Disk: 10 << 20}, "head -c 50000000 /dev/zero > big", "disk_quota", "10 MiB", "--build-disk", 0},
		"disk in many files": {command.Limits{Disk: 10 << 20}, "for i in $(seq 30); do head -c 1000000 /dev/zero > $i; done", "disk_quota", "10 MiB", "--build-disk", 0},
		"files":              {command.Limits{Files: 50}, "for i in $(seq 100); do : > $i; done", "disk_quota", "50 files", "--build-files", 0},
		"disk, at work":      {command.Limits{Disk: 10 << 20}, "for i in $(seq 30); do head -c 1000000 /dev/zero > $i; done; sleep 600", "disk_quota", "10 MiB", "", 0},
		"within all":         {command.DefaultLimits(), node + ` -e "console.log(new Array(1e6).fill(1).length)"`, "", "", "", 0},
		"its own failure":    {command.DefaultLimits(), "exit 5", "", "", "", 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := sandboxed(t, c.limits, c.script)
			var said []string
			cmd.Line, cmd.Step = func(line string) { said = append(said, line) }, "build"
			code, err := cmd.Run(t.Context())
			expectNone(t, cmd)
			if c.code == "" {
				if err != nil || code != c.exit {
					t.Errorf("exit %d, %v\n%s", code, err, strings.Join(said, "\n"))
				}
				return
			}
			f, ok := errors.AsType[*slipway.Failure](err)
			if !ok {
				t.Fatalf("exit %d, error %v\n%s", code, err, strings.Join(said, "\n"))
			}
			if f.Code != c.code || f.Step != "build" || !strings.Contains(f.Message, c.message) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("%s: %s: %s (%s)", f.Step, f.Code, f.Message, f.Hint)
			}
		})
	}
}
