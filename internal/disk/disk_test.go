package disk_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/disk"
)

const mib = 1 << 20

func write(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUsed(t *testing.T) {
	one, two, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(one, "a", "b", "file"), mib)
	write(t, filepath.Join(two, "file"), 2*mib)
	write(t, filepath.Join(elsewhere, "file"), 8*mib)
	if err := os.Symlink(elsewhere, filepath.Join(one, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(two, "file"), 64*mib); err != nil { // a hole takes nothing
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		most        int64
		folders     []string
		least, less int64
	}{
		"all":               {math.MaxInt64, []string{one, two}, 3 * mib, 4 * mib},
		"one that is not":   {math.MaxInt64, []string{filepath.Join(one, "none"), two}, 2 * mib, 3 * mib},
		"no more than most": {mib / 2, []string{one, two}, mib / 2, 2 * mib},
		"nothing":           {math.MaxInt64, nil, 0, 1},
	} {
		if got, err := disk.Used(t.Context(), c.most, c.folders...); err != nil || got < c.least || got >= c.less {
			t.Errorf("%s: %d, %v, want %d to %d", name, got, err, c.least, c.less)
		}
	}
	if _, err := disk.Used(t.Context(), mib, filepath.Join(two, "file")); err == nil {
		t.Error("a file is no folder")
	}
}

func TestReserve(t *testing.T) {
	folder := t.TempDir()
	space, err := disk.SpaceOf(folder)
	if err != nil || space.Free <= 0 || space.Size < space.Free {
		t.Fatalf("space %+v, %v", space, err)
	}
	for name, c := range map[string]struct {
		r   disk.Reserve
		low bool
	}{
		"none":               {disk.Reserve{Folder: folder}, false},
		"little":             {disk.Reserve{Folder: folder, Bytes: 1}, false},
		"more than there is": {disk.Reserve{Folder: folder, Bytes: math.MaxInt64}, true},
		"of what is not":     {disk.Reserve{Folder: filepath.Join(folder, "none"), Bytes: math.MaxInt64}, false},
	} {
		err := c.r.Refuse()
		if low, _ := c.r.Low(); low != c.low || (err != nil) != low {
			t.Errorf("%s: low %t, %v", name, low, err)
		}
		if err != nil && (slipway.CodeOf(err) != slipway.CodeFull || !strings.Contains(err.Error(), "Free space")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
