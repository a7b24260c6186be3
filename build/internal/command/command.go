// Package command runs the programs of a build.
//
// Each runs by argv in a process group of its own, with the environment that it
// is given and no other, in the sandbox of its build: as a user who is not the
// server's, with files to read and to write that are named, and within limits
// (see Confinement). What it writes is masked and handed over line by line as it
// comes, bounded in length and in all. When the context ends, the program and
// all its descendants are killed, wherever they hide; when it ends by itself,
// those that it left behind are. When this process is killed, so is the program;
// its descendants then wait for the next Confine on the same data folder.
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

// MaxLine is how long a line may be, in bytes, before it is cut in two.
const MaxLine = 16 << 10

// Within these, the killed are gone, and a pipe is given up that a stray
// descendant holds open.
const (
	goneWithin = 5 * time.Second
	lag        = time.Second
)

// Identity says whose program it is, and so what it is trusted with.
type Identity int

const (
	// App runs what the app brings: its commands, the scripts of packages, the
	// build of a source distribution. It is the default.
	App Identity = iota
	// Fetch runs package managers with scripts off. It alone may write to the
	// caches that builds share.
	Fetch
	// Server runs a program of the machine as the server itself, outside of any
	// sandbox: only to ask what is installed.
	Server
)

// Command is one run of a program.
type Command struct {
	Args []string // the first is the program's path
	Dir  string
	Env  []string
	Mark string       // names the run for KillMarked, "" for that of its sandbox
	Line func(string) // gets each line of either output, one at a time
	// Silent is called, never together with Line, each time that nothing was
	// written for Patience. It may be nil.
	Silent   func(since time.Duration)
	Patience time.Duration

	As Identity
	In *Sandbox // of its build; nil only for Server
	// Read and Write are folders and files that it needs beside those of the
	// system. Those to write to are made its own before it starts, as they
	// are, and count as the build's disk space.
	Read, Write []string
	// Cache are folders that Fetch writes to and builds share.
	Cache []string
	Step  string // of the failure if a limit is hit; "" for install
}

// Run returns the exit code: -1 if a signal ended it. A *slipway.Failure says
// that it hit a limit; any other error is ours, or the context's.
func (c Command) Run(ctx context.Context) (int, error) {
	if c.As == Server {
		return c.run(ctx, new(run))
	}
	if c.In == nil {
		return 0, fmt.Errorf("run %s: a program of a build needs a sandbox", c.Args[0])
	}
	r, err := c.In.enter(ctx, &c)
	if err != nil {
		return 0, err
	}
	defer r.leave()
	return c.run(ctx, r)
}

func (c Command) run(ctx context.Context, r *run) (int, error) {
	// The kernel sends the death signal when the thread that started the
	// program ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	inner, stop := r.watched(ctx)
	defer stop(nil)
	out := &splitter{line: c.Line, left: r.output(), mask: r.masker()}
	cmd := exec.CommandContext(inner, c.Args[0])
	cmd.Stdout, cmd.Stderr = out, out // the same: one goroutine copies both
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: r.deathSignal()}
	cmd.Cancel = func() error { return r.cancel(cmd, c.mark()) }
	cmd.WaitDelay = lag
	child, err := r.policy(c).Start(inner, cmd, r.wrapper()...)
	if err != nil {
		return 0, r.result(ctx, inner, out, errors.Join(err, r.kill(c.mark())))
	}
	r.pid = cmd.Process.Pid
	attended, unwatched := c.attend(out), r.watch(inner, stop)
	err = child.Wait()
	unwatched()
	attended()
	if killed := errors.Join(killGroup(cmd), r.kill(c.mark())); killed != nil {
		return 0, killed
	}
	out.end()
	return exit(err), r.result(ctx, inner, out, err)
}

func (c Command) mark() string {
	if c.Mark == "" && c.In != nil {
		return c.In.mark
	}
	return c.Mark
}

func (c Command) environment() []string {
	if c.mark() == "" {
		return c.Env
	}
	return append(slices.Clone(c.Env), markName+"="+c.mark())
}

// exit code of what Wait returned.
func exit(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
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

// killGroup ends the process group. One that is empty is no error.
func killGroup(cmd *exec.Cmd) error {
	if cmd.Process == nil {
		return nil
	}
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// step of a failure.
func (c *Command) step() string {
	if c.Step == "" {
		return "install"
	}
	return c.Step
}
