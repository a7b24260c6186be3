package mixed

import (
	"context"
	"errors"
	"io"

	"github.com/slipwayhq/slipway"
)

// Import makes a snapshot of both states, of which one is imported: the other is
// as it was when it is restored.
func (d *Driver) Import(ctx context.Context, id slipway.DeploymentID, name string, contained bool, r io.Reader) error {
	of, other := d.processes, d.images
	if contained {
		of, other = other, of
	}
	return errors.Join(of.Import(ctx, id, name, contained, r), other.Snapshot(ctx, id, name))
}
