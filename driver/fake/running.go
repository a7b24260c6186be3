package fake

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// Release lets an instance that stands by open its state and serve.
func (d *Driver) Release(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return errors.Join(err, ctx.Err())
	}
	if r := in.current(); r != nil {
		r.release()
	}
	return ctx.Err()
}

// Usage is not measured.
func (d *Driver) Usage(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Usage, error) {
	return slipway.Usage{}, slipway.ErrUntold
}

// Runs are what the script says.
func (d *Driver) Runs(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	in, err := d.world.get(id, i, false)
	if in == nil || err != nil {
		return slipway.Runs{}, errors.Join(err, ctx.Err(), slipway.ErrUntold)
	}
	r := in.current()
	if r == nil || r.Behaviour.Runs == nil || r.standsBy() {
		return slipway.Runs{}, slipway.ErrUntold
	}
	return r.Behaviour.Runs(), ctx.Err()
}

// State is what the state of a deployment holds.
func (d *Driver) State(id slipway.DeploymentID) []byte {
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	return d.world.states[id]
}

// Snapshots lists the names of the snapshots of a deployment.
func (d *Driver) Snapshots(id slipway.DeploymentID) []string {
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	var names []string
	for s := range d.world.snapshots {
		if s.deployment == id {
			names = append(names, s.name)
		}
	}
	return names
}

// Snapshot keeps what the state of a deployment holds.
func (d *Driver) Snapshot(ctx context.Context, id slipway.DeploymentID, name string) error {
	if err := errors.Join(d.world.checkClosed(id), ctx.Err()); err != nil {
		return err
	}
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	key := snapshot{id, name}
	if _, there := d.world.snapshots[key]; !there {
		d.world.snapshots[key] = d.world.states[id]
	}
	return nil
}

// Restore puts a snapshot in the place of the state.
func (d *Driver) Restore(ctx context.Context, id slipway.DeploymentID, name string) error {
	if err := errors.Join(d.world.checkClosed(id), ctx.Err()); err != nil {
		return err
	}
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	kept, there := d.world.snapshots[snapshot{id, name}]
	if !there {
		return fmt.Errorf("fake: deployment %s has no snapshot %s", id, name)
	}
	d.world.states[id] = kept
	return nil
}

// Discard forgets a snapshot.
func (d *Driver) Discard(ctx context.Context, id slipway.DeploymentID, name string) error {
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	delete(d.world.snapshots, snapshot{id, name})
	return ctx.Err()
}

// snapshot names one.
type snapshot struct {
	deployment slipway.DeploymentID
	name       string
}

// checkClosed: nobody may have the state open that is copied or replaced.
func (w *world) checkClosed(id slipway.DeploymentID) error {
	for _, in := range w.of(id) {
		if in.hasState() {
			return fmt.Errorf("fake: instance %s still runs: stop it first", in.id)
		}
	}
	return nil
}

// open has a behaviour change the state of its deployment.
func (w *world) open(load slipway.Workload, b Behaviour) {
	if !load.Stateful || b.Opens == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[load.Deployment] = b.Opens(w.states[load.Deployment])
}

// purge forgets the state of a deployment and its snapshots.
func (w *world) purge(id slipway.DeploymentID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.states, id)
	for s := range w.snapshots {
		if s.deployment == id {
			delete(w.snapshots, s)
		}
	}
}
