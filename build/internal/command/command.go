// Package command runs the programs of a build.
//
// Each runs by argv in a process group of its own, with the environment that it
// is given and no other. What it writes is handed over line by line as it
// comes, bounded in length and in all. When the context ends, the program and
// all its descendants are killed; when it ends by itself, those that it left
// behind are. When this process is killed, so is the program; its descendants
// then wait for the next process to call KillMarked.
package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const (
	// MaxOutput is how much a program's output may be, in bytes; the rest is
	// not handed over.
	MaxOutput = 10 << 20
	// MaxLine is how long a line may be before it is cut in two.
	MaxLine = 16 << 10
	// lag of a pipe that a stray descendant holds open.
	lag = time.Second
)

// Command is one run of a program.
type Command struct {
	Args []string // the first is the program's path
	Dir  string
	Env  []string
	Mark string       // names the run for KillMarked, "" for none
	Line func(string) // gets each line of either output, one at a time
	// Silent is called, never together with Line, each time that nothing was
	// written for Patience. It may be nil.
	Silent   func(since time.Duration)
	Patience time.Duration
}

// Run returns the exit code: -1 if a signal ended it. An error is ours, or the
// context's.
func (c Command) Run(ctx context.Context) (int, error) {
	// The kernel sends the death signal when the thread that started the
	// program ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	out := &splitter{line: c.Line, left: MaxOutput}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.environment()
	cmd.Stdout, cmd.Stderr = out, out // the same: one goroutine copies both
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = lag
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	attended := c.attend(out)
	err := cmd.Wait()
	c.killRest(cmd)
	attended()
	out.end()
	return result(ctx, err)
}

func (c Command) environment() []string {
	if c.Mark == "" {
		return c.Env
	}
	return append(slices.Clone(c.Env), markName+"="+c.Mark)
}

func (c Command) killRest(cmd *exec.Cmd) {
	killGroup(cmd)
	if c.Mark != "" {
		KillMarked(c.Mark)
	}
}

func result(ctx context.Context, err error) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well and left somebody with its output
		return 0, nil
	}
	return 0, err
}

// attend reports silence until its end is called.
func (c Command) attend(out *splitter) (end func()) {
	if c.Silent == nil {
		return func() {}
	}
	begin, done, gone := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(c.Patience)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				out.ifSilent(func() { c.Silent(time.Since(begin)) })
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-gone }
}

func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
