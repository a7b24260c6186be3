package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/internal/durable"
)

func TestPublishAndRemove(t *testing.T) {
	data := t.TempDir()
	tmp, final := filepath.Join(data, "tmp"), filepath.Join(data, "bundles", "key")
	made := filepath.Join(tmp, "made")
	must(t, os.MkdirAll(filepath.Join(made, "app"), 0o700))
	must(t, os.WriteFile(filepath.Join(made, "app", "run"), nil, 0o700))
	must(t, os.WriteFile(filepath.Join(made, "app", "file"), nil, 0o600))
	must(t, os.Symlink("nowhere", filepath.Join(made, "app", "link")))

	must(t, durable.Publish(made, final))
	for name, want := range map[string]os.FileMode{"": 0o755, "app": 0o555, "app/run": 0o555, "app/file": 0o444} {
		if info, err := os.Stat(filepath.Join(final, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}

	for range 2 { // the second time there is nothing to remove
		must(t, durable.Remove(final, tmp))
		if _, err := os.Stat(final); !os.IsNotExist(err) {
			t.Errorf("still there: %v", err)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

func TestSweep(t *testing.T) {
	tmp := filepath.Join(t.TempDir(), "not", "yet")
	must(t, durable.Sweep(tmp))
	must(t, os.MkdirAll(filepath.Join(tmp, "a", "b"), 0o755))
	must(t, os.Chmod(filepath.Join(tmp, "a"), 0o555))
	must(t, durable.Sweep(tmp))
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
