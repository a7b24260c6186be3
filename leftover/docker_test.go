package leftover_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/docker"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

// stopAll ends what a test left.
func stopAll(t *testing.T, d slipway.Driver) {
	ctx := context.Background()
	list, err := d.List(ctx)
	must(t, err)
	for _, o := range list {
		must(t, d.Stop(ctx, o.Deployment, o.Instance, 0))
		must(t, d.Delete(ctx, o.Deployment, o.Instance))
		must(t, d.Purge(ctx, o.Deployment))
	}
}

// A container that nobody knows goes with its network and its volume, also if
// its folder is lost. An unmanaged one of a similar name stays, with its volume.
func TestContainers(t *testing.T) {
	e := dockertest.Shared(t)
	image := e.Image(t, "standin", "github.com/slipwayhq/slipway/driver/drivertest/standin")
	connection, err := engine.Open(e.Host())
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	root := t.TempDir()
	d, err := docker.Open(docker.Config{
		Engine: connection, Owner: slipway.NewID[string](time.Now()), Root: root, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	r := newReal(t, d, image)
	t.Cleanup(func() { stopAll(t, d) })
	must(t, os.RemoveAll(filepath.Join(root, string(r.lost.Deployment))))

	unmanaged := "slipway-" + string(r.lost.Instance) + "-mine"
	run(t, connection, unmanaged, image)
	volume := e.Volume(unmanaged)
	must(t, os.WriteFile(filepath.Join(volume, "file"), []byte("mine"), 0o600))
	before := drivertest.Fingerprint(t, volume)
	r.scan()
	if drivertest.Fingerprint(t, volume) != before {
		t.Error("the volume of an unmanaged container has changed")
	}
	found, err := connection.ContainerInspect(t.Context(), unmanaged, client.ContainerInspectOptions{})
	if err != nil || !found.Container.State.Running {
		t.Errorf("the unmanaged container does not run: %v", err)
	}
}

// run starts a container that is nobody's, with a volume of its name.
func run(t *testing.T, e *engine.Engine, name, image string) {
	t.Helper()
	ctx := context.Background()
	t.Cleanup(func() {
		_, err := e.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true})
		must(t, err)
		_, err = e.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
		must(t, err)
	})
	_, err := e.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: image},
		HostConfig: &container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/data"}}},
	})
	must(t, err)
	_, err = e.ContainerStart(ctx, name, client.ContainerStartOptions{})
	must(t, err)
}
