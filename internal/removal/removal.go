// Package removal takes things off the disk, and believes that they are gone when
// it has looked again. What is in the way it says in words.
package removal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tree removes a file or a folder with all that is in it, and never what links in
// it point to, or what is mounted there. Folders that were closed to us are opened
// first. What is not there is removed already.
func Tree(path string) error {
	if err := Unmounted(path); err != nil {
		return err
	}
	err := os.RemoveAll(path)
	if errors.Is(err, fs.ErrPermission) {
		if err = openFolders(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.RemoveAll(path)
		}
	}
	if Absent(err) {
		return nil // a file lies where the folder above was
	}
	if err != nil {
		return Explain(err)
	}
	return Gone(path)
}

// Gone fails if there is something at a path.
func Gone(path string) error {
	_, err := os.Lstat(path)
	switch {
	case Absent(err):
		return nil
	case err == nil:
		return fmt.Errorf("%s is there again: something still writes it", path)
	}
	return fmt.Errorf("see whether it is gone: %w", err)
}

// Absent says whether an error means that there is nothing.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Explain says what keeps something from being removed, where that is known.
func Explain(err error) error {
	for errno, why := range map[syscall.Errno]string{
		syscall.EROFS:     "its file system is mounted read-only",
		syscall.EPERM:     "it, or its folder, may be immutable: lsattr tells, chattr -i mends it",
		syscall.EACCES:    "this server may not write there",
		syscall.EBUSY:     "something is mounted on it: umount it",
		syscall.ENOTEMPTY: "something still writes into it",
	} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w (%s)", err, why)
		}
	}
	return err
}

// Since is when a file or folder was made, as far as its file system knows; zero
// if it is not there.
func Since(path string) time.Time {
	var found unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME|unix.STATX_MTIME, &found)
	if err != nil {
		return time.Time{}
	}
	at := found.Btime
	if found.Mask&unix.STATX_BTIME == 0 {
		at = found.Mtime
	}
	return time.Unix(at.Sec, int64(at.Nsec)).UTC()
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
