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
	varKeep     = "SLIPWAY_KEEP_DIR" // what it writes there lives as long as the instance
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
	all, err := d.everybody()
	return slices.DeleteFunc(all, func(c claim) bool { return c.folder == "" }), err
}

// everybody returns every living process. Those that have no marker of this root
// come without folder and variables.
func (d *Driver) everybody() ([]claim, error) {
	return living(func(p procfs.Process) (claim, bool, error) {
		c, err := claimOf(p)
		if _, _, ours := d.owner(c.folder); !ours {
			c = claim{Process: p}
		}
		return c, true, err
	})
}

// left returns what members does, by a look that those share who ask meanwhile.
func (d *Driver) left(in *instance, of *run) ([]claim, error) {
	all, err := d.census.take(d.everybody)
	var left []claim
	for _, c := range all { // others read it too
		if in.owns(c, of) {
			left = append(left, c)
		}
	}
	return left, err
}

// owns says whether a process is of an instance, and of the attempt whose main
// process is given. That one's session counts too: the caller knows that it is
// still the main process, or was until now.
func (in *instance) owns(c claim, of *run) bool {
	if of == nil {
		return c.folder == in.folder
	}
	return c.Start >= of.start && (c.Session == of.pid || c.folder == in.folder)
}

// members returns every living process of an attempt. What is older is not asked
// for its variables.
func (in *instance) members(of *run) ([]claim, error) {
	return living(func(p procfs.Process) (c claim, member bool, err error) {
		c.Process = p
		if p.Start >= of.start && p.Session != of.pid {
			c, err = claimOf(p)
		}
		return c, in.owns(c, of), err
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
func (d *Driver) clean(ctx context.Context, in *instance) error {
	in.mu.Lock()
	dirty := in.dirty
	in.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := d.killLeft(ctx, in, nil); err != nil {
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
	return d.killLeft(ctx, in, of)
}

// killLeft kills until nothing of an instance, or of one attempt, is left, however
// fast it forks. What was killed loses its marks before it has ended: it is
// waited for too.
func (d *Driver) killLeft(ctx context.Context, in *instance, of *run) error {
	var killed []claim
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		left, err := d.left(in, of)
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
