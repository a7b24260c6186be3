package registry

// This test is inside the package since it lets the process die between two
// changes of the disk, which nothing outside can see.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

const killed slipway.DeploymentID = "01900000-0000-7000-8000-00000000000a"

var errKilled = errors.New("killed")

// life opens the registry of a folder; it dies before the nth change of the disk.
func life(t *testing.T, folder string, n int) *Registry {
	t.Helper()
	r, err := Open(folder, Config{Now: func() time.Time { return time.Now().Add(time.Hour) }, Grace: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	r.disk.step = func() error {
		if n--; n < 0 {
			return errKilled
		}
		return nil
	}
	return r
}

const forever = 1 << 30

var (
	layer   = []byte("a layer")
	content = []byte(`{"schemaVersion":2,"config":{"digest":"` + digestOf(layer) + `","size":7},"layers":[]}`)
)

// push does what the requests of a push do.
func push(r *Registry) error {
	repo := r.repository(name{killed, "app"})
	id, err := repo.begin()
	if err != nil {
		return err
	}
	if _, err := repo.receive(id, chunk{bytes.NewReader(layer), -1, -1}); err != nil {
		return err
	}
	if err := repo.commit(context.Background(), id, digestOf(layer)); err != nil {
		return err
	}
	m, err := readManifest(content)
	if err != nil {
		return err
	}
	_, err = repo.writeManifest(context.Background(), m, content, "v1")
	return err
}

// pull reads what push has pushed, as far as it is there, and fails if there is
// anything of which a part is not.
func pull(t *testing.T, r *Registry) (whole bool) {
	t.Helper()
	repo := r.repository(name{killed, "app"})
	found, digest, err := repo.loadManifest("v1")
	if _, absent := errors.AsType[*refusal](err); absent {
		return false
	}
	if err != nil || !bytes.Equal(found, content) || digest != digestOf(content) {
		t.Fatalf("manifest: %s %q, %v", digest, found, err)
	}
	f, err := repo.openBlob(digestOf(layer))
	if err != nil {
		t.Fatalf("the manifest is there, and its layer is not: %v", err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, layer) {
		t.Fatalf("layer: %q, %v", got, err)
	}
	return true
}

func files(t *testing.T, folder string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A push that died anywhere is pushed again and is whole; nobody comes back for
// one, and a sweep leaves nothing of it but what is whole.
func TestAPushMayDieAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		folder := t.TempDir()
		err := push(life(t, folder, n))
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		next := life(t, folder, forever)
		whole := pull(t, next)
		if err == nil && !whole {
			t.Fatal("what was answered is not there")
		}
		if err := push(next); err != nil || !pull(t, next) {
			t.Fatalf("after death %d the same push fails: %v", n, err)
		}
		if err := next.Sweep(t.Context()); err != nil || !pull(t, next) {
			t.Fatalf("after death %d: sweep: %v", n, err)
		}
		// layer (shared and owned), manifest, tag: and nothing that the dead one left
		if left := files(t, folder); len(left) != 4 {
			t.Fatalf("after death %d: %q", n, left)
		}
		if err == nil {
			if n < 8 {
				t.Fatalf("only %d places to die at", n)
			}
			return
		}
	}
}

func TestAnAbandonedPushLeavesNothing(t *testing.T) {
	for n := 0; ; n++ {
		folder := t.TempDir()
		err := push(life(t, folder, n))
		if err == nil {
			return
		}
		next := life(t, folder, forever)
		if err := next.Retain(t.Context(), killed, nil); err != nil {
			t.Fatal(err)
		}
		if err := next.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := files(t, folder); len(left) > 0 {
			t.Fatalf("after death %d: %q", n, left)
		}
	}
}

func TestARemovalMayDieAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		folder := t.TempDir()
		if err := push(life(t, folder, forever)); err != nil {
			t.Fatal(err)
		}
		err := life(t, folder, n).Remove(t.Context(), killed)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		next := life(t, folder, forever)
		if again := errors.Join(next.Remove(t.Context(), killed), next.Sweep(t.Context())); again != nil {
			t.Fatal(again)
		}
		if left := files(t, folder); len(left) > 0 {
			t.Fatalf("after death %d: %q", n, left)
		}
		if err == nil {
			return
		}
	}
}

// Retaining and sweeping take no part of a whole image away, wherever they die.
func TestTidyingMayDieAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		folder := t.TempDir()
		if err := push(life(t, folder, forever)); err != nil {
			t.Fatal(err)
		}
		err := life(t, folder, n).Retain(t.Context(), killed, nil)
		next := life(t, folder, forever)
		pull(t, next)
		if err := errors.Join(next.Retain(t.Context(), killed, nil), next.Sweep(t.Context())); err != nil {
			t.Fatal(err)
		}
		if left := files(t, folder); len(left) > 0 {
			t.Fatalf("after death %d: %q", n, left)
		}
		if err == nil {
			return
		}
	}
}
