package process

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/export"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Import makes a snapshot of a state that Export wrote, of this or of another
// deployment. It is nobody's until the next instance starts: then the state is its
// user's, like any other.
func (d *Driver) Import(ctx context.Context, id slipway.DeploymentID, name string, _ bool, r io.Reader) error {
	target, err := d.snapshotFolder(id, name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	work := filepath.Join(filepath.Dir(target), making)
	if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), removal.Tree(work)); err != nil {
		return explain(err)
	}
	err = unpack(ctx, work, r)
	if err == nil {
		err = syncTree(ctx, work)
	}
	if err != nil {
		return fmt.Errorf("process: import state: %w", explain(err))
	}
	d.at(StepSnapshotCopied)
	if err := os.Rename(work, target); err != nil {
		return err
	}
	return durable.Sync(filepath.Dir(target))
}

// unpack writes the state of an archive as a folder, out of which none of its
// entries leads.
func unpack(ctx context.Context, folder string, r io.Reader) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := tar.NewReader(r)
	for ctx.Err() == nil {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name, inside := export.Inside(entry.Name)
		if !inside || name == "." {
			continue
		}
		if err := unpackEntry(root, name, entry, archive); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func unpackEntry(root *os.Root, name string, entry *tar.Header, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	switch mode := entry.FileInfo().Mode(); {
	case mode.IsDir():
		return errors.Join(root.MkdirAll(name, 0o700), root.Chmod(name, mode.Perm()|0o700))
	case mode&fs.ModeSymlink != 0:
		return root.Symlink(entry.Linkname, name)
	case mode.IsRegular():
		file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Chmod(mode.Perm()), file.Close())
	}
	return nil // nothing else has a place in a state
}
