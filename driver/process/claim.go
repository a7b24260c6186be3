package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
)

// Variables that every agent gets from us. The folder is the marker: it names
// root, deployment and instance at once.
const (
	varFolder   = "SLIPWAY_FOLDER"
	varInstance = "SLIPWAY_INSTANCE"
	varAttempt  = "SLIPWAY_ATTEMPT"
	varState    = "SLIPWAY_STATE_DIR"
	varPublic   = "SLIPWAY_PUBLIC"   // names of variables that may be quoted
	varControl  = "SLIPWAY_CONTROL"  // where it may listen for us
	varStandBy  = "SLIPWAY_STAND_BY" // "1": it waits there to be released
	varPort     = "PORT"
	varSocket   = "SLIPWAY_SOCKET" // where it is to listen, in place of the port
)

// claim is a process with a marker.
type claim struct {
	procfs.Process
	folder string // of its instance
	env    procfs.Env
}

// claims returns every living process with a marker of this root.
func (d *Driver) claims() ([]claim, error) {
	return living(func(p procfs.Process) (claim, bool, error) {
		c, err := claimOf(p)
		_, _, ours := d.owner(c.folder)
		return c, ours, err
	})
}

// members returns every living process of an instance, or only those of the
// attempt whose main process is given. Its session counts too then: the caller
// knows that this is still the main process, or was until now.
func (in *instance) members(of *run) ([]claim, error) {
	return living(func(p procfs.Process) (claim, bool, error) {
		if of != nil && p.Start < of.start {
			return claim{}, false, nil
		}
		if of != nil && p.Session == of.pid {
			return claim{Process: p}, true, nil
		}
		c, err := claimOf(p)
		return c, c.folder == in.folder, err
	})
}

// living returns the processes that are picked, without zombies, threads of the
// kernel and ourselves.
func living(pick func(procfs.Process) (claim, bool, error)) ([]claim, error) {
	pids, err := procfs.PIDs()
	var found []claim
	for _, pid := range pids {
		p, err := procfs.Stat(pid)
		if errors.Is(err, procfs.ErrGone) || p.Ended() || p.Kernel || pid == os.Getpid() {
			continue
		}
		var c claim
		picked := false
		if err == nil {
			c, picked, err = pick(p)
		}
		if err != nil && !errors.Is(err, procfs.ErrGone) {
			return nil, err
		}
		if picked && err == nil {
			found = append(found, c)
		}
	}
	return found, err
}

// claimOf looks for the marker: in the variables or, where a process has not
// got or has overwritten them, in its standard output.
func claimOf(p procfs.Process) (claim, error) {
	env, err := procfs.Environ(p.PID)
	c := claim{Process: p, env: env, folder: env.Get(varFolder)}
	if c.folder == "" {
		if folder, file := filepath.Split(procfs.Stdout(p.PID)); file == outputFile {
			c.folder = strings.TrimSuffix(folder, "/")
		}
	}
	return c, err
}

// kill ends one process, unless its number has gone to another.
func (c claim) kill() error {
	r, err := hold(c.PID, c.Start)
	if r == nil || err != nil {
		return err
	}
	defer r.close()
	err = r.signal(unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// clean makes sure that nothing is left of attempts that have ended. What ended
// under our eyes was swept then.
func (in *instance) clean(ctx context.Context) error {
	in.mu.Lock()
	dirty := in.dirty
	in.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := in.sweep(ctx, nil); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.dirty = false
	return nil
}

// soil notes that something may be left of an attempt that has ended.
func (in *instance) soil() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.dirty = true
}

// sweep ends what is left of an attempt: what its control group holds, at once
// and wherever it hides, and what else has a mark.
func (d *Driver) sweep(ctx context.Context, in *instance, of *run) error {
	if g := d.group(in); g != nil {
		if err := g.Kill(ctx); err != nil {
			return err
		}
	}
	return in.sweep(ctx, of)
}

// sweep kills until nothing of an instance, or of one attempt, is left, however
// fast it forks. What was killed loses its marks before it has ended: it is
// waited for too.
func (in *instance) sweep(ctx context.Context, of *run) error {
	var killed []claim
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		left, err := in.members(of)
		killed = slices.DeleteFunc(killed, claim.ended)
		if err != nil || len(left)+len(killed) == 0 {
			return err
		}
		for _, c := range left {
			if err := c.kill(); err != nil {
				return err
			}
		}
		killed = append(killed, left...)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// ended says whether nothing of a process runs any more.
func (c claim) ended() bool {
	p, err := procfs.Stat(c.PID)
	return errors.Is(err, procfs.ErrGone) || err == nil && (p.Ended() || p.Start != c.Start)
}
