package confine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// seen is a place below a hidden folder that the program still sees.
type seen struct {
	path   string
	folder bool
	write  bool
	tree   int // it, detached from where it was
}

// hide gives the process a view of its own of the file system. What others
// mount later is seen in it, what it mounts is seen by nobody.
func (p *Policy) hide() error {
	folders := outermost(p.Hide)
	if len(folders) == 0 {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return failed("get a view of the file system", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return failed("get a view of the file system", err)
	}
	for _, folder := range folders {
		if err := p.hideFolder(folder); err != nil {
			return failed("hide "+folder, err)
		}
	}
	return nil
}

// outermost leaves out what lies in another one, and what is not there.
func outermost(folders []string) []string {
	folders = slices.Sorted(slices.Values(folders))
	var outer []string
	for _, folder := range folders {
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
			continue
		}
		if !slices.ContainsFunc(outer, func(o string) bool { return within(folder, o) }) {
			outer = append(outer, folder)
		}
	}
	return outer
}

// within says whether a clean path is a folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

func (p *Policy) hideFolder(folder string) error {
	places, err := p.seenBelow(folder)
	if err != nil {
		return err
	}
	if err := unix.Mount("hidden", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return err
	}
	for _, s := range places {
		if err := s.show(); err != nil {
			return err
		}
	}
	return unix.Mount("", folder, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// seenBelow takes hold of all that is to be seen, before it is hidden; outer
// places come before what lies in them.
func (p *Policy) seenBelow(folder string) ([]seen, error) {
	var places []seen
	for i, paths := range [][]string{p.Read, p.Write} {
		for _, path := range paths {
			info, err := os.Stat(path)
			if !within(path, folder) || errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
			if err != nil {
				return nil, err
			}
			places = append(places, seen{path, info.IsDir(), i == 1, tree})
		}
	}
	slices.SortStableFunc(places, func(a, b seen) int { return strings.Compare(a.path, b.path) })
	return places, nil
}

// show puts a place where it was.
func (s seen) show() error {
	defer unix.Close(s.tree)
	if err := s.mountPoint(); err != nil {
		return err
	}
	if err := unix.MoveMount(s.tree, "", unix.AT_FDCWD, s.path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if !s.write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	return unix.MountSetattr(unix.AT_FDCWD, s.path, unix.AT_RECURSIVE, &attr)
}

func (s seen) mountPoint() error {
	if _, err := os.Stat(s.path); err == nil { // within a place that is shown already
		return nil
	}
	if s.folder {
		return os.MkdirAll(s.path, 0o755)
	}
	return errors.Join(os.MkdirAll(filepath.Dir(s.path), 0o755), os.WriteFile(s.path, nil, 0o644))
}

// Closed are the outermost folders above paths that only their owner may enter:
// for another user what lies in them is as good as absent, unless they are
// hidden.
func Closed(paths ...string) []string {
	var closed []string
	for _, path := range paths {
		for at := filepath.Dir(path); at != "/" && at != "."; at = filepath.Dir(at) {
			if info, err := os.Lstat(at); err == nil && info.IsDir() && info.Mode()&0o001 == 0 {
				closed = append(closed, at)
			}
		}
	}
	return outermost(closed)
}
