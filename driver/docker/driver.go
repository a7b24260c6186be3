package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/exits"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/engine"
)

var (
	_ slipway.Driver  = (*Driver)(nil)
	_ slipway.Trimmer = (*Driver)(nil)
)

// Config is what a driver is opened with.
type Config struct {
	Engine *engine.Engine // nil: nothing is run, and what ran is only named
	Owner  string         // names the installation in labels
	Root   string         // the folder for what is kept of instances
	Logger *slog.Logger
	// Reserve is how many bytes are to stay free on the disk of Root: when there
	// are less, who fills it is ended.
	Reserve int64
}

// Driver runs containers. It is safe for concurrent use.
type Driver struct {
	Config
	alive   context.Context // ends with Close
	close   context.CancelFunc
	running sync.WaitGroup
	exits   *exits.Exits

	connecting turn // held while networks are made and removed

	mu        sync.Mutex
	instances map[slipway.InstanceID]*instance
}

// Open returns a driver. It does not wait for the engine: what runs is adopted
// when the engine answers.
func Open(c Config) (*Driver, error) {
	if err := os.MkdirAll(c.Root, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for containers: %w", err)
	}
	d := &Driver{Config: c, connecting: make(turn, 1), instances: map[slipway.InstanceID]*instance{}}
	d.alive, d.close = context.WithCancel(context.Background())
	d.exits = exits.Until(d.alive)
	if d.Engine != nil {
		d.running.Go(d.watch)
		d.running.Go(d.watchDisk)
	}
	return d, nil
}

// Close lets go of every container without touching it, and returns when that
// is done.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.close()
	for _, in := range d.instances {
		in.hangUp()
	}
	d.mu.Unlock()
	d.running.Wait()
	d.exits.Wait()
	return nil
}

// Exits reports deployments with an ended instance until ctx ends or the driver
// is closed; then the channel is closed.
func (d *Driver) Exits(ctx context.Context) <-chan slipway.DeploymentID { return d.exits.Listen(ctx) }

var errClosed = errors.New("docker: driver is closed")

// errNoEngine is for what an earlier server left that had an engine.
var errNoEngine = errors.New("it runs in a container, and this server was started without --docker-host")

// instance is what is known of one instance beside its container.
type instance struct {
	deployment slipway.DeploymentID
	id         slipway.InstanceID
	folder     string
	turn       turn // held over the steps of Apply and Delete
	copying    turn // held by who copies output
	output     *output

	mu       sync.Mutex
	follower *follower
	drained  string // the ended container whose output is here, whole
	seen     *look  // the container that ran when it was last looked at
	line     *line  // kept for who asks its agent next
	opened   string // the container that is known not to stand by any more
	yielded  string // the container that is known to have its state closed for good
	mute     string // the container whose server is known not to tell of its runs

	overDisk, whyOverDisk string // the container that we ended for what it kept on the disk
}

// turn is a lock that is waited for no longer than a context lasts.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) leave() { <-t }

func (d *Driver) deploymentFolder(id slipway.DeploymentID) string {
	return filepath.Join(d.Root, string(id))
}

// find returns an instance, nil if there is none.
func (d *Driver) find(id slipway.DeploymentID, i slipway.InstanceID) (*instance, error) {
	if err := ids.Check(id, i); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(d.deploymentFolder(id), string(i))); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	if d.Engine == nil {
		return nil, fmt.Errorf("instance %s: %w", i, errNoEngine)
	}
	return d.known(id, i), nil
}

func (d *Driver) known(id slipway.DeploymentID, i slipway.InstanceID) *instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.instances[i]
	if in == nil || in.deployment != id {
		folder := filepath.Join(d.deploymentFolder(id), string(i))
		in = &instance{
			deployment: id, id: i, folder: folder, output: &output{folder: folder},
			turn: make(turn, 1), copying: make(turn, 1),
		}
		d.instances[i] = in
	}
	return in
}

func (d *Driver) drop(in *instance) {
	in.hangUp()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.instances[in.id] == in {
		delete(d.instances, in.id)
	}
}

// folders lists the instances of a deployment, of all if it is "", that have a
// folder.
func (d *Driver) folders(id slipway.DeploymentID) ([]slipway.Observed, error) {
	deployments := []string{string(id)}
	if id == "" {
		var err error
		if deployments, err = names(d.Root); err != nil {
			return nil, err
		}
	}
	var list []slipway.Observed
	for _, deployment := range deployments {
		found, err := names(filepath.Join(d.Root, deployment))
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			o := absent(slipway.DeploymentID(deployment), slipway.InstanceID(i))
			if ids.Check(o.Deployment, o.Instance) == nil {
				list = append(list, o)
			}
		}
	}
	return list, nil
}

func names(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, err
}
