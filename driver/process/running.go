package process

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// Usage is not measured.
func (d *Driver) Usage(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Usage, error) {
	return slipway.Usage{}, slipway.ErrUntold
}
