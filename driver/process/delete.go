package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
)

// Delete removes the folder of a stopped instance. It refuses while anything of
// the instance runs.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, err := d.take(ctx, id, i)
	if err != nil {
		return err
	}
	defer in.unlock()
	if err := in.checkIdle(); err != nil {
		return err
	}
	d.at(StepDelete)
	if err := removeTree(in.folder); err != nil {
		return err
	}
	d.at(StepDeleted)
	d.drop(in)
	d.prune(id)
	return nil
}

// Purge removes the folder of a deployment. It refuses while anything of the
// deployment runs.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	if err := ids.CheckDeployment(id); err != nil {
		return err
	}
	// Out of the way by one rename: large states take long to remove.
	purged := purgedFolder(d.deploymentFolder(id))
	if err := errors.Join(removeTree(purged), ctx.Err()); err != nil {
		return err
	}
	if err := d.setAside(id, purged); err != nil {
		return err
	}
	d.at(StepPurged)
	if err := removeTree(purged); err != nil {
		return err
	}
	return d.freeUser(id)
}

// purgedFolder is where a deployment's lies while it is removed.
func purgedFolder(folder string) string {
	return filepath.Join(filepath.Dir(folder), "purged-"+filepath.Base(folder))
}

func (d *Driver) setAside(id slipway.DeploymentID, purged string) error {
	d.folders.Lock() // nothing is started meanwhile
	defer d.folders.Unlock()
	all := d.of(id)
	for _, in := range all {
		if err := in.checkIdle(); err != nil {
			return err
		}
	}
	err := os.Rename(d.deploymentFolder(id), purged)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.drop(all...)
	return nil
}

func (in *instance) checkIdle() error {
	members, err := in.members(nil)
	if err == nil && (len(members) > 0 || in.current() != nil) {
		err = fmt.Errorf("process: instance %s still runs: stop it first", in.id)
	}
	return err
}

// prune removes the folders above an instance's once they are empty.
func (d *Driver) prune(id slipway.DeploymentID) {
	d.folders.Lock()
	defer d.folders.Unlock()
	folder := d.deploymentFolder(id)
	if os.Remove(filepath.Join(folder, instances)) == nil {
		_ = os.Remove(folder) // not empty if there is state
	}
}

// removeTree removes a folder with all that is in it, and never what links in
// it point to. Folders that were closed to us are opened first.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err := openFolders(path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// openFolders works through a root, which no link can lead out of.
func openFolders(path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	return openFolder(root, filepath.Base(path))
}

func openFolder(root *os.Root, name string) error {
	if err := root.Chmod(name, 0o700); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), name)
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, openFolder(root, filepath.Join(name, entry.Name())))
		}
	}
	return err
}
