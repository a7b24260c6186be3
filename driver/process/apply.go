package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/reason"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/removal"
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
	if err := d.clean(ctx, in); err != nil {
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
	return d.launch(ctx, in, w)
}

// launch writes down what it is about to do, does it, and writes down what came
// of it. See the package's text for a death in between.
func (d *Driver) launch(ctx context.Context, in *instance, w slipway.Workload) error {
	u, err := d.userOf(in.deployment)
	if err != nil {
		return err
	}
	log, err := d.prepare(in, w, u)
	if err != nil {
		return err
	}
	defer log.Close()
	d.at(StepFolders)
	d.warnOfLimits(in, w.Limits)
	s := state{Attempt: w.Attempt, Phase: starting, Port: w.Port, Socket: w.Socket, Keeps: w.Keeps, Offset: in.outputSize(), MemoryMB: w.Limits.MemoryMB, DiskMB: w.Limits.DiskMB}
	if err := in.record(s, d.at); err != nil {
		return err
	}
	d.at(StepIntended)
	g, err := d.newGroup(ctx, in, w.Limits)
	if err != nil {
		return fmt.Errorf("process: %w", err)
	}
	r, err := d.start(ctx, d.policy(in, w, u, g), log)
	if err != nil {
		return errors.Join(err, removeGroup(d.alive, g))
	}
	d.at(StepStarted)
	s.Phase, s.Boot, s.PID, s.Start = running, d.boot, r.pid, r.start
	if err := in.record(s, d.at); err != nil {
		r.abort()
		return errors.Join(err, removeGroup(d.alive, g))
	}
	d.at(StepRecorded)
	r.group = g
	in.begin(r, s, reason.Secrets(w.Env))
	d.watch(in, r)
	return nil
}

// prepare makes the folders, gives the agent its own, and opens the log.
func (d *Driver) prepare(in *instance, w slipway.Workload, u *confine.User) (*os.File, error) {
	if err := removal.Tree(in.door()); err != nil { // with what the last attempt left
		return nil, err
	}
	for _, folder := range d.given(in, w) {
		if err := errors.Join(os.MkdirAll(folder, 0o700), give(folder, u)); err != nil {
			return nil, err
		}
	}
	for _, folder := range d.passable(in) {
		if u == nil {
			break
		}
		if err := os.Chmod(folder, 0o711); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(in.output(), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

func (d *Driver) stateFolder(id slipway.DeploymentID) string {
	return filepath.Join(d.deploymentFolder(id), "state")
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
