package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

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
