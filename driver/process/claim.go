package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	varPort     = "PORT"
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

// members returns every living process of an instance. The session counts only
// where the caller knows that its leader was not replaced; 0 for not.
func (in *instance) members(session int) ([]claim, error) {
	return living(func(p procfs.Process) (claim, bool, error) {
		if session != 0 && p.Session == session {
			return claim{Process: p}, true, nil
		}
		c, err := claimOf(p)
		return c, c.folder == in.folder, err
	})
}

// living returns the processes that are picked, without zombies and ourselves.
func living(pick func(procfs.Process) (claim, bool, error)) ([]claim, error) {
	pids, err := procfs.PIDs()
	var found []claim
	for _, pid := range pids {
		p, err := procfs.Stat(pid)
		if errors.Is(err, procfs.ErrGone) || p.Ended() || pid == os.Getpid() {
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

// sweep kills until nothing of an instance is left, however fast it forks.
func (in *instance) sweep(ctx context.Context, session int) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		left, err := in.members(session)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, c := range left {
			if err := c.kill(); err != nil {
				return err
			}
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}
