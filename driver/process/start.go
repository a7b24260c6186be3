package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/confine"
)

// spareRest is between two spares: the moments after a start are the agent's.
const spareRest = 100 * time.Millisecond

// keepSpare has a child stand by for the next start, until the driver is closed.
func (d *Driver) keepSpare() {
	for pause(d.alive, spareRest) == nil {
		s, err := confine.StandBy(d.alive)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil {
			slog.Debug("no child stands by for the next start", "error", err)
			continue
		}
		d.at(StepSpare)
		select {
		case d.spare <- s:
			s.Wait()
		case <-d.alive.Done():
			s.End()
		}
	}
}

// start makes the process, in a session of its own, by way of a child that
// applies its policy to itself: one that stands by, else a new one.
func (d *Driver) start(ctx context.Context, p confine.Policy, log *os.File) (*run, error) {
	select {
	case s := <-d.spare:
		// The lock is lent to it, as a new child has a copy until its exec.
		pid, err := s.Start(ctx, p, log, d.lock)
		if err == nil {
			return runOf(pid)
		}
		if !errors.Is(err, confine.ErrGone) {
			return nil, notStarted(p, err)
		}
	default:
	}
	pid, err := begin(ctx, p, log)
	if err != nil {
		return nil, notStarted(p, err)
	}
	return runOf(pid)
}

// begin starts a new child, and returns when it has become the program.
func begin(ctx context.Context, p confine.Policy, log *os.File) (pid int, err error) {
	child, err := p.Start(ctx, &exec.Cmd{Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, err
	}
	pid = child.Process.Pid
	if err := child.Executed(); err != nil {
		abort(pid)
		return 0, err
	}
	_ = child.Process.Release() // it is reaped by its number
	return pid, nil
}

// runOf takes hold of a child of ours: nobody else reaps it, so that its number
// is its own.
func runOf(pid int) (*run, error) {
	found, err := procfs.Stat(pid)
	var r *run
	if err == nil {
		r, err = hold(pid, found.Start)
	}
	if r == nil {
		abort(pid)
		return nil, errors.Join(err, fmt.Errorf("process %d could not be held", pid))
	}
	return r, nil
}

// notStarted tells what exec said from what kept the policy from being applied.
func notStarted(p confine.Policy, err error) error {
	refused, ok := errors.AsType[*confine.Error](err)
	if ok && refused.Doing == "start "+p.Args[0] {
		return &startError{path: p.Args[0], err: refused.Errno}
	}
	return fmt.Errorf("process: start %s: %w", p.Args[0], err)
}

// abort undoes a start that could not be written down.
func (r *run) abort() {
	defer r.close()
	abort(r.pid)
}

func abort(pid int) {
	_ = unix.Kill(-pid, unix.SIGKILL)
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		slog.Warn("an agent that could not be recorded was not reaped", "pid", pid, "error", err)
	}
}
