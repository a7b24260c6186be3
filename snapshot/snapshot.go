// Package snapshot keeps the last state of deployments before it is removed for
// good, in a folder that lies elsewhere: on another disk, or on what is backed up.
//
// A snapshot is a tar archive, compressed, with owners and modes, in which the
// state lies below state/, the dump of the database that was made for the deployment
// in database.dump, and what it is of in snapshot.json; tar --numeric-owner -xzf
// unpacks it, and pg_restore reads the dump. It is whole and on the disk, or not
// there under its name. It holds what the deployment held: only the server's user
// may read it, and nothing here ever removes one.
package snapshot

import (
	"archive/tar"
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

// Exporter writes what a deployment has: its state, slipway.ErrNoState if it has
// none, or the dump of its database, slipway.ErrDatabaseGone likewise.
type Exporter interface {
	Export(ctx context.Context, d slipway.DeploymentID, w io.Writer) error
}

// Folder is where snapshots are put.
type Folder struct {
	path            string
	state, database Exporter
}

// Open returns a folder, and makes it where there is none. One that can not be
// written is said at once, not when something is to go.
func Open(path string, state, database Exporter) (*Folder, error) {
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
	return &Folder{path, state, database}, errors.Join(try.Close(), os.Remove(try.Name()))
}

// Keep writes the state of a deployment that is being purged, and returns where
// it lies; "" if there is nothing. It worked with it by a revision last, nil for
// none. Again, for the same deletion, it finds it there.
func (f *Folder) Keep(ctx context.Context, d slipway.Deployment, last *slipway.Revision) (path string, err error) {
	path = filepath.Join(f.path, fmt.Sprintf("%s-%s-%s.tar.gz", d.Name, d.ID, d.Deletion.At.UTC().Format("20060102T150405Z")))
	if filepath.Dir(path) != f.path {
		return "", fmt.Errorf("final snapshot: the name %q is none of a file", d.Name)
	}
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	}
	err = f.write(ctx, path, d, last)
	if errors.Is(err, slipway.ErrNoState) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("final snapshot in %s: %w", f.path, err)
	}
	return path, nil
}

// write writes aside first.
func (f *Folder) write(ctx context.Context, path string, d slipway.Deployment, last *slipway.Revision) error {
	aside := filepath.Join(f.path, "."+filepath.Base(path)+".partial")
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	err = f.export(ctx, d, last, packed)
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

// export writes what it is of, the dump, and then the state: an archive that lacks
// its end goes on with what follows.
func (f *Folder) export(ctx context.Context, d slipway.Deployment, last *slipway.Revision, w io.Writer) error {
	archive := tar.NewWriter(w)
	if err := label(archive, d, last); err != nil {
		return err
	}
	dumped, err := f.dump(ctx, d, archive)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	err = f.state.Export(ctx, d.ID, w)
	if dumped && errors.Is(err, slipway.ErrNoState) {
		return archive.Close()
	}
	return err
}

// dump writes what is in the database that was made for a deployment, and says
// whether there is one. How large it is must be known first.
func (f *Folder) dump(ctx context.Context, d slipway.Deployment, archive *tar.Writer) (dumped bool, err error) {
	if d.ProvidedAt.IsZero() || f.database == nil {
		return false, nil
	}
	file, err := os.CreateTemp(f.path, ".dump-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if err := f.database.Export(ctx, d.ID, file); err != nil {
		if errors.Is(err, slipway.ErrDatabaseGone) {
			err = nil
		}
		return false, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = archive.WriteHeader(&tar.Header{Name: databaseEntry, Mode: 0o600, Size: size, ModTime: d.Deletion.At})
	}
	if err == nil {
		_, err = io.Copy(archive, file)
	}
	return err == nil, errors.Join(err, archive.Flush())
}
