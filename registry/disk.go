package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/internal/removal"
)

// disk is the folder of a registry, out of which nothing leads. What changes it
// goes through one of these methods; tests let the process die before each.
type disk struct {
	root *os.Root
	step func() error // asked before each change; nil but in tests
}

func openDisk(folder string) (*disk, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make registry folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open registry folder: %w", err)
	}
	return &disk{root: root}, nil
}

func (d *disk) next() error {
	if d.step == nil {
		return nil
	}
	return d.step()
}

// makeFolder makes a folder and those above it, durably.
func (d *disk) makeFolder(folder string) error {
	if d.has(folder) {
		return nil
	}
	if err := d.next(); err != nil {
		return err
	}
	if err := d.root.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for at := folder; at != "."; {
		at = path.Dir(at)
		if err := d.sync(at); err != nil {
			return err
		}
	}
	return nil
}

// sync has the names in a folder, or the bytes of a file, on the disk.
func (d *disk) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return fmt.Errorf("open to sync: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// link gives bytes one more name. A name that is taken is no error.
func (d *disk) link(from, to string) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := d.root.Link(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("link: %w", err)
	}
	return d.sync(path.Dir(to))
}

// write has a file whole, or as it was before: it writes aside first.
func (d *disk) write(name, aside string, content []byte) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := d.root.WriteFile(aside, content, 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := d.sync(aside); err != nil {
		return err
	}
	return d.rename(aside, name)
}

func (d *disk) rename(from, to string) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := d.root.Rename(from, to); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	return d.sync(path.Dir(to))
}

// remove takes a name away; one that is not there is removed already.
func (d *disk) remove(name string) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", removal.Explain(err))
	}
	return nil
}

func (d *disk) removeAll(folder string) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := removal.Unmounted(filepath.Join(d.root.Name(), filepath.FromSlash(folder))); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	if err := d.root.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove folder: %w", removal.Explain(err))
	}
	if d.has(folder) {
		return fmt.Errorf("remove folder: %s is there again", folder)
	}
	return d.sync(path.Dir(folder))
}

// touch makes a file young again. It tells nothing that could not be lost.
func (d *disk) touch(name string, now time.Time) { _ = d.root.Chtimes(name, now, now) }

// since is when something was made.
func (d *disk) since(name string) time.Time {
	return removal.Since(filepath.Join(d.root.Name(), filepath.FromSlash(name)))
}

func (d *disk) has(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}

// names lists a folder, in order; what is none, or not there, is empty.
func (d *disk) names(folder string) ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), folder)
	if err != nil && !removal.Absent(err) {
		return nil, fmt.Errorf("list folder: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// age is how long ago a file was written or touched; 0 if it is not there.
func (d *disk) age(name string, now time.Time) time.Duration {
	info, err := d.root.Lstat(name)
	if err != nil {
		return 0
	}
	return now.Sub(info.ModTime())
}

// links counts the names of a file; 0 if it is not there.
func (d *disk) links(name string) uint64 {
	info, err := d.root.Lstat(name)
	if err != nil {
		return 0
	}
	return uint64(info.Sys().(*syscall.Stat_t).Nlink)
}
