// Package snapshot keeps the last state of deployments before it is removed for
// good, in a folder that lies elsewhere: on another disk, or on what is backed up.
//
// A snapshot is a tar archive, compressed, with owners and modes, in which the
// state lies below state/; tar --numeric-owner -xzf unpacks it. It is whole and on
// the disk, or not there under its name. It holds what the deployment held: only
// the server's user may read it, and nothing here ever removes one.
package snapshot

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/durable"
)

// Exporter writes the state of a deployment; slipway.ErrNoState if it has none.
type Exporter interface {
	Export(ctx context.Context, d slipway.DeploymentID, w io.Writer) error
}

// Folder is where snapshots are put.
type Folder struct {
	path  string
	state Exporter
}

// Open returns a folder, and makes it where there is none. One that can not be
// written is said at once, not when something is to go.
func Open(path string, state Exporter) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	var try *os.File
	if err == nil {
		try, err = os.CreateTemp(path, ".try-")
	}
	if err != nil {
		return nil, fmt.Errorf("folder for final snapshots: %w", err)
	}
	return &Folder{path, state}, errors.Join(try.Close(), os.Remove(try.Name()))
}

// Keep writes the state of a deployment that is being purged, and returns where
// it lies; "" if there is no state. Again, for the same deletion, it finds it
// there.
func (f *Folder) Keep(ctx context.Context, d slipway.Deployment) (path string, err error) {
	path = filepath.Join(f.path, fmt.Sprintf("%s-%s-%s.tar.gz", d.Name, d.ID, d.Deletion.At.UTC().Format("20060102T150405Z")))
	if filepath.Dir(path) != f.path {
		return "", fmt.Errorf("final snapshot: the name %q is none of a file", d.Name)
	}
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	}
	err = f.write(ctx, path, d.ID)
	if errors.Is(err, slipway.ErrNoState) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("final snapshot in %s: %w", f.path, err)
	}
	return path, nil
}

// write writes aside first.
func (f *Folder) write(ctx context.Context, path string, d slipway.DeploymentID) error {
	aside := filepath.Join(f.path, "."+filepath.Base(path)+".partial")
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	err = f.state.Export(ctx, d, packed)
	if err == nil {
		err = errors.Join(packed.Close(), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return err
	}
	return durable.Sync(f.path)
}
