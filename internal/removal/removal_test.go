package removal_test

import (
	"os"
	"path/filepath"
	"strings"
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

func TestReadOnly(t *testing.T) {
	path, _ := tree(t)
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	mounted := true
	unmount := func() {
		if mounted {
			try(t, unix.Unmount(path, unix.MNT_DETACH))
		}
		mounted = false
	}
	t.Cleanup(unmount)
	try(t, unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if err := removal.Tree(path); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("of what can not be written: %v", err)
	}
	unmount()
	try(t, removal.Tree(path))
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
