package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Snapshots lie beside the state that they were taken of:
//
//	<deployment>/state/                what an agent works with
//	<deployment>/snapshots/<name>/     whole, or not there
//	<deployment>/snapshots/.making     one on its way, or left by who died
//	<deployment>/state.restoring/      likewise
//
// They are copies, not links: the launchers that come with us replace their
// files whole, but what else an app keeps beside them may be written in place.
// Where the file system can, copies share their blocks.
const (
	snapshots = "snapshots"
	making    = ".making"
	restoring = "state.restoring"
)

var snapshotName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

func (d *Driver) snapshotFolder(id slipway.DeploymentID, name string) (string, error) {
	if err := ids.CheckDeployment(id); err != nil {
		return "", err
	}
	if !snapshotName.MatchString(name) {
		return "", fmt.Errorf("process: bad name of a snapshot %q", name)
	}
	return filepath.Join(d.deploymentFolder(id), snapshots, name), nil
}

// Snapshot copies the state of a deployment. It refuses while an instance may
// have it open.
func (d *Driver) Snapshot(ctx context.Context, id slipway.DeploymentID, name string) error {
	target, err := d.snapshotFolder(id, name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	if err := d.checkClosed(ctx, id); err != nil {
		return err
	}
	work := filepath.Join(filepath.Dir(target), making)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return explain(err)
	}
	if err := d.copyState(ctx, d.stateFolder(id), work); err != nil {
		return explain(err)
	}
	d.at(StepSnapshotCopied)
	if err := os.Rename(work, target); err != nil {
		return err
	}
	return durable.Sync(filepath.Dir(target))
}

// Restore replaces the state by a snapshot: whoever looks sees one or the other,
// but for file systems that can not exchange two folders.
func (d *Driver) Restore(ctx context.Context, id slipway.DeploymentID, name string) error {
	source, err := d.snapshotFolder(id, name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(source); err != nil {
		return fmt.Errorf("process: restore state: %w", err)
	}
	if err := d.checkClosed(ctx, id); err != nil {
		return err
	}
	state, work := d.stateFolder(id), filepath.Join(d.deploymentFolder(id), restoring)
	if err := d.copyState(ctx, source, work); err != nil {
		return explain(err)
	}
	d.at(StepRestoreCopied)
	if err := exchange(work, state); err != nil {
		return err
	}
	d.at(StepRestored)
	return errors.Join(durable.Sync(d.deploymentFolder(id)), removal.Tree(work))
}

// exchange puts a folder in the place of another, which comes into its own.
func exchange(work, state string) error {
	err := unix.Renameat2(unix.AT_FDCWD, work, unix.AT_FDCWD, state, unix.RENAME_EXCHANGE)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// There is no state, or no exchange. Who dies in between restores again: no
	// instance is started before that is done.
	return errors.Join(removal.Tree(state), os.Rename(work, state))
}

// Discard removes a snapshot.
func (d *Driver) Discard(ctx context.Context, id slipway.DeploymentID, name string) error {
	target, err := d.snapshotFolder(id, name)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	work := filepath.Join(filepath.Dir(target), making)
	if err := removal.Tree(work); err != nil {
		return err
	}
	if err := os.Rename(target, work); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.at(StepDiscarded)
	return removal.Tree(work)
}

// checkClosed says which instance may have the state of a deployment open.
func (d *Driver) checkClosed(ctx context.Context, id slipway.DeploymentID) error {
	for _, in := range d.of(id) {
		if in.current() != nil && !in.snapshot().Keeps && in.standing(ctx) == "" {
			return fmt.Errorf("process: instance %s may have the state open: stop it first", in.id)
		}
	}
	return ctx.Err()
}

// copyState copies a folder, in the place of what a former try left. One that is
// not there counts as empty.
func (d *Driver) copyState(ctx context.Context, from, to string) error {
	if err := removal.Tree(to); err != nil {
		return err
	}
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return os.Mkdir(to, 0o700)
	}
	if err := copyFolder(ctx, from, to); err != nil {
		return err
	}
	return syncTree(ctx, to)
}

// syncTree has a tree reach the disk. All of it is there by then, so that mostly
// the first wait is for the rest too.
func syncTree(ctx context.Context, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || !entry.IsDir() && !entry.Type().IsRegular() {
			return err
		}
		return durable.Sync(path)
	})
}

// copyFolder copies what a folder holds, with owners and permissions. What is
// neither file, folder nor link has no place in a state.
func copyFolder(ctx context.Context, from, to string) error {
	entry, err := os.Lstat(from)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	switch {
	case entry.IsDir():
		err = copyEntries(ctx, from, to)
	case entry.Mode().IsRegular():
		err = copyFile(from, to)
	case entry.Mode()&fs.ModeSymlink != 0:
		var target string
		if target, err = os.Readlink(from); err == nil {
			return errors.Join(os.Symlink(target, to), own(to, entry))
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(own(to, entry), os.Chmod(to, entry.Mode().Perm()))
}

func copyEntries(ctx context.Context, from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyFolder(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	source, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source) // by the kernel: blocks are shared where they can be
	return errors.Join(err, target.Close())
}

// own gives a copy the owner of what it was copied from, where we may.
func own(path string, of fs.FileInfo) error {
	stat, ok := of.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}
