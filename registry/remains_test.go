package registry_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
)

// remains tells what there is of a deployment, of all if it is "".
func (s *setting) remains(d slipway.DeploymentID) (whats []string) {
	s.t.Helper()
	things, err := s.Remains(s.t.Context(), d)
	must(s.t, err)
	for _, thing := range things {
		if thing.Kind != slipway.ItemRepository || thing.Ref != slipway.Repository(thing.Deployment) || thing.Since.IsZero() {
			s.t.Errorf("a strange thing: %+v", thing)
		}
		what, err := filepath.Rel(filepath.Join(s.folder, "repositories"), thing.What)
		must(s.t, err)
		whats = append(whats, what)
	}
	return whats
}

func TestRemains(t *testing.T) {
	s := open(t)
	for _, name := range []string{"notes", string(mine) + "-old"} {
		must(t, os.MkdirAll(filepath.Join(s.folder, "repositories", name, "app"), 0o700))
		must(t, os.WriteFile(filepath.Join(s.folder, "repositories", name, "app", "file"), []byte(name), 0o600))
	}
	s.pusher(mine, "app").image("v1", "one")
	s.pusher(mine, "begun").begin()
	s.pusher(theirs, "app").image("v1", "two")
	own := []string{string(mine) + "/app", string(mine) + "/begun"}
	if got := s.remains(mine); !slices.Equal(got, own) {
		t.Errorf("of it %q", got)
	}
	if got := s.remains(""); len(got) != 3 || !slices.Contains(got, string(theirs)+"/app") {
		t.Errorf("of all %q", got)
	}
	for range 2 {
		must(t, s.Remove(t.Context(), mine))
		if got := s.remains(mine); len(got) > 0 {
			t.Errorf("left %q", got)
		}
	}
	if got := s.remains(""); !slices.Equal(got, []string{string(theirs) + "/app"}) {
		t.Errorf("then of all %q", got)
	}
	s.expectFiles("notes/app/file", string(mine)+"-old/app/file", hexOf("two"))
}

// What can not be removed is said and told, and removed once it can. A folder
// without images counts, and so does a file in its place.
func TestRemoveRefused(t *testing.T) {
	s := open(t)
	s.pusher(mine, "app").image("v1", "one")
	path := filepath.Join(s.folder, "repositories", string(mine))
	folder, err := os.Open(path)
	must(t, err)
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(folder.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	if err := set(0x10); err != nil { // immutable
		t.Skipf("nothing can be made immutable here: %v", err)
	}
	t.Cleanup(func() { _ = set(0); folder.Close() })
	for range 2 {
		if err := s.Remove(t.Context(), mine); err == nil || !strings.Contains(err.Error(), "chattr -i") {
			t.Errorf("removed what can not be: %v", err)
		}
		if got := s.remains(mine); len(got) == 0 {
			t.Error("nothing is said to be left")
		}
	}
	must(t, set(0))
	must(t, s.Remove(t.Context(), mine))
	must(t, os.WriteFile(path, []byte("a file"), 0o600))
	if got := s.remains(mine); !slices.Equal(got, []string{string(mine)}) {
		t.Errorf("of a file: %q", got)
	}
	must(t, s.Remove(t.Context(), mine))
	s.expectNone(string(mine))
}
