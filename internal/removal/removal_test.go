package removal_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/removal"
)

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree is a folder with something in it.
func tree(t *testing.T) (path, file string) {
	path = filepath.Join(t.TempDir(), "tree")
	file = filepath.Join(path, "inner", "file")
	try(t, os.MkdirAll(filepath.Dir(file), 0o700))
	try(t, os.WriteFile(file, []byte("content"), 0o600))
	return path, file
}

func TestTree(t *testing.T) {
	path, file := tree(t)
	outside := filepath.Join(t.TempDir(), "kept")
	try(t, os.WriteFile(outside, []byte("kept"), 0o600))
	try(t, os.Symlink(outside, filepath.Join(path, "link")))
	try(t, os.Chmod(filepath.Dir(file), 0))
	for range 2 {
		try(t, removal.Tree(path))
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is left")
	}
	if text, err := os.ReadFile(outside); string(text) != "kept" {
		t.Errorf("what a link pointed to: %q, %v", text, err)
	}
}

// Where a folder should be there is a file, or nothing.
func TestNothingThere(t *testing.T) {
	_, file := tree(t)
	for _, path := range []string{file + "/below", file + "-not", file} {
		try(t, removal.Tree(path))
		try(t, removal.Gone(path))
	}
	try(t, os.WriteFile(file, nil, 0o600))
	if removal.Gone(file) == nil {
		t.Error("what is there is said to be gone")
	}
}

// immutable has a file refuse every change, root's too, until the end of a test
// or earlier.
func immutable(t *testing.T, file string) (mend func()) {
	t.Helper()
	set := func(flags int) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	const immutableFlag = 0x10
	if err := set(immutableFlag); err != nil {
		t.Skipf("files can not be made immutable here: %v", err)
	}
	mend = func() { _ = set(0) }
	t.Cleanup(mend)
	return mend
}

func TestImmutable(t *testing.T) {
	path, file := tree(t)
	mend := immutable(t, file)
	err := removal.Tree(path)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "chattr -i") {
		t.Errorf("Tree = %v", err)
	}
	mend()
	try(t, removal.Tree(path))
}

// mount binds a folder to a place, and returns what ends that.
func mount(t *testing.T, from, to string, flags uintptr) (unmount func()) {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	unmount = sync.OnceFunc(func() { try(t, unix.Unmount(to, unix.MNT_DETACH)) })
	t.Cleanup(unmount)
	try(t, unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""))
	return unmount
}

func TestReadOnly(t *testing.T) {
	path, _ := tree(t)
	unmount := mount(t, filepath.Dir(path), filepath.Dir(path), unix.MS_RDONLY)
	if err := removal.Tree(path); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("of what can not be written: %v", err)
	}
	unmount()
	try(t, removal.Tree(path))
}

// What somebody mounted is not touched, neither at the place itself nor below it,
// whatever it is called by.
func TestMounted(t *testing.T) {
	for name, at := range map[string]func(path, inner string) (to, asked string){
		"at it":          func(path, _ string) (string, string) { return path, path },
		"below it":       func(path, inner string) (string, string) { return inner, path },
		"by another way": func(path, inner string) (string, string) { return inner, linkTo(t, filepath.Dir(path)) + "/tree" },
		"where spaces are": func(path, _ string) (string, string) {
			strange := filepath.Join(path, "a \\ b#")
			try(t, os.Mkdir(strange, 0o700))
			return strange, strange
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, file := tree(t)
			foreign := filepath.Join(t.TempDir(), "data")
			try(t, os.WriteFile(foreign, []byte("somebody's"), 0o600))
			try(t, removal.Unmounted(path))
			to, asked := at(path, filepath.Dir(file))
			unmount := mount(t, filepath.Dir(foreign), to, 0)
			if err := removal.Tree(asked); err == nil || !strings.Contains(err.Error(), to) || !strings.Contains(err.Error(), "umount it") {
				t.Errorf("Tree = %v", err)
			}
			if err := removal.SetAside(asked, path+"-aside"); err == nil || !strings.Contains(err.Error(), "umount it") {
				t.Errorf("SetAside = %v", err)
			}
			if text, err := os.ReadFile(foreign); string(text) != "somebody's" {
				t.Errorf("what is mounted: %q, %v", text, err)
			}
			try(t, removal.Tree(path+"-not"))
			unmount()
			for range 2 {
				try(t, removal.SetAside(asked, path+"-aside"))
			}
			try(t, removal.Tree(path+"-aside"))
		})
	}
}

func linkTo(t *testing.T, folder string) string {
	link := filepath.Join(t.TempDir(), "link")
	try(t, os.Symlink(folder, link))
	return link
}

func TestSince(t *testing.T) {
	before := time.Now().Add(-time.Minute)
	path, file := tree(t)
	try(t, os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0))) // says nothing of when it was made
	for _, path := range []string{path, file} {
		if at := removal.Since(path); at.Before(before) || at.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s since %v", path, at)
		}
	}
	if at := removal.Since(path + "-not"); !at.IsZero() {
		t.Errorf("nothing since %v", at)
	}
}
