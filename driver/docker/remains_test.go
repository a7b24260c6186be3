package docker_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// stranger is what somebody else has in an engine under a name that resembles
// ours: a container that runs, with a volume, in a network.
type stranger struct {
	*testing.T
	client  *client.Client
	name    string
	volume  string // where it lies
	content string
}

func newStranger(t *testing.T, e *dockertest.Engine, name, image string, labels map[string]string) stranger {
	t.Helper()
	s := stranger{T: t, client: e.Client(t), name: name, volume: e.Volume(name)}
	ctx := context.Background()
	t.Cleanup(func() {
		_, _ = s.client.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true})
		_, _ = s.client.NetworkRemove(ctx, name, client.NetworkRemoveOptions{})
		_, _ = s.client.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	})
	_, err := s.client.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: labels})
	s.try(err)
	_, err = s.client.NetworkCreate(ctx, name, client.NetworkCreateOptions{Labels: labels})
	s.try(err)
	_, err = s.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:   name,
		Config: &container.Config{Image: image, Labels: labels},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode(name),
			Mounts:      []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/data"}},
		},
	})
	s.try(err)
	_, err = s.client.ContainerStart(ctx, name, client.ContainerStartOptions{})
	s.try(err)
	s.try(os.WriteFile(filepath.Join(s.volume, "threads"), []byte("of "+name), 0o600))
	s.content = drivertest.Fingerprint(t, s.volume)
	return s
}

func (s stranger) try(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// intact checks that all of it is as it was.
func (s stranger) intact() {
	s.Helper()
	found, err := s.client.ContainerInspect(s.Context(), s.name, client.ContainerInspectOptions{})
	if err != nil || !found.Container.State.Running {
		s.Errorf("container %s: %+v, %v", s.name, found.Container.State, err)
	}
	if _, err := s.client.NetworkInspect(s.Context(), s.name, client.NetworkInspectOptions{}); err != nil {
		s.Error(err)
	}
	if now := drivertest.Fingerprint(s, s.volume); now != s.content {
		s.Errorf("volume %s has changed", s.name)
	}
}

// strangers are what nobody manages and another installation, with names and
// labels much like those of a workload.
func strangers(e *dockertest.Engine, root, owner string) func(*testing.T, slipway.Workload) func() {
	return func(t *testing.T, like slipway.Workload) func() {
		id, i := string(like.Deployment), string(like.Instance)
		all := []stranger{
			newStranger(t, e, "slipway-"+i+"-old", like.Image, nil),
			newStranger(t, e, "slipway-"+id+"-old", like.Image, map[string]string{"slipway.deployment": id, "slipway.instance": i}),
			newStranger(t, e, "x-slipway-"+id, like.Image, map[string]string{
				"slipway.owner": owner + "0", "slipway.deployment": id, "slipway.instance": i,
			}),
		}
		folder := filepath.Join(root, id+"-old")
		all[0].try(os.MkdirAll(folder, 0o700))
		all[0].try(os.WriteFile(filepath.Join(folder, "state"), []byte("kept"), 0o600))
		before := drivertest.Fingerprint(t, folder)
		return func() {
			for _, s := range all {
				s.intact()
			}
			if drivertest.Fingerprint(t, folder) != before {
				t.Error("a folder of a similar name has changed")
			}
		}
	}
}

// whats tells what remains of the fixture's deployment.
func (f *fixture) whats() string {
	f.Helper()
	things, err := f.d.Remains(f.Context(), f.w.Deployment)
	f.try(err)
	var all []string
	for _, thing := range things {
		if thing.Since.IsZero() || time.Since(thing.Since) > time.Hour {
			f.Errorf("%s since %v", thing.What, thing.Since)
		}
		all = append(all, thing.What)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (f *fixture) wantAll(want ...string) {
	f.Helper()
	told := f.whats()
	for _, what := range want {
		if !strings.Contains(told, what) {
			f.Errorf("not told of %q:\n%s", what, told)
		}
	}
}

// Each thing is told by what a person would look for.
func TestRemains(t *testing.T) {
	f := newStateful(t)
	id := string(f.w.Deployment)
	f.wantAll("container "+f.name(), "network slipway-"+id, "volume slipway-"+id, f.folder())
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	if told := f.whats(); strings.Contains(told, "container ") || strings.Contains(told, "network ") || !strings.Contains(told, "volume ") {
		t.Errorf("after Delete:\n%s", told)
	}
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("after Purge:\n%s", told)
	}
}

// Without its folder it is found by its labels, stopped and removed.
func TestRemainsWithoutFolder(t *testing.T) {
	f := newStateful(t)
	f.try(os.RemoveAll(filepath.Join(f.root, string(f.w.Deployment))))
	f.wantAll("container "+f.name(), "network ", "volume ")
	if f.d.Purge(t.Context(), f.w.Deployment) == nil {
		t.Error("purged while it ran")
	}
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("after Purge:\n%s", told)
	}
}

// Who removed a container by hand has done our work.
func TestRemovedByHand(t *testing.T) {
	f := newStateful(t)
	_, err := f.client.ContainerRemove(t.Context(), f.name(), client.ContainerRemoveOptions{Force: true})
	f.try(err)
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, time.Minute))
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("after Purge:\n%s", told)
	}
}

