package daemon_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/driver/drivertest"
)

// strangers are folders that look like those of a deployment, and are somebody's.
// Intact sees that they are as they were, and takes them away.
func (m *mortal) strangers(id string) (intact func()) {
	m.t.Helper()
	var folders, before []string
	for _, folder := range []string{"deployments/" + id + "-old", "deployments/purged-" + id + ".bak", "deployments/x" + id, "containers/" + id + "-old", "blobs/uploads/" + id + "-old"} {
		folder = filepath.Join(m.data, folder)
		if _, err := os.Stat(filepath.Dir(folder)); err != nil {
			continue // this server has nothing there
		}
		must(m.t, os.MkdirAll(filepath.Join(folder, "state"), 0o700))
		must(m.t, os.WriteFile(filepath.Join(folder, "state", "threads"), []byte("somebody's"), 0o600))
		m.foreign = append(m.foreign, folder)
		folders, before = append(folders, folder), append(before, drivertest.Fingerprint(m.t, folder))
	}
	return func() {
		for n, folder := range folders {
			if now := drivertest.Fingerprint(m.t, folder); now != before[n] {
				m.t.Errorf("%s was\n%s\nand is\n%s", folder, before[n], now)
			}
			must(m.t, os.RemoveAll(folder))
		}
	}
}

// strangerInEngine is a container that runs, with a volume in a network, of names
// and labels much like those of a deployment.
func (m *mortal) strangerInEngine(id string) (intact func()) {
	m.t.Helper()
	c, ctx, name := m.engine.Client(m.t), context.Background(), "slipway-"+id+"-old"
	labels := map[string]string{"slipway.deployment": strings.ToUpper(id), "slipway.owner": "somebody"}
	_, err := c.VolumeCreate(ctx, dockerclient.VolumeCreateOptions{Name: name, Labels: labels})
	must(m.t, err)
	_, err = c.NetworkCreate(ctx, name, dockerclient.NetworkCreateOptions{Labels: labels})
	must(m.t, err)
	_, err = c.ContainerCreate(ctx, dockerclient.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: m.neighboursImage(), Labels: labels},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode(name),
			Mounts:      []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/data"}},
		},
	})
	must(m.t, err)
	_, err = c.ContainerStart(ctx, name, dockerclient.ContainerStartOptions{})
	must(m.t, err)
	volume := m.engine.Volume(name)
	must(m.t, os.WriteFile(filepath.Join(volume, "threads"), []byte("somebody's"), 0o600))
	before := drivertest.Fingerprint(m.t, volume)
	return func() {
		if now := drivertest.Fingerprint(m.t, volume); now != before {
			m.t.Errorf("the volume %s was\n%s\nand is\n%s", name, before, now)
		}
		if _, err := c.NetworkInspect(ctx, name, dockerclient.NetworkInspectOptions{}); err != nil {
			m.t.Error(err)
		}
		found, err := c.ContainerInspect(ctx, name, dockerclient.ContainerInspectOptions{})
		if must(m.t, err); !found.Container.State.Running {
			m.t.Errorf("the container %s is %s", name, found.Container.State.Status)
		}
		_, err = c.ContainerRemove(ctx, name, dockerclient.ContainerRemoveOptions{Force: true})
		must(m.t, err)
		_, err = c.NetworkRemove(ctx, name, dockerclient.NetworkRemoveOptions{})
		must(m.t, err)
		_, err = c.VolumeRemove(ctx, name, dockerclient.VolumeRemoveOptions{})
		must(m.t, err)
	}
}

// neighboursImage is the one that is there in any case.
func (m *mortal) neighboursImage() string {
	m.t.Helper()
	neighbour, err := m.client.FindDeployment(m.t.Context(), "neighbour")
	must(m.t, err)
	found, err := m.engine.Client(m.t).ContainerList(m.t.Context(), dockerclient.ContainerListOptions{
		Filters: make(dockerclient.Filters).Add("label", "slipway.deployment="+neighbour.ID),
	})
	if must(m.t, err); len(found.Items) != 1 {
		m.t.Fatalf("the neighbour has the containers %v", found.Items)
	}
	return found.Items[0].ImageID
}
