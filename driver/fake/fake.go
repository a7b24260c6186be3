// Package fake is a driver without processes, for tests and benchmarks. Its
// instances do what a [Script] says, at once: nothing in it waits for time
// unless the script makes it.
//
// It keeps the promises of slipway.Driver that can be kept in memory. What lies
// on disk, variables and children are the process driver's.
package fake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

var _ slipway.Driver = (*Driver)(nil)

// Script says how each attempt behaves. It is called once per start, and may
// look at the workload's instance, attempt or arguments.
type Script func(slipway.Workload) Behaviour

// Behaviour is what one attempt does. The zero value runs until it is stopped,
// and never listens.
type Behaviour struct {
	// Fail is returned by Apply in place of a start; a *slipway.Failure is final.
	Fail error
	// Handler is served on the workload's port of 127.0.0.1.
	Handler http.Handler
	// Address is a server of the test's own that stands for the instance, in
	// place of Handler: a thousand instances may share one.
	Address string
	// Ready delays listening until it is closed; nil for at once.
	Ready <-chan struct{}
	// Exit ends the attempt with what is received; nil for never.
	Exit <-chan slipway.Exit
	// Deaf attempts do not end before the grace is over.
	Deaf bool
	// Lingers is how long an attempt that was drained runs on with its state
	// closed.
	Lingers time.Duration
	// Opens is called when it opens its state, with what that holds, and returns
	// what it holds then.
	Opens func(state []byte) []byte
	// Runs says how its work stands; nil for untold.
	Runs func() slipway.Runs
	// Output is what it has written.
	Output func() []byte
}

// Driver runs instances in memory.
type Driver struct {
	world  *world
	alive  context.Context
	close  context.CancelFunc
	relays sync.WaitGroup
}

// world is what outlives a driver.
type world struct {
	mu        sync.Mutex
	script    Script
	instances map[slipway.InstanceID]*instance
	ended     map[chan struct{}]map[slipway.DeploymentID]bool // by who listens
	states    map[slipway.DeploymentID][]byte
	snapshots map[snapshot][]byte
}

// Open makes a driver with a world of its own.
func Open(s Script) *Driver {
	return open(&world{
		script:    s,
		instances: map[slipway.InstanceID]*instance{},
		ended:     map[chan struct{}]map[slipway.DeploymentID]bool{},
		states:    map[slipway.DeploymentID][]byte{},
		snapshots: map[snapshot][]byte{},
	})
}

func open(w *world) *Driver {
	d := &Driver{world: w}
	d.alive, d.close = context.WithCancel(context.Background())
	return d
}

// Reopen closes the driver and opens another one on the same world, as a
// restart of the server does.
func (d *Driver) Reopen() *Driver {
	d.Close()
	return open(d.world)
}

// Close ends the channels of exits; instances go on.
func (d *Driver) Close() error {
	d.close()
	d.relays.Wait()
	return nil
}

// Apply starts the attempt unless it, or a later one, runs or has run.
func (d *Driver) Apply(ctx context.Context, w slipway.Workload) (slipway.Observed, error) {
	in, err := d.world.get(w.Deployment, w.Instance, true)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return slipway.Observed{}, err
	}
	in.turn.Lock()
	defer in.turn.Unlock()
	if o := in.observed(); o.Phase != slipway.PhaseAbsent && o.Attempt >= w.Attempt {
		return o, nil
	}
	if r := in.current(); r != nil {
		r.kill()
		<-r.ended
	}
	err = d.world.start(in, w)
	return in.observed(), err
}

// Inspect looks at one instance.
func (d *Driver) Inspect(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	in, err := d.world.get(id, i, false)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return slipway.Observed{}, err
	}
	if in == nil {
		return slipway.Observed{Instance: i, Deployment: id, Phase: slipway.PhaseAbsent}, nil
	}
	return in.observed(), nil
}

// Listens says whether the attempt is ready and has an address.
func (d *Driver) Listens(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (bool, error) {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return false, errors.Join(err, ctx.Err())
	}
	r := in.current()
	return r != nil && r.listens(), ctx.Err()
}

// Yield has the attempt close its state: at once, or if it is deaf by its end.
func (d *Driver) Yield(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return d.end(ctx, id, i, grace, func(r *run) <-chan struct{} { return r.yielded })
}

// Stop ends the attempt: at once, or if it is deaf or lingers when the grace is
// over.
func (d *Driver) Stop(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return d.end(ctx, id, i, grace, func(r *run) <-chan struct{} { return r.ended })
}

// end asks an attempt to drain, and kills one that has not come as far as is
// awaited when the grace is over.
func (d *Driver) end(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration, awaited func(*run) <-chan struct{}) error {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return err
	}
	r := in.current()
	if r == nil {
		return nil
	}
	draining, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if r.drain(draining, awaited(r)) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.kill()
	<-r.ended
	return nil
}

// Delete forgets a stopped instance.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return err
	}
	in.turn.Lock()
	defer in.turn.Unlock()
	if in.current() != nil {
		return fmt.Errorf("fake: instance %s still runs: stop it first", i)
	}
	d.world.drop(in)
	return ctx.Err()
}

// Purge forgets what is left of a deployment.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	if err := check(string(id)); err != nil {
		return err
	}
	for _, in := range d.world.of(id) {
		if err := d.Delete(ctx, id, in.id); err != nil {
			return err
		}
	}
	d.world.purge(id)
	return ctx.Err()
}

// List returns every instance in the order of ids.
func (d *Driver) List(ctx context.Context) ([]slipway.Observed, error) {
	var list []slipway.Observed
	for _, in := range d.world.of("") {
		list = append(list, in.observed())
	}
	slices.SortFunc(list, func(a, b slipway.Observed) int { return cmp.Compare(a.Instance, b.Instance) })
	return list, ctx.Err()
}

// Output reads what all attempts have written.
func (d *Driver) Output(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, offset int64, limit int) ([]byte, error) {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	text := in.output()
	from := min(max(0, offset), int64(len(text)))
	to := min(from+int64(max(0, limit)), int64(len(text)))
	return text[from:to], ctx.Err()
}

func check(ids ...string) error {
	for _, id := range ids {
		if !slipway.IsID(id) {
			return fmt.Errorf("fake: bad id %q", id)
		}
	}
	return nil
}
