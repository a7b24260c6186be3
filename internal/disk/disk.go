// Package disk knows how much is on a disk, how much is left of it, and how much
// of that is kept for what runs.
package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Space is that of a file system, in bytes, as far as it is for everybody.
type Space struct{ Free, Size int64 }

// SpaceOf looks at the file system that a folder lies on.
func SpaceOf(folder string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: folder, Err: err}
	}
	return Space{Free: int64(s.Bavail) * s.Bsize, Size: int64(s.Blocks) * s.Bsize}, nil
}

// blockSize is what Stat_t counts in, whatever the file system does.
const blockSize = 512

// Used is how many bytes folders take, up to about most: to know that there is
// more, the rest need not be walked. What is not there takes nothing, what goes
// meanwhile is passed over, and no link leads out of a folder.
func Used(ctx context.Context, most int64, folders ...string) (total int64, err error) {
	for _, folder := range folders {
		used, err := usedBy(ctx, most-total, folder)
		if total += used; err != nil || total > most {
			return total, err
		}
	}
	return total, nil
}

func usedBy(ctx context.Context, most int64, folder string) (total int64, err error) {
	root, err := os.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(_ string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			return nil // it has gone, or can not be read
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			total += stat.Blocks * blockSize
		}
		if total > most {
			return fs.SkipAll
		}
		return nil
	})
	return total, err
}
