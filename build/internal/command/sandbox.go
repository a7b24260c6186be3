package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/mask"
)

// Sandbox is what the programs of one build run in.
type Sandbox struct {
	*Confinement
	mark string
	mask *mask.Masker

	// mu is held while a program of the app runs: at its end, all that its user
	// runs is killed.
	mu    sync.Mutex
	claim *claim // of the app's user, once one was needed
}

// Close kills what is left of the app's programs and gives its user back.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claim == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), goneWithin)
	defer cancel()
	err := errors.Join(s.claim.clear(ctx), s.claim.lock.Close())
	s.claim = nil
	return err
}

// run is one program in a sandbox; the zero value is one outside of any.
type run struct {
	box   *Sandbox
	as    Identity
	step  string
	user  *confine.User // nil: the server's own
	group *cgroup.Group // nil where there are none
	disk  []string      // folders that count
	pid   int
}

// enter prepares a run of a command, which must leave.
func (s *Sandbox) enter(ctx context.Context, c *Command) (*run, error) {
	r := &run{box: s, as: c.As, step: c.step(), disk: c.Write}
	if c.As == App {
		s.mu.Lock()
	}
	err := r.prepare(ctx, c)
	if err != nil {
		r.leave()
		return nil, err
	}
	return r, nil
}

func (r *run) prepare(ctx context.Context, c *Command) (err error) {
	if r.user, err = r.box.userFor(ctx, c.As); err != nil {
		return err
	}
	if err := r.box.own(r.user, c.Write, c.Cache); err != nil {
		return fmt.Errorf("hand folders to who runs %s: %w", c.Args[0], err)
	}
	if !r.box.groups.Holds() {
		return nil
	}
	limits := r.box.settings.Limits
	r.group, err = r.box.groups.New(cgroup.Limits{Memory: limits.Memory, Processes: limits.Processes})
	return err
}

// userFor is who runs a program, nil for the server's own user.
func (s *Sandbox) userFor(ctx context.Context, as Identity) (*confine.User, error) {
	users := s.settings.Users
	switch {
	case !users.any():
		return nil, nil
	case as == Fetch:
		return users.fetcher(), nil
	}
	if s.claim == nil {
		claim, err := users.take(ctx)
		if err != nil {
			return nil, err
		}
		s.claim = claim
	}
	return s.claim.user, nil
}

func (r *run) leave() {
	if r.group != nil {
		r.group.Remove() // what is left of it goes with the next start
	}
	if r.as == App {
		r.box.mu.Unlock()
	}
}

func (r *run) limits() Limits {
	if r.box == nil {
		return Limits{Output: 1 << 20}
	}
	return r.box.settings.Limits
}

// output is how many bytes may be handed over.
func (r *run) output() int64 {
	if most := r.limits().Output; most > 0 {
		return most
	}
	return math.MaxInt64
}

func (r *run) masker() *mask.Masker {
	if r.box == nil {
		return nil
	}
	return r.box.mask
}

func (r *run) wrapper() []string {
	if r.box == nil {
		return nil
	}
	return r.box.settings.Wrapper
}

// policy of a command.
func (r *run) policy(c Command) confine.Policy {
	p := confine.Policy{
		Args: c.Args, Env: c.environment(), Dir: c.Dir, NoNewPrivileges: true, KillSignal: syscall.SIGKILL,
	}
	if r.box == nil {
		return p
	}
	p.User, p.Confined, p.Umask = r.user, true, 0o022
	p.Read = append(slices.Clone(c.Read), c.Args[0])
	p.Write = append(slices.Clone(c.Write), c.Cache...)
	if r.user != nil && r.box.hides {
		p.Hide = r.box.hidden(append(slices.Clone(p.Read), p.Write...))
	}
	if r.group != nil {
		p.Born, p.Join = r.group.Entries()
	}
	limits := r.limits()
	p.Limits = confine.Limits{CPU: uint64(limits.CPU.Seconds()), FileSize: uint64(limits.Disk)}
	if _, missing := r.box.groups.Missing(); missing != nil && r.as == App && r.user != nil {
		p.Limits.Processes = uint64(limits.Processes)
	}
	p.Supervised = r.supervised()
	if len(r.wrapper()) > 0 { // who starts the program may be somebody between
		p.KillSignal = 0
	}
	return p
}

// supervised says whether nothing else holds a program's descendants together.
func (r *run) supervised() bool {
	return r.box != nil && r.group == nil && (r.user == nil || r.as == Fetch)
}

// deathSignal is what the first process gets when the server ends.
func (r *run) deathSignal() syscall.Signal {
	if r.supervised() {
		return confine.Stop
	}
	return syscall.SIGKILL
}

// cancel ends a program before its time.
func (r *run) cancel(cmd *exec.Cmd, mark string) error {
	if r.supervised() { // who supervises it must live to do so
		return cmd.Process.Signal(confine.Stop)
	}
	return errors.Join(killGroup(cmd), r.kill(mark))
}

// kill ends all that the program started, wherever it hides, and returns when
// it is gone.
func (r *run) kill(mark string) error {
	ctx, cancel := context.WithTimeout(context.Background(), goneWithin)
	defer cancel()
	var errs []error
	if r.group != nil {
		errs = append(errs, r.group.Kill(ctx))
	}
	if r.as == App && r.user != nil {
		errs = append(errs, r.killUser(ctx))
	}
	if mark != "" {
		KillMarked(mark)
	}
	return errors.Join(errs...)
}

// killUser ends all that the app's user runs. Nobody leaves a control group, so
// that where there is one, looking is enough.
func (r *run) killUser(ctx context.Context) error {
	left := func() []int { return of(r.user.UID) }
	if r.group != nil && len(left()) == 0 {
		return nil
	}
	return errors.Join(confine.KillUser(ctx, *r.user), untilGone(ctx, left))
}

// untilGone waits for processes that were killed.
func untilGone(ctx context.Context, left func() []int) error {
	for {
		pids := left()
		if len(pids) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end: %w", pids, context.Cause(ctx))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// result tells why a program ended as it did, unless its exit code does.
func (r *run) result(ctx, inner context.Context, out *splitter, err error) error {
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case inner.Err() != nil: // a limit
		return context.Cause(inner)
	case r.box == nil && ended:
		return nil
	case ended:
		return r.limitHit(exit, out)
	case errors.Is(err, exec.ErrWaitDelay): // it ended well and left somebody with its output
		return nil
	case err == nil:
		return r.overDisk()
	}
	return err
}

// limitHit explains a failure by a limit, if it was one.
func (r *run) limitHit(exit *exec.ExitError, out *splitter) error {
	limits, status := r.limits(), exit.Sys().(syscall.WaitStatus)
	by := func(s syscall.Signal) bool {
		return status.Signaled() && status.Signal() == s || status.Exited() && status.ExitStatus() == 128+int(s)
	}
	switch {
	case r.group != nil && r.group.OutOfMemory() > 0:
		return limits.outOfMemory(r.step)
	case r.group != nil && r.group.Refused() > 0, r.refused(out):
		return limits.tooManyProcesses(r.step)
	case out.heap != "":
		return heapFull(r.step, out.heap)
	case limits.CPU > 0 && by(syscall.SIGXCPU):
		return limits.computedTooLong(r.step)
	case limits.Disk > 0 && by(syscall.SIGXFSZ):
		return limits.tooMuchDisk(r.step)
	}
	return r.overDisk()
}

// refused goes by what programs say, where nobody counts how often the kernel
// refused them another process.
func (r *run) refused(out *splitter) bool {
	_, missing := r.box.groups.Missing()
	return missing != nil && r.user != nil && out.again
}
