package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/reason"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
)

// Apply starts the attempt unless it, or a later one, runs or has run. What
// still runs of an earlier attempt is killed: who wants it drained calls Stop.
func (d *Driver) Apply(ctx context.Context, w slipway.Workload) (slipway.Observed, error) {
	if len(w.Args) == 0 || !filepath.IsAbs(w.Args[0]) {
		return slipway.Observed{}, fmt.Errorf("process: the first argument must be an absolute path: %q", w.Args)
	}
	in, err := d.take(ctx, w.Deployment, w.Instance)
	if err != nil {
		return slipway.Observed{}, err
	}
	defer in.unlock()
	if !in.settled(w.Attempt) {
		if err := d.replace(ctx, in, w); err != nil {
			return in.observed(), explain(err)
		}
	}
	return in.observed(), nil
}

// replace ends what is left of earlier attempts, then starts this one.
func (d *Driver) replace(ctx context.Context, in *instance, w slipway.Workload) error {
	d.at(StepApply)
	if r := in.current(); r != nil {
		if err := d.killAndWait(ctx, r); err != nil {
			return err
		}
	}
	if err := in.clean(ctx); err != nil {
		return err
	}
	if err := checkPort(w.Port); err != nil {
		return err
	}
	d.folders.RLock()
	defer d.folders.RUnlock()
	if in.isDeleted() {
		return fmt.Errorf("process: deployment %s was purged meanwhile", in.deployment)
	}
	return d.launch(in, w)
}

// launch writes down what it is about to do, does it, and writes down what came
// of it. See the package's text for a death in between.
func (d *Driver) launch(in *instance, w slipway.Workload) error {
	log, err := d.prepare(in, w)
	if err != nil {
		return err
	}
	defer log.Close()
	d.at(StepFolders)
	s := state{Attempt: w.Attempt, Phase: starting, Port: w.Port, Offset: in.outputSize()}
	if err := in.record(s, d.at); err != nil {
		return err
	}
	d.at(StepIntended)
	r, err := start(w, in.work(), d.environment(in, w), log)
	if err != nil {
		return err
	}
	d.at(StepStarted)
	s.Phase, s.Boot, s.PID, s.Start = running, d.boot, r.pid, r.start
	if err := in.record(s, d.at); err != nil {
		r.abort()
		return err
	}
	d.at(StepRecorded)
	in.begin(r, s, reason.Secrets(w.Env))
	d.watch(in, r)
	return nil
}

// prepare makes the folders and opens the log.
func (d *Driver) prepare(in *instance, w slipway.Workload) (*os.File, error) {
	folders := []string{in.work(), in.tmp()}
	if w.Stateful {
		folders = append(folders, d.stateFolder(in.deployment))
	}
	for _, folder := range folders {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(in.output(), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

func (d *Driver) stateFolder(id slipway.DeploymentID) string {
	return filepath.Join(d.deploymentFolder(id), "state")
}

// start makes the process, in a session of its own.
func start(w slipway.Workload, work string, env []string, log *os.File) (*run, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	fd := -1
	pid, err := syscall.ForkExec(w.Args[0], w.Args, &syscall.ProcAttr{
		Dir: work, Env: env,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &fd},
	})
	if err != nil {
		return nil, &startError{path: w.Args[0], err: err}
	}
	p, err := procfs.Stat(pid)
	var r *run
	if err == nil {
		r, err = newRun(pid, p.Start, fd)
	}
	if err != nil {
		abort(pid)
	}
	return r, err
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

// startError is what exec said.
type startError struct {
	path string
	err  error
}

func (e *startError) Error() string { return "cannot start " + e.path + ": " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// passing says whether another try may help.
func passing(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY, syscall.EINTR, syscall.EIO,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// explain turns what the owner of the agent, or of the machine, can do
// something about into a Failure.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "start", Code: "disk_full",
			Message: err.Error(),
			Hint:    "Free space on the disk of the data folder, then deploy again.",
		}
	}
	if start, ok := errors.AsType[*startError](err); ok && !passing(err) {
		return &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "start", Code: "cannot_start",
			Message: start.Error(), Hint: start.hint(),
		}
	}
	return err
}

func (e *startError) hint() string {
	if _, err := os.Stat(e.path); err == nil && errors.Is(e.err, syscall.ENOENT) {
		return "The file itself exists: the interpreter in its first line, or its loader, is missing."
	}
	return ""
}
