package docker_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/internal/dockertest"
)

func newStateful(t *testing.T) *fixture {
	f := newFixture(t, dockertest.Shared(t))
	f.w.Stateful = true
	f.serve()
	f.write("threads", "old")
	return f
}

func (f *fixture) state(name string) string {
	return filepath.Join(f.engine.Volume(volumeOf(f.root, f.w.Deployment)), name)
}

func (f *fixture) write(name, text string) { f.try(os.WriteFile(f.state(name), []byte(text), 0o640)) }

func (f *fixture) read(name string) string {
	text, _ := os.ReadFile(f.state(name))
	return string(text)
}

func (f *fixture) volumes() int {
	f.Helper()
	found, err := f.client.VolumeList(f.Context(), client.VolumeListOptions{Filters: make(client.Filters).Add("label", "slipway.owner="+f.owner)})
	f.try(err)
	return len(found.Items)
}

func TestSnapshots(t *testing.T) {
	f := newStateful(t)
	f.try(os.Chown(f.state("threads"), 1234, 1234))
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
	f.write("threads", "new")
	f.write("more", "new")
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one")) // it is there, and stays as it is
	for range 2 {
		f.try(f.d.Restore(t.Context(), f.w.Deployment, "one"))
		info, err := os.Stat(f.state("threads"))
		f.try(err)
		if owner := info.Sys().(*syscall.Stat_t).Uid; f.read("threads") != "old" || f.read("more") != "" || owner != 1234 || info.Mode() != 0o640 {
			t.Errorf("restored: threads %q of %d %v, more %q", f.read("threads"), owner, info.Mode(), f.read("more"))
		}
	}
	f.w.Attempt = 2
	f.serve()
	f.remove(f.w) // with it the volume goes that it had held
	if n := f.volumes(); n != 1 || f.read("threads") != "old" {
		t.Errorf("%d volumes, threads %q", n, f.read("threads"))
	}
	for range 2 {
		f.try(f.d.Discard(t.Context(), f.w.Deployment, "one"))
	}
	if err := f.d.Restore(t.Context(), f.w.Deployment, "one"); err == nil {
		t.Error("what was discarded is restored")
	}
	for range 2 {
		f.try(f.d.Purge(t.Context(), f.w.Deployment))
	}
	if _, err := os.Stat(filepath.Join(f.root, string(f.w.Deployment))); f.volumes() != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d volumes are left, folder: %v", f.volumes(), err)
	}
	images, err := f.client.ImageList(t.Context(), client.ImageListOptions{Filters: make(client.Filters).Add("dangling", "true")})
	f.try(err)
	for _, image := range images.Items {
		if image.Size == 0 {
			t.Errorf("an empty image is left: %+v", image)
		}
	}
}

// A death in the middle of copying leaves a container and half a file.
func TestSnapshotTornApart(t *testing.T) {
	f := newStateful(t)
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	_, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: "slipway-state-" + string(f.w.Deployment), Config: &container.Config{Image: f.w.Image, Labels: map[string]string{"slipway.keeper": f.owner}},
	})
	f.try(err)
	f.try(os.WriteFile(filepath.Join(f.root, string(f.w.Deployment), "state", "one.tar.next"), []byte("half a tarball"), 0o600))
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
	f.write("threads", "new")
	f.try(f.d.Restore(t.Context(), f.w.Deployment, "one"))
	if f.read("threads") != "old" {
		t.Errorf("threads %q", f.read("threads"))
	}
	for _, name := range []string{"", ".", "..", "../one", "a/b"} {
		for _, do := range []func() error{
			func() error { return f.d.Snapshot(t.Context(), f.w.Deployment, name) },
			func() error { return f.d.Restore(t.Context(), f.w.Deployment, name) },
			func() error { return f.d.Discard(t.Context(), f.w.Deployment, name) },
		} {
			if do() == nil {
				t.Errorf("a snapshot may be named %q", name)
			}
		}
	}
}

// Who keeps no state has none to be copied, and no volume.
func TestStateless(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	f.serve()
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
	f.try(f.d.Restore(t.Context(), f.w.Deployment, "one"))
	f.try(f.d.Discard(t.Context(), f.w.Deployment, "one"))
	if f.volumes() != 0 || len(f.container().Mounts) != 0 {
		t.Errorf("%d volumes, mounts %v", f.volumes(), f.container().Mounts)
	}
}
