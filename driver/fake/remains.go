package fake

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// Remains lists what is held of a deployment, of all if it is "".
func (d *Driver) Remains(ctx context.Context, id slipway.DeploymentID) ([]slipway.Thing, error) {
	if id != "" {
		if err := check(string(id)); err != nil {
			return nil, err
		}
	}
	var things []slipway.Thing
	for _, in := range d.world.of(id) {
		things = append(things, slipway.Thing{
			Kind: slipway.ItemInstance, Ref: string(in.id), Deployment: in.deployment, What: "instance " + string(in.id),
		})
	}
	return append(things, d.world.kept(id)...), ctx.Err()
}

// kept lists states and snapshots.
func (w *world) kept(id slipway.DeploymentID) (things []slipway.Thing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(of slipway.DeploymentID, what string) {
		if id == "" || of == id {
			things = append(things, slipway.Thing{Kind: slipway.ItemState, Ref: string(of), Deployment: of, What: what})
		}
	}
	for of := range w.states {
		add(of, "state of "+string(of))
	}
	for s := range w.snapshots {
		add(s.deployment, "snapshot "+s.name+" of "+string(s.deployment))
	}
	return things
}
