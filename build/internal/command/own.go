package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/slipwayhq/slipway/internal/confine"
)

// own makes folders a user's, with what lies in them and is root's, the
// fetcher's or the app's. Nobody may be at work in them: what ran there before
// is dead.
//
// Of shared folders, only those that are nobody's yet are gone through.
func (s *Sandbox) own(u *confine.User, folders, shared []string) error {
	if u == nil {
		return nil
	}
	from := []int{0, s.settings.Users.First}
	if s.claim != nil {
		from = append(from, s.claim.user.UID)
	}
	for i, folder := range slices.Concat(folders, shared) {
		info, err := os.Lstat(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if owner(info) == u.UID && i >= len(folders) {
			continue
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a link", folder)
		}
		if err := give(folder, u, from); err != nil {
			return err
		}
	}
	return nil
}

func owner(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}

func give(folder string, u *confine.User, from []int) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if slices.Contains(from, owner(info)) && !borrowed(info) {
			return os.Lchown(path, u.UID, u.GID)
		}
		return nil
	})
}

// borrowed says whether a file of root's has other names, and so may be one
// that a program took from elsewhere by a hard link.
func borrowed(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && stat.Nlink > 1 && info.Mode().IsRegular()
}
