// Package mixed runs images in one driver and everything else in another, side
// by side: a deployment may go from the one to the other by its next revision.
package mixed

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

var (
	_ slipway.Driver  = (*Driver)(nil)
	_ slipway.Trimmer = (*Driver)(nil)
)

// Driver asks both of its drivers about an instance, since either may have it:
// neither must do more than look into its own records for one that it has not.
// So an engine that is down keeps nobody from a process.
type Driver struct {
	processes, images slipway.Driver
}

// New returns a driver that runs images in the second.
func New(processes, images slipway.Driver) *Driver { return &Driver{processes, images} }

// Apply starts the attempt in the driver that the workload is for.
func (d *Driver) Apply(ctx context.Context, w slipway.Workload) (slipway.Observed, error) {
	if w.Image != "" {
		return d.images.Apply(ctx, w)
	}
	return d.processes.Apply(ctx, w)
}

// Inspect looks at one instance, where it is.
func (d *Driver) Inspect(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	o, err := d.processes.Inspect(ctx, id, i)
	if err != nil || o.Phase != slipway.PhaseAbsent {
		return o, err
	}
	return d.images.Inspect(ctx, id, i)
}

// Listens says whether the instance itself holds its port.
func (d *Driver) Listens(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (bool, error) {
	listens, err := d.processes.Listens(ctx, id, i)
	if listens || err != nil {
		return listens, err
	}
	return d.images.Listens(ctx, id, i)
}

// Release lets an instance that stands by serve, where it is.
func (d *Driver) Release(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	return errors.Join(d.processes.Release(ctx, id, i), d.images.Release(ctx, id, i))
}

// Usage measures a running instance, where it is.
func (d *Driver) Usage(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Usage, error) {
	u, err := d.processes.Usage(ctx, id, i)
	if !errors.Is(err, slipway.ErrUntold) {
		return u, err
	}
	return d.images.Usage(ctx, id, i)
}

// Runs asks a running instance for its runs, where it is.
func (d *Driver) Runs(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	r, err := d.processes.Runs(ctx, id, i)
	if !errors.Is(err, slipway.ErrUntold) {
		return r, err
	}
	return d.images.Runs(ctx, id, i)
}

// Snapshot copies the state that either keeps for a deployment.
func (d *Driver) Snapshot(ctx context.Context, id slipway.DeploymentID, name string) error {
	return errors.Join(d.processes.Snapshot(ctx, id, name), d.images.Snapshot(ctx, id, name))
}

// Restore puts the snapshots of both back: a revision that failed may have had
// state where the one before had none.
func (d *Driver) Restore(ctx context.Context, id slipway.DeploymentID, name string) error {
	return errors.Join(d.processes.Restore(ctx, id, name), d.images.Restore(ctx, id, name))
}

// Discard removes the snapshots of both.
func (d *Driver) Discard(ctx context.Context, id slipway.DeploymentID, name string) error {
	return errors.Join(d.processes.Discard(ctx, id, name), d.images.Discard(ctx, id, name))
}

// Yield has an instance close its state, where it is.
func (d *Driver) Yield(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return errors.Join(d.processes.Yield(ctx, id, i, grace), d.images.Yield(ctx, id, i, grace))
}

// Stop ends an instance, where it is.
func (d *Driver) Stop(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return errors.Join(d.processes.Stop(ctx, id, i, grace), d.images.Stop(ctx, id, i, grace))
}

// Delete removes a stopped instance, where it is.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	return errors.Join(d.processes.Delete(ctx, id, i), d.images.Delete(ctx, id, i))
}

// Purge removes what both keep for a deployment.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	return errors.Join(d.processes.Purge(ctx, id), d.images.Purge(ctx, id))
}

// Remains lists what there is in both. What the one knows is told even if the
// other does not answer.
func (d *Driver) Remains(ctx context.Context, id slipway.DeploymentID) ([]slipway.Thing, error) {
	things, err1 := d.processes.Remains(ctx, id)
	others, err2 := d.images.Remains(ctx, id)
	return append(things, others...), errors.Join(err1, err2)
}

// List returns the instances of both. Of one that only left something behind in
// a driver, the other knows more.
func (d *Driver) List(ctx context.Context) ([]slipway.Observed, error) {
	list, err1 := d.processes.List(ctx)
	others, err2 := d.images.List(ctx)
	list = append(list, others...)
	slices.SortStableFunc(list, func(a, b slipway.Observed) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(rank(a), rank(b)))
	})
	list = slices.CompactFunc(list, func(a, b slipway.Observed) bool { return a.Instance == b.Instance })
	return list, errors.Join(err1, err2)
}

func rank(o slipway.Observed) int {
	if o.Phase == slipway.PhaseAbsent {
		return 1
	}
	return 0
}

// Output reads what the instance printed, where it is.
func (d *Driver) Output(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, offset int64, limit int) ([]byte, error) {
	text, err := d.processes.Output(ctx, id, i, offset, limit)
	if len(text) > 0 || err != nil {
		return text, err
	}
	return d.images.Output(ctx, id, i, offset, limit)
}

// Trim gives back the space of output, where the instance is.
func (d *Driver) Trim(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, before int64) error {
	var errs []error
	for _, driver := range []slipway.Driver{d.processes, d.images} {
		if t, ok := driver.(slipway.Trimmer); ok {
			errs = append(errs, t.Trim(ctx, id, i, before))
		}
	}
	return errors.Join(errs...)
}

// Exits reports the ends that either notices, until ctx ends.
func (d *Driver) Exits(ctx context.Context) <-chan slipway.DeploymentID {
	out := make(chan slipway.DeploymentID)
	var relays sync.WaitGroup
	for _, in := range []<-chan slipway.DeploymentID{d.processes.Exits(ctx), d.images.Exits(ctx)} {
		relays.Go(func() { relay(ctx, in, out) })
	}
	go func() {
		relays.Wait()
		close(out)
	}()
	return out
}

func relay(ctx context.Context, in <-chan slipway.DeploymentID, out chan<- slipway.DeploymentID) {
	for id := range in {
		select {
		case out <- id:
		case <-ctx.Done():
			return
		}
	}
}

// Close lets go of what either runs, without touching it.
func (d *Driver) Close() error {
	var errs []error
	for _, driver := range []slipway.Driver{d.processes, d.images} {
		if closer, ok := driver.(interface{ Close() error }); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}
