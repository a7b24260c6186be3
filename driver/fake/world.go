package fake

import (
	"context"
	"maps"
	"slices"

	"github.com/slipwayhq/slipway"
)

// get returns an instance, nil if it is unknown and not to be made.
func (w *world) get(d slipway.DeploymentID, i slipway.InstanceID, create bool) (*instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.instances[i]
	if in != nil && in.deployment == d {
		return in, nil
	}
	if err := check(string(d), string(i)); err != nil {
		return nil, err
	}
	if in == nil && create {
		in = &instance{id: i, deployment: d}
		w.instances[i] = in
	}
	return in, nil
}

// of returns the instances of a deployment, of all if it is "".
func (w *world) of(d slipway.DeploymentID) []*instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*instance
	for _, in := range w.instances {
		if d == "" || in.deployment == d {
			all = append(all, in)
		}
	}
	return all
}

func (w *world) drop(in *instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.instances, in.id)
}

// start does what the script says.
func (w *world) start(in *instance, load slipway.Workload) error {
	b := w.script(load)
	if b.Fail != nil {
		return b.Fail
	}
	r, err := newRun(b, load, func() { w.open(load, b) })
	if err != nil {
		return err
	}
	if !load.StandBy {
		r.release()
	}
	in.begin(r, load)
	go func() {
		in.finish(r, r.wait())
		close(r.ended)
		w.tell(in.deployment)
	}()
	return nil
}

// tell wakes everybody who listens for exits.
func (w *world) tell(d slipway.DeploymentID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for wake, pending := range w.ended {
		pending[d] = true
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Exits reports deployments with an ended instance until ctx ends or the driver
// is closed.
func (d *Driver) Exits(ctx context.Context) <-chan slipway.DeploymentID {
	out := make(chan slipway.DeploymentID)
	wake := make(chan struct{}, 1)
	d.world.listen(wake)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.alive, cancel)
	d.relays.Go(func() {
		defer close(out)
		defer stop()
		defer cancel()
		defer d.world.leave(wake)
		d.world.relay(ctx, wake, out)
	})
	return out
}

func (w *world) relay(ctx context.Context, wake chan struct{}, out chan<- slipway.DeploymentID) {
	for {
		for _, id := range w.take(wake) {
			select {
			case out <- id:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

func (w *world) listen(wake chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended[wake] = map[slipway.DeploymentID]bool{}
}

func (w *world) leave(wake chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ended, wake)
}

func (w *world) take(wake chan struct{}) []slipway.DeploymentID {
	w.mu.Lock()
	defer w.mu.Unlock()
	pending := slices.Collect(maps.Keys(w.ended[wake]))
	clear(w.ended[wake])
	return pending
}
