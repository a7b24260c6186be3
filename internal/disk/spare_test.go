package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/disk"
)

// What was set aside can be written once the disk is full, and is set aside again
// when there is room.
func TestSpare(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a disk")
	}
	folder := t.TempDir()
	if err := unix.Mount("slipway-test", folder, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	spare := disk.NewSpare(filepath.Join(folder, "spare"), mib)
	for range 2 {
		if err := spare.Keep(); err != nil {
			t.Fatal(err)
		}
	}
	space := func() int64 {
		s, err := disk.SpaceOf(folder)
		if err != nil {
			t.Fatal(err)
		}
		return s.Free
	}
	filler := filepath.Join(folder, "filler")
	write(t, filler, int(space()))
	if space() != 0 {
		t.Fatalf("%d bytes are free", space())
	}
	if !spare.Give() || spare.Give() || space() != mib {
		t.Errorf("it gave %d bytes", space())
	}
	if err := spare.Keep(); err == nil || space() != mib {
		t.Errorf("it took what is needed: %v, %d bytes are free", err, space())
	}
	if err := errors.Join(os.Remove(filler), spare.Keep()); err != nil || space() != 7*mib {
		t.Errorf("with room again: %v, %d bytes are free", err, space())
	}
}
