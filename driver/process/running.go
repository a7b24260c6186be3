package process

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// Release has nothing to do: no instance stands by.
func (d *Driver) Release(context.Context, slipway.DeploymentID, slipway.InstanceID) error { return nil }

// Runs are not told.
func (d *Driver) Runs(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Runs, error) {
	return slipway.Runs{}, slipway.ErrUntold
}

// Snapshot has nothing to do: no state is kept.
func (d *Driver) Snapshot(context.Context, slipway.DeploymentID, string) error { return nil }

// Restore has nothing to do.
func (d *Driver) Restore(context.Context, slipway.DeploymentID, string) error { return nil }

// Discard has nothing to do.
func (d *Driver) Discard(context.Context, slipway.DeploymentID, string) error { return nil }
