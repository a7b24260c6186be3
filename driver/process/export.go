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

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/export"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Export writes the state of a deployment as an archive, with owners and modes.
// It refuses while an instance may have it open.
func (d *Driver) Export(ctx context.Context, id slipway.DeploymentID, w io.Writer) error {
	if err := ids.CheckDeployment(id); err != nil {
		return err
	}
	if err := d.checkClosed(ctx, id); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.stateFolder(id))
	if removal.Absent(err) {
		return slipway.ErrNoState
	}
	if err != nil {
		return fmt.Errorf("process: export state: %w", err)
	}
	defer root.Close()
	archive := tar.NewWriter(w)
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		return addTo(archive, root, name, entry)
	})
	if err = errors.Join(err, archive.Close()); err != nil {
		return fmt.Errorf("process: export state: %w", err)
	}
	return nil
}

// addTo adds what is a file, a folder or a link: nothing else has a place in a
// state.
func addTo(archive *tar.Writer, root *os.Root, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = root.Readlink(name); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Name, header.Format = path.Join(export.Root, name), tar.FormatPAX
	header.Uname, header.Gname = "", "" // numbers are what counts
	if info.IsDir() {
		header.Name += "/"
	}
	if err := archive.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}
