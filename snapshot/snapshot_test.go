package snapshot_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/snapshot"
)

// state is what an exporter has, as one file.
type state struct {
	content string
	err     error // in the place of the rest
	calls   int
}

func (s *state) Export(_ context.Context, _ slipway.DeploymentID, w io.Writer) error {
	s.calls++
	archive := tar.NewWriter(w)
	err := archive.WriteHeader(&tar.Header{Name: "state/threads", Mode: 0o600, Size: int64(len(s.content))})
	if err == nil {
		_, err = io.WriteString(archive, s.content)
	}
	if err == nil && s.err != nil {
		return s.err
	}
	return errors.Join(err, archive.Close())
}

func deleted() slipway.Deployment {
	return slipway.Deployment{
		ID: "0198a000-0000-7000-8000-000000000001", Name: "my_app",
		Deletion: slipway.Deletion{At: time.Date(2026, 11, 1, 12, 30, 0, 0, time.FixedZone("", 3600))},
	}
}

// served is what worked with it last.
var served = &slipway.Revision{Artefact: slipway.Artefact{Kind: "plain"}}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	must(t, err)
	archive := tar.NewReader(packed)
	for range 2 { // what it is of comes first
		_, err = archive.Next()
		must(t, err)
	}
	content, err := io.ReadAll(archive)
	must(t, err)
	return string(content)
}

func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// It is written once for a deletion, and anew for the next one.
func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "elsewhere", "snapshots")
	s := &state{content: "kept"}
	f, err := snapshot.Open(dir, s, nil)
	must(t, err)
	d := deleted()
	for range 2 {
		path, err := f.Keep(t.Context(), d, served)
		must(t, err)
		if want := filepath.Join(dir, "my_app-"+string(d.ID)+"-20261101T113000Z.tar.gz"); path != want || read(t, path) != "kept" {
			t.Errorf("kept %q at %s, want %s", read(t, path), path, want)
		}
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	}
	if s.calls != 1 {
		t.Errorf("exported %d times", s.calls)
	}
	d.Deletion.At = d.Deletion.At.Add(time.Hour)
	s.content = "later"
	path, err := f.Keep(t.Context(), d, served)
	must(t, err)
	if all := names(t, dir); read(t, path) != "later" || len(all) != 2 {
		t.Errorf("there is %v", all)
	}
}

// What was begun and not ended is nothing: the next try begins anew.
func TestHalfDone(t *testing.T) {
	dir := t.TempDir()
	s := &state{content: "half", err: errors.New("the engine does not answer")}
	f, err := snapshot.Open(dir, s, nil)
	must(t, err)
	if _, err := f.Keep(t.Context(), deleted(), served); !errors.Is(err, s.err) {
		t.Errorf("Keep = %v", err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	aside := ".my_app-0198a000-0000-7000-8000-000000000001-20261101T113000Z.tar.gz.partial"
	must(t, os.WriteFile(filepath.Join(dir, aside), []byte(strings.Repeat("of who died", 1000)), 0o600))
	s.content, s.err = "whole", nil
	path, err := f.Keep(t.Context(), deleted(), served)
	must(t, err)
	if all := names(t, dir); read(t, path) != "whole" || len(all) != 1 {
		t.Errorf("there is %v", all)
	}
}

func TestNothingToKeep(t *testing.T) {
	dir := t.TempDir()
	f, err := snapshot.Open(dir, &state{err: slipway.ErrNoState}, nil)
	must(t, err)
	if path, err := f.Keep(t.Context(), deleted(), served); path != "" || err != nil || len(names(t, dir)) > 0 {
		t.Errorf("Keep = %q, %v; there is %v", path, err, names(t, dir))
	}
	d := deleted()
	d.Name = "../elsewhere"
	if path, err := f.Keep(t.Context(), d, served); err == nil {
		t.Errorf("kept at %s", path)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := snapshot.Open(file, &state{}, nil); err == nil || !strings.Contains(err.Error(), "final snapshots") {
		t.Errorf("Open = %v", err)
	}
}

// A full disk keeps it from being written, and nothing of it is left to be taken
// for one; it is written once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	s := &state{content: noise(256 << 10)}
	f, err := snapshot.Open(dir, s, nil)
	must(t, err)
	if _, err := f.Keep(t.Context(), deleted(), served); err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), dir) {
		t.Errorf("Keep = %v", err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size=1m"))
	path, err := f.Keep(t.Context(), deleted(), served)
	must(t, err)
	if read(t, path) != s.content {
		t.Error("it is not what was exported")
	}
}

// noise can not be compressed.
func noise(n int) string {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// What tar unpacks is the state as it was, owners included.
func TestUnpacked(t *testing.T) {
	root, dir, into := t.TempDir(), t.TempDir(), t.TempDir()
	driver, err := process.Open(root)
	must(t, err)
	t.Cleanup(func() { must(t, driver.Close()) })
	d := deleted()
	own := filepath.Join(root, string(d.ID), "state")
	must(t, os.MkdirAll(filepath.Join(own, "inner"), 0o750))
	must(t, os.WriteFile(filepath.Join(own, "inner", "threads"), []byte("kept"), 0o640))
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(own, "inner", "threads"), 1234, 1234))
	}
	f, err := snapshot.Open(dir, driver, nil)
	must(t, err)
	path, err := f.Keep(t.Context(), d, served)
	must(t, err)
	must(t, driver.Purge(t.Context(), d.ID))
	text, err := exec.Command("tar", "--numeric-owner", "-xpzf", path, "-C", into).CombinedOutput()
	if err != nil {
		t.Fatalf("tar: %v\n%s", err, text)
	}
	threads := filepath.Join(into, "state", "inner", "threads")
	content, err := os.ReadFile(threads)
	must(t, err)
	var found unix.Stat_t
	must(t, unix.Stat(threads, &found))
	if string(content) != "kept" || found.Mode&0o777 != 0o640 || os.Geteuid() == 0 && found.Uid != 1234 {
		t.Errorf("unpacked %q, mode %o of %d", content, found.Mode, found.Uid)
	}
}

