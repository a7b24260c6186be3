package process

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/exits"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
)

var _ slipway.Driver = (*Driver)(nil)

// Driver runs instances below one folder. It is safe for concurrent use.
type Driver struct {
	root string
	boot string
	lock *os.File
	at   func(step string)

	walls   Walls
	reserve int64      // bytes that are to stay free on the disk
	usersMu sync.Mutex // held while a user is given or given back
	groups  *cgroup.Tree
	census  census[[]claim]
	uses    census[procfs.Table] // of memory and processor time

	// alive ends with Close.
	alive    context.Context
	close    context.CancelFunc
	watchers sync.WaitGroup
	shut     func() error
	exits    *exits.Exits
	spare    chan *confine.Spare // holds the one that stands by

	// folders is held for reading while a process is being started, for
	// writing while folders above an instance's are removed.
	folders sync.RWMutex

	mu        sync.Mutex
	instances map[slipway.InstanceID]*instance
}

// Open takes the folder of all deployments, adopts every agent that runs below
// it and finishes what a former server left half done. One driver at a time has
// a folder; Open waits a little for a former one to let go.
//
// From now on no child of this process inherits a file that it was not given.
func Open(root string, options ...Option) (*Driver, error) {
	root, err := prepareRoot(root)
	if err != nil {
		return nil, err
	}
	boot, err := procfs.Boot()
	if err != nil {
		return nil, err
	}
	lock, err := lockRoot(root)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		root: root, boot: boot, lock: lock, at: func(string) {}, groups: groupsOf(root),
		instances: map[slipway.InstanceID]*instance{}, spare: make(chan *confine.Spare, 1),
	}
	d.alive, d.close = context.WithCancel(context.Background())
	d.exits = exits.Until(d.alive)
	d.shut = sync.OnceValue(d.letGo)
	for _, option := range options {
		option(d)
	}
	// A former owner of our process may have left files open to inherit.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err := errors.Join(d.checkUsers(), d.adopt()); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.dropStrays()
	d.watchers.Go(d.boundOutputs)
	d.watchers.Go(d.watchDisk)
	d.watchers.Go(d.keepSpare)
	if missing, _ := d.groups.Missing(); missing != nil {
		d.watchers.Go(d.watchMemory)
	}
	return d, nil
}

// prepareRoot makes the folder and names it by the path that markers hold.
func prepareRoot(root string) (string, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	return filepath.Abs(root)
}

// lockPatience is for a child that a former server was starting as it died: it
// holds the lock until its exec.
const lockPatience = 5 * time.Second

func lockRoot(root string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(root, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || pause(ctx, 5*time.Millisecond) != nil {
			return nil, errors.Join(fmt.Errorf("process: lock %s, which another server may hold: %w", root, err), f.Close())
		}
	}
}

// Close lets go of every agent without touching it. It may be called again, and
// returns when that is done.
func (d *Driver) Close() error { return d.shut() }

func (d *Driver) letGo() error {
	d.mu.Lock()
	d.close()
	for _, in := range d.instances {
		in.letGo()
	}
	d.mu.Unlock()
	d.watchers.Wait()
	d.exits.Wait()
	return d.lock.Close()
}

// Exits reports deployments with an ended instance until ctx ends or the driver
// is closed; then the channel is closed.
func (d *Driver) Exits(ctx context.Context) <-chan slipway.DeploymentID { return d.exits.Listen(ctx) }

var errClosed = errors.New("process: driver is closed")

func (d *Driver) checkOpen() error {
	if d.alive.Err() != nil {
		return errClosed
	}
	return nil
}

// find returns an instance, nil if it is unknown.
func (d *Driver) find(id slipway.DeploymentID, i slipway.InstanceID) (*instance, error) {
	d.mu.Lock()
	in := d.instances[i]
	d.mu.Unlock()
	if in == nil {
		return nil, ids.Check(id, i) // of one that is known they are good
	}
	if in.deployment != id {
		return nil, fmt.Errorf("process: instance %s belongs to deployment %s, not %s", i, in.deployment, id)
	}
	return in, nil
}

// take returns an instance, new or known, and its turn.
func (d *Driver) take(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (*instance, error) {
	for {
		in, err := d.find(id, i)
		if err := errors.Join(err, d.checkOpen()); err != nil {
			return nil, err
		}
		if in == nil {
			in = d.add(id, i)
		}
		if err := in.lock(ctx); err != nil {
			return nil, err
		}
		if !in.isDeleted() {
			return in, nil
		}
		in.unlock()
	}
}

func (d *Driver) add(id slipway.DeploymentID, i slipway.InstanceID) *instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in := d.instances[i]; in != nil {
		return in
	}
	in := newInstance(id, i, d.instanceFolder(id, i))
	d.instances[i] = in
	return in
}

// drop forgets instances whose folders are gone.
func (d *Driver) drop(gone ...*instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range gone {
		in.markDeleted()
		delete(d.instances, in.id)
	}
}

// of returns the instances of a deployment, of all if it is "".
func (d *Driver) of(id slipway.DeploymentID) []*instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*instance
	for _, in := range d.instances {
		if id == "" || in.deployment == id {
			all = append(all, in)
		}
	}
	return all
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
