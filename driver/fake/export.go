package fake

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"github.com/slipwayhq/slipway"
)

// Export writes what the state of a deployment holds, as the file state/state.
func (d *Driver) Export(ctx context.Context, id slipway.DeploymentID, w io.Writer) error {
	if err := errors.Join(check(string(id)), d.world.checkClosed(id), ctx.Err()); err != nil {
		return err
	}
	d.world.mu.Lock()
	content, there := d.world.states[id]
	d.world.mu.Unlock()
	if !there {
		return slipway.ErrNoState
	}
	archive := tar.NewWriter(w)
	err := archive.WriteHeader(&tar.Header{Name: "state/state", Mode: 0o600, Size: int64(len(content))})
	if err == nil {
		_, err = archive.Write(content)
	}
	return errors.Join(err, archive.Close())
}

// Import keeps what Export wrote as a snapshot.
func (d *Driver) Import(ctx context.Context, id slipway.DeploymentID, name string, _ bool, r io.Reader) error {
	archive := tar.NewReader(r)
	_, err := archive.Next()
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	content, err := io.ReadAll(archive)
	if err != nil {
		return err
	}
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	if key := (snapshot{id, name}); d.world.snapshots[key] == nil {
		d.world.snapshots[key] = content
	}
	return nil
}