// What was in the database is in the archive too, with a state and without; one
// that is gone is no reason to keep the rest from being written.
func TestDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		state    snapshot.Exporter
		dump     *state
		provided bool
		want     string
	}{
		"both":           {&state{content: "kept"}, &state{content: "dump"}, true, "snapshot.json database.dump state/threads"},
		"no state":       {dumper{&state{err: slipway.ErrNoState}}, &state{content: "dump"}, true, "snapshot.json database.dump"},
		"dropped":        {&state{content: "kept"}, &state{err: slipway.ErrDatabaseGone}, true, "snapshot.json state/threads"},
		"never provided": {&state{content: "kept"}, &state{err: errors.New("asked")}, false, "snapshot.json state/threads"},
		"neither":        {dumper{&state{err: slipway.ErrNoState}}, &state{err: slipway.ErrDatabaseGone}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := snapshot.Open(dir, c.state, dumper{c.dump})
			must(t, err)
			d := deleted()
			if c.provided {
				d.ProvidedAt = d.Deletion.At
			}
			path, err := f.Keep(t.Context(), d, served)
			must(t, err)
			got := ""
			if path != "" {
				out, err := exec.Command("tar", "-tzf", path).Output()
				must(t, err)
				got = strings.Join(strings.Fields(string(out)), " ")
			}
			if all := names(t, dir); got != c.want || len(all) != min(len(c.want), 1) {
				t.Errorf("the archive has %q, want %q; there is %v", got, c.want, all)
			}
		})
	}
}

// A server that is down is no reason to let a database go without its dump.
func TestDatabaseDown(t *testing.T) {
	dir := t.TempDir()
	down := errors.New("the server does not answer")
	f, err := snapshot.Open(dir, &state{content: "kept"}, dumper{&state{err: down}})
	must(t, err)
	d := deleted()
	d.ProvidedAt = d.Deletion.At
	if path, err := f.Keep(t.Context(), d, served); path != "" || !errors.Is(err, down) || len(names(t, dir)) > 0 {
		t.Errorf("Keep = %q, %v; there is %v", path, err, names(t, dir))
	}
}

// dumper writes a dump, which is no archive.
type dumper struct{ *state }

func (d dumper) Export(_ context.Context, _ slipway.DeploymentID, w io.Writer) error {
	_, err := io.WriteString(w, d.content)
	return errors.Join(err, d.err)
}
