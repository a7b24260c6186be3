package mixed

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/export"
)

// Export writes the states of both as one archive: that of processes as it is,
// that of containers below a folder of its name.
func (d *Driver) Export(ctx context.Context, id slipway.DeploymentID, w io.Writer) error {
	archive := tar.NewWriter(w)
	states := 0
	for _, part := range []struct {
		driver slipway.Driver
		below  string
	}{{d.processes, ""}, {d.images, "containers"}} {
		err := add(ctx, archive, part.driver, id, part.below)
		if errors.Is(err, slipway.ErrNoState) {
			continue
		}
		if err != nil {
			return err
		}
		states++
	}
	if states == 0 {
		return slipway.ErrNoState
	}
	return archive.Close()
}

// add passes on what a driver exports.
func add(ctx context.Context, to *tar.Writer, driver slipway.Driver, id slipway.DeploymentID, below string) error {
	read, write := io.Pipe()
	go func() { write.CloseWithError(driver.Export(ctx, id, write)) }()
	err := export.Copy(to, read, below)
	if err == nil {
		_, err = io.Copy(io.Discard, read) // it may fail after the last entry
	}
	read.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // else who exports would wait for ever
	return err
}
