package process

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
	"github.com/slipwayhq/slipway/driver/internal/journal"
)

// Inspect looks at one instance. A folder whose attempt never ran is absent.
func (d *Driver) Inspect(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	in, err := d.find(id, i)
	if err != nil || ctx.Err() != nil {
		return slipway.Observed{}, errors.Join(err, ctx.Err())
	}
	if in == nil {
		return slipway.Observed{Instance: i, Deployment: id, Phase: slipway.PhaseAbsent}, nil
	}
	o := in.observed()
	if o.Phase == slipway.PhaseRunning {
		standing := in.standing(ctx)
		o.StandsBy, o.Yielded = standing == control.StandingBy, standing == control.Yielded
	}
	return o, nil
}

// List returns every instance in the order of ids. One that has a folder but
// never ran is in it as absent: Delete removes it.
func (d *Driver) List(ctx context.Context) ([]slipway.Observed, error) {
	var list []slipway.Observed
	for _, in := range d.of("") {
		list = append(list, in.observed())
	}
	slices.SortFunc(list, func(a, b slipway.Observed) int { return cmp.Compare(a.Instance, b.Instance) })
	return list, ctx.Err()
}

// Output reads from the log. Offsets are those of the file, which is only ever
// appended to, so they name the same bytes for ever. Behind its end, and where
// there is no log, it returns nothing.
func (d *Driver) Output(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, offset int64, limit int) ([]byte, error) {
	in, err := d.find(id, i)
	if in == nil || err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	size := in.outputSize()
	if size <= offset {
		return nil, nil // most often: what is quiet is not opened
	}
	in.log.Lock()
	defer in.log.Unlock()
	return journal.Read(in.output(), size, offset, limit)
}
