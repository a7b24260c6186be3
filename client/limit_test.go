package client

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// This test is inside the package because an archive of 200 MiB takes minutes
// to make under the race detector.
func TestPackLimit(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	app := fstest.MapFS{"a": {Data: []byte(strings.Repeat("content", 100))}}
	whole, err := pack(app, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = pack(app, whole.Size-1); err == nil || !strings.Contains(err.Error(), "larger than 200 MiB") || !strings.Contains(err.Error(), ".dockerignore") {
		t.Errorf("got %v", err)
	}
	exact, err := pack(app, whole.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := exact.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
