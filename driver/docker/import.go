package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/export"
)

// Import makes a snapshot of a state that Export wrote, of this or of another
// deployment.
func (d *Driver) Import(ctx context.Context, id slipway.DeploymentID, name string, _ bool, r io.Reader) error {
	if _, err := d.checkSnapshot(id, name); err != nil {
		return err
	}
	if d.Engine == nil {
		return fmt.Errorf("the state of deployment %s: %w", id, errNoEngine)
	}
	if exists(d.snapshot(id, name)) {
		return nil
	}
	if err := d.keepState(ctx, id); err != nil {
		return err
	}
	read, content := io.Pipe()
	go func() {
		archive := tar.NewWriter(content)
		content.CloseWithError(errors.Join(export.Unwrap(archive, r), archive.Close()))
	}()
	err := write(d.snapshot(id, name), read)
	read.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // else who unwraps would wait for ever
	return explainState("import the state", err)
}
