// Package durable puts finished folders in their place, and takes them away, so
// that death at any line leaves them whole or absent.
//
// What is being made or removed lies below a folder for temporary things, on
// the same file system, which is swept at the start.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/removal"
)

// Publish makes a finished folder this user's and read-only, writes it through
// to the disk and gives it its final name. Everybody may read it, whatever the
// umask. Whoever made it must be at work in it no longer.
func Publish(made, final string) error {
	if err := freeze(made); err != nil {
		return err
	}
	if err := flush(made); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	if err := os.Rename(made, final); err != nil {
		return err
	}
	return Sync(filepath.Dir(final))
}

// freeze takes the right to write from all but the topmost folder, which could
// not be renamed otherwise.
func freeze(top string) error {
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			if stat.Uid == 0 && stat.Nlink > 1 && info.Mode().IsRegular() {
				return nil // another name of a file from elsewhere, perhaps
			}
			if err := takeBack(path, stat); err != nil {
				return err
			}
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		return setMode(path, info.Mode(), frozen(info, path == top))
	})
}

// takeBack makes a file root's, as its maker was somebody else.
func takeBack(path string, stat *syscall.Stat_t) error {
	if stat.Uid == 0 {
		return nil
	}
	return os.Lchown(path, 0, 0)
}

func setMode(path string, is, want fs.FileMode) error {
	if is&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == want {
		return nil
	}
	return os.Chmod(path, want)
}

func frozen(info fs.FileInfo, top bool) fs.FileMode {
	switch {
	case top:
		return 0o755
	case info.IsDir() || info.Mode()&0o111 != 0:
		return 0o555
	}
	return 0o444
}

// flush writes the whole file system through: one call, where a dependency
// folder would need tens of thousands.
func flush(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return unix.Syncfs(int(folder.Fd()))
}

// Sync has a file, or the names in a folder, on the disk.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Remove takes a folder away by way of tmp, and returns when it has seen that it
// is gone. One that is not there is removed already. On a full disk there may be
// no room for another folder: it goes under a name of its own.
func Remove(dir, tmp string) error {
	grave := filepath.Join(tmp, "removed-"+filepath.Base(dir))
	if err := Discard(grave); err != nil { // of a try before
		return err
	}
	if err := removal.SetAside(dir, grave); err != nil {
		return err
	}
	return errors.Join(Sync(filepath.Dir(dir)), Discard(grave), removal.Gone(dir))
}

// Discard removes a folder, read-only parts included.
func Discard(dir string) error {
	if os.Geteuid() != 0 {
		if err := removal.Unmounted(dir); err != nil {
			return err
		}
		thaw(dir)
	}
	return removal.Tree(dir)
}

// thaw lets the owner empty folders. What can not be thawed RemoveAll reports.
func thaw(dir string) {
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			os.Chmod(path, 0o755)
		}
		return nil
	})
}

// Sweep empties a folder, made if need be.
func Sweep(tmp string) error {
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	left, err := os.ReadDir(tmp)
	for _, entry := range left {
		err = errors.Join(err, Discard(filepath.Join(tmp, entry.Name())))
	}
	return err
}
