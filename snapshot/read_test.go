package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/snapshot"
)

// kept is a folder with one snapshot of a dump and a state.
func kept(t *testing.T) (f *snapshot.Folder, dir, path string) {
	t.Helper()
	dir = t.TempDir()
	f, err := snapshot.Open(dir, &state{content: "threads of many"}, dumper{&state{content: strings.Repeat("dump", 1000)}})
	must(t, err)
	d := deleted()
	d.ProvidedAt = d.Deletion.At
	path, err = f.Keep(t.Context(), d, served)
	must(t, err)
	return f, dir, path
}

func TestLook(t *testing.T) {
	f, dir, path := kept(t)
	want := slipway.SnapshotContents{Deployment: deleted().ID, Kind: "plain", Database: true, State: true}
	if c, err := f.Look(t.Context(), path); err != nil || c != want {
		t.Errorf("Look = %+v, %v", c, err)
	}
	moved, err := snapshot.Open(filepath.Join(dir, "moved"), nil, nil)
	must(t, err)
	must(t, os.Rename(path, filepath.Join(dir, "moved", filepath.Base(path))))
	if c, err := moved.Look(t.Context(), path); err != nil || c != want {
		t.Errorf("moved with its folder: %+v, %v", c, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := moved.Look(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of ctx: %v", err)
	}
}

func TestParts(t *testing.T) {
	f, _, path := kept(t)
	var dump, archive bytes.Buffer
	must(t, f.Database(t.Context(), path, func(r io.Reader) error { _, err := dump.ReadFrom(r); return err }))
	if dump.String() != strings.Repeat("dump", 1000) {
		t.Errorf("the dump has %d bytes", dump.Len())
	}
	must(t, f.State(t.Context(), path, false, func(r io.Reader) error { _, err := archive.ReadFrom(r); return err }))
	tar := exec.Command("tar", "-xO", "state/threads")
	tar.Stdin = &archive
	if out, err := tar.Output(); err != nil || string(out) != "threads of many" {
		t.Errorf("the state is %q, %v", out, err)
	}
	broken := errors.New("the disk is full")
	if err := f.State(t.Context(), path, false, func(io.Reader) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("State = %v", err)
	}
	lost := errors.Join(broken, io.ErrUnexpectedEOF) // of a server, not of the snapshot
	if err := f.Database(t.Context(), path, func(io.Reader) error { return lost }); !errors.Is(err, lost) {
		t.Errorf("Database = %v", err)
	}
}

// What can not be read is said, and by which code.
func TestUnreadable(t *testing.T) {
	f, _, path := kept(t)
	whole, err := os.ReadFile(path)
	must(t, err)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // of its checksum
	for name, c := range map[string]struct {
		content []byte
		code    string
	}{
		"gone":            {nil, "snapshot_missing"},
		"empty":           {[]byte{}, "snapshot_damaged"},
		"no archive":      {[]byte(strings.Repeat("text", 1000)), "snapshot_damaged"},
		"torn":            {whole[:len(whole)/2], "snapshot_damaged"},
		"without its end": {whole[:len(whole)-3], "snapshot_damaged"},
		"a bit":           {flipped, "snapshot_damaged"},
		"unlabelled":      {unlabelled(t), "snapshot_unlabelled"},
	} {
		if c.content == nil {
			must(t, os.Remove(path))
		} else {
			must(t, os.WriteFile(path, c.content, 0o600))
		}
		_, err := f.Look(t.Context(), path)
		if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != c.code || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unlabelled is as an earlier version wrote one.
func unlabelled(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
	packed, err := exec.Command("tar", "-C", dir, "-cz", "state").Output()
	must(t, err)
	return packed
}
