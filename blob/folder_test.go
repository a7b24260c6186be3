package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/blob"
)

func TestFolderKeepsWhatWasReadWhole(t *testing.T) {
	dir := t.TempDir()
	f, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, digest, err := f.Write(t.Context(), "uploads/a", strings.NewReader("hello"))
	if err != nil || size != 5 || digest != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Fatalf("Write = %d, %s, %v", size, digest, err)
	}
	r, err := f.Open(t.Context(), "uploads/a", digest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "hello" {
		t.Errorf("read back %q, %v", got, err)
	}
	r.Close()
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("gone")))
	if _, _, err := f.Write(t.Context(), "uploads/b", broken); err == nil {
		t.Error("a cut upload was stored")
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "incoming")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFolderDeletesOneFolderOnly(t *testing.T) {
	dir := t.TempDir()
	f, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, folder := range []string{"uploads/a", "uploads/ab"} {
		if _, _, err := f.Write(t.Context(), folder, strings.NewReader(folder)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := f.DeleteAll(t.Context(), "uploads/a"); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, "uploads"))
	if err != nil || len(left) != 1 || left[0].Name() != "ab" {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := f.DeleteAll(t.Context(), "../"+filepath.Base(dir)); err == nil {
		t.Error("it was led out of its folder")
	}
}

func TestList(t *testing.T) {
	f, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, digest, err := f.Write(t.Context(), "uploads/a", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{"uploads": "a", "uploads/a": digest, "uploads/b": "", "uploads/a/" + digest: ""} {
		if got, err := f.List(t.Context(), folder); strings.Join(got, " ") != want || err != nil {
			t.Errorf("in %s: %v, %v", folder, got, err)
		}
	}
}

// What can not be removed is said, and removed once it can.
func TestDeleteRefused(t *testing.T) {
	dir := t.TempDir()
	f, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, digest, err := f.Write(t.Context(), "uploads/a", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(filepath.Join(dir, "uploads", "a"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(folder.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	if err := set(0x10); err != nil { // immutable
		t.Skipf("nothing can be made immutable here: %v", err)
	}
	t.Cleanup(func() { _ = set(0); folder.Close() })
	for _, err := range []error{f.Delete(t.Context(), "uploads/a", digest), f.DeleteAll(t.Context(), "uploads/a")} {
		if err == nil || !strings.Contains(err.Error(), "chattr -i") {
			t.Errorf("removed what can not be: %v", err)
		}
	}
	if err := set(0); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteAll(t.Context(), "uploads/a"); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "uploads", "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Delete(t.Context(), "uploads/file", digest); err != nil {
		t.Errorf("below a file: %v", err)
	}
	if err := f.DeleteAll(t.Context(), "uploads/file"); err != nil {
		t.Error(err)
	}
}