// An engine that is down keeps what it has from being removed, and is told so;
// what it never had is not waited for.
func TestRemovalWhileEngineIsDown(t *testing.T) {
	e := dockertest.Start(t)
	f := newFixture(t, e)
	f.w.Stateful = true
	f.serve()
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	e.Down()
	for what, do := range map[string]func() error{
		"Delete":  func() error { return f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance) },
		"Purge":   func() error { return f.d.Purge(t.Context(), f.w.Deployment) },
		"Remains": func() error { _, err := f.d.Remains(t.Context(), f.w.Deployment); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%s = %v", what, err)
		}
	}
	other := slipway.NewID[slipway.DeploymentID](time.Now())
	f.try(f.d.Purge(t.Context(), other))
	f.try(f.d.Stop(t.Context(), other, slipway.NewID[slipway.InstanceID](time.Now()), 0))
	f.try(e.Up())
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("left:\n%s", told)
	}
}

// A network of somebody else under the very name of ours is in nobody's way.
func TestRemovalBesideForeignNetwork(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t))
	name := "slipway-" + string(f.w.Deployment)
	made, err := f.client.NetworkCreate(t.Context(), name, client.NetworkCreateOptions{})
	f.try(err)
	t.Cleanup(func() { _, _ = f.client.NetworkRemove(context.Background(), made.ID, client.NetworkRemoveOptions{}) })
	if _, err := f.d.Apply(t.Context(), f.w); err == nil {
		t.Error("it was applied")
	}
	f.try(f.d.Delete(t.Context(), f.w.Deployment, f.w.Instance))
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("told of:\n%s", told)
	}
	if _, err := f.client.NetworkInspect(t.Context(), name, client.NetworkInspectOptions{}); err != nil {
		t.Error(err)
	}
}

// A stranger's container in a deployment's network keeps that, and is told.
func TestPurgeWithStrangerInNetwork(t *testing.T) {
	f := newStateful(t)
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	_, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: "guest-" + f.name(), Config: &container.Config{Image: f.w.Image},
		HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode("slipway-" + string(f.w.Deployment))},
	})
	f.try(err)
	guest := func(do func(context.Context, string) error) { f.try(do(context.Background(), "guest-"+f.name())) }
	guest(func(ctx context.Context, name string) error {
		_, err := f.client.ContainerStart(ctx, name, client.ContainerStartOptions{})
		return err
	})
	removed := false
	remove := func() {
		if !removed {
			guest(func(ctx context.Context, name string) error {
				_, err := f.client.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true})
				return err
			})
		}
		removed = true
	}
	t.Cleanup(remove)
	if err := f.d.Purge(t.Context(), f.w.Deployment); err == nil || !strings.Contains(err.Error(), "network slipway-") {
		t.Errorf("Purge = %v", err)
	}
	remove()
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
}

// A death after the empty image of a keeper was made, and before its container was,
// leaves the image: it is told of, and goes with its deployment alone.
func TestEmptyImageThatIsLeft(t *testing.T) {
	e := dockertest.Shared(t)
	f := newStateful(t)
	other := &fixture{T: t, engine: e, client: f.client, root: f.root, owner: f.owner, d: f.d, w: f.w} // in the same installation
	other.w.Deployment, other.w.Instance = slipway.NewID[slipway.DeploymentID](time.Now()), slipway.NewID[slipway.InstanceID](time.Now())
	other.w.Port = drivertest.FreePort(t)
	other.serve()
	for _, f := range []*fixture{f, other} {
		f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
		f.diesWithEmptyImage(e)
		testsignal.Until(t, "its empty image to be told of", func() bool { return strings.Contains(f.whats(), "image sha256:") })
	}
	f.try(f.d.Purge(t.Context(), f.w.Deployment))
	if told := f.whats(); told != "" {
		t.Errorf("left:\n%s", told)
	}
	other.wantAll("image sha256:", "volume ")
	things, err := other.d.Remains(t.Context(), "")
	if other.try(err); !slices.ContainsFunc(things, func(t slipway.Thing) bool {
		return t.Deployment == other.w.Deployment && strings.HasPrefix(t.What, "image sha256:")
	}) {
		t.Errorf("nobody's look tells of it: %+v", things)
	}
	other.try(other.d.Purge(t.Context(), other.w.Deployment))
}

// diesWithEmptyImage ends a copy of the state as soon as the engine has answered
// that it made the image.
func (f *fixture) diesWithEmptyImage(e *dockertest.Engine) {
	f.Helper()
	ctx, die := context.WithCancel(f.Context())
	defer die()
	c, err := client.New(client.WithHost(e.Host()), client.WithHTTPResponseHook(func(r *http.Response) {
		if strings.HasSuffix(r.Request.URL.Path, "/images/create") {
			die()
		}
	}))
	f.try(err)
	defer c.Close()
	d, err := docker.Open(docker.Config{Engine: &engine.Engine{Client: c}, Owner: f.owner, Root: f.root, Logger: slog.New(slog.DiscardHandler)})
	f.try(err)
	defer d.Close()
	if d.Snapshot(ctx, f.w.Deployment, "one") == nil {
		f.Fatal("it did not die")
	}
}
