package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/durable"
)

// stateDir is where a container has its deployment's state. Images made by the
// builder have the folder: a new volume takes its owner from it.
const stateDir = "/var/lib/slipway"

// The state of a deployment is a volume of the engine's. Beside its instances the
// deployment has a folder that says which, and holds snapshots. The folder is made
// before the volume and removed after it: who has none has no state here.
func (d *Driver) stateFolder(id slipway.DeploymentID) string {
	return filepath.Join(d.deploymentFolder(id), "state")
}

func (d *Driver) snapshot(id slipway.DeploymentID, name string) string {
	return filepath.Join(d.stateFolder(id), name+".tar")
}

// nothing is there if the deployment had no state here when the snapshot was to
// be taken. It is no file of the state's folder, which it has not.
func (d *Driver) nothing(id slipway.DeploymentID, name string) string {
	return filepath.Join(d.deploymentFolder(id), name+".none")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (d *Driver) hasState(id slipway.DeploymentID) (bool, error) {
	_, err := os.Lstat(d.stateFolder(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && d.Engine == nil {
		err = fmt.Errorf("the state of deployment %s: %w", id, errNoEngine)
	}
	return err == nil, err
}

// volume names the volume that holds the state now.
func (d *Driver) volume(id slipway.DeploymentID) string {
	text, _ := os.ReadFile(filepath.Join(d.stateFolder(id), "volume"))
	return cmp.Or(string(text), "slipway-"+string(id))
}

// keepState makes the volume of a deployment, unless it is there.
func (d *Driver) keepState(ctx context.Context, id slipway.DeploymentID) error {
	if err := os.MkdirAll(d.stateFolder(id), 0o700); err != nil {
		return err
	}
	return d.makeVolume(ctx, id, d.volume(id))
}

func (d *Driver) makeVolume(ctx context.Context, id slipway.DeploymentID, name string) error {
	made, err := d.Engine.VolumeCreate(ctx, client.VolumeCreateOptions{
		Name: name, Driver: "local", Labels: map[string]string{labelOwner: d.Owner, labelDeployment: string(id)},
	})
	if err != nil {
		return fmt.Errorf("make volume: %w", d.Engine.Explain(err))
	}
	if !d.owns(made.Volume.Labels, id) {
		return fmt.Errorf("the volume named %s is none of this installation's: remove it", name)
	}
	return nil
}

// mounts of a workload: its deployment's state, if it keeps any.
func (d *Driver) mounts(w slipway.Workload) []mount.Mount {
	if !w.Stateful {
		return nil
	}
	return []mount.Mount{{Type: mount.TypeVolume, Source: d.volume(w.Deployment), Target: stateDir}}
}

// Snapshot copies the state of a deployment to a file. Of one that keeps no state
// here it is written down that it does not. It refuses while an instance may have
// the state open. One that stands by lends it to the engine's copying, which is
// sooner done than to make a container for that.
func (d *Driver) Snapshot(ctx context.Context, id slipway.DeploymentID, name string) error {
	kept, err := d.checkSnapshot(id, name)
	if err != nil {
		return err
	}
	path := d.snapshot(id, name)
	if exists(path) || exists(d.nothing(id, name)) {
		return nil
	}
	if !kept {
		return explainState("copy the state", d.snapshotNothing(id, name))
	}
	lender, err := d.checkClosed(ctx, id)
	if err != nil {
		return err
	}
	copyFrom := func(container string) error {
		copied, err := d.Engine.CopyFromContainer(ctx, container, client.CopyFromContainerOptions{SourcePath: stateDir + "/."})
		if err != nil {
			return err
		}
		defer copied.Content.Close()
		return write(path, copied.Content)
	}
	if lender != "" {
		return explainState("copy the state", d.Engine.Explain(copyFrom(lender)))
	}
	if err := d.keepState(ctx, id); err != nil {
		return err
	}
	return explainState("copy the state", d.withVolume(ctx, id, d.volume(id), copyFrom))
}

// checkClosed says which instance may have the state of a deployment open. If there
// are none, it returns a container that stands by and has the state's volume, ""
// if there is none.
func (d *Driver) checkClosed(ctx context.Context, id slipway.DeploymentID) (lender string, err error) {
	running, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{Filters: d.oursOf(id)})
	if err != nil {
		return "", fmt.Errorf("list containers: %w", d.Engine.Explain(err))
	}
	for _, c := range running.Items {
		in := d.known(id, slipway.InstanceID(c.Labels[labelInstance]))
		l, err := d.inspect(ctx, in)
		if err != nil {
			return "", err
		}
		if !l.running() || l.volume == "" {
			continue
		}
		switch standing := d.standing(ctx, in, l); {
		case standing == "":
			return "", fmt.Errorf("docker: instance %s may have the state open: stop it first", in.id)
		case standing == control.StandingBy && l.volume == d.volume(id):
			lender = l.id
		}
	}
	return lender, nil
}

// snapshotNothing is for a deployment without state. Without an engine it can
// not come to any.
func (d *Driver) snapshotNothing(id slipway.DeploymentID, name string) error {
	if d.Engine == nil {
		return nil
	}
	if err := os.MkdirAll(d.deploymentFolder(id), 0o700); err != nil {
		return err
	}
	return write(d.nothing(id, name), strings.NewReader(""))
}

// Restore makes a volume of a snapshot, and then that the deployment's. The old
// one, which containers that ended may still hold, goes with them.
func (d *Driver) Restore(ctx context.Context, id slipway.DeploymentID, name string) error {
	kept, err := d.checkSnapshot(id, name)
	if !kept || err != nil {
		return err
	}
	if _, err := d.checkClosed(ctx, id); err != nil {
		return err
	}
	volume := "slipway-" + string(id) + "-" + slipway.NewID[string](time.Now())
	if exists(d.nothing(id, name)) {
		err = d.makeVolume(ctx, id, volume)
	} else {
		err = d.fillFrom(ctx, id, volume, name)
	}
	if err == nil {
		err = write(filepath.Join(d.stateFolder(id), "volume"), strings.NewReader(volume))
	}
	if err == nil {
		err = d.removeVolumes(ctx, id, volume)
	}
	return explainState("restore the state", err)
}

// fillFrom copies a snapshot into a new volume.
func (d *Driver) fillFrom(ctx context.Context, id slipway.DeploymentID, volume, name string) error {
	content, err := os.Open(d.snapshot(id, name))
	if err != nil {
		return err
	}
	defer content.Close()
	if err := d.makeVolume(ctx, id, volume); err != nil {
		return err
	}
	return d.withVolume(ctx, id, volume, func(container string) error {
		_, err := d.Engine.CopyToContainer(ctx, container, client.CopyToContainerOptions{DestinationPath: stateDir, Content: content})
		return err
	})
}

// Discard removes a snapshot.
func (d *Driver) Discard(_ context.Context, id slipway.DeploymentID, name string) error {
	kept, err := d.checkSnapshot(id, name)
	if err != nil {
		return err
	}
	if err := remove(d.nothing(id, name)); err != nil {
		return err
	}
	if kept {
		return remove(d.snapshot(id, name))
	}
	_ = os.Remove(d.deploymentFolder(id)) // not empty if there are instances
	return nil
}

// remove removes a file that may not be there.
func remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkSnapshot says whether a deployment has state here.
func (d *Driver) checkSnapshot(id slipway.DeploymentID, name string) (kept bool, err error) {
	if err := ids.CheckDeployment(id); err != nil {
		return false, err
	}
	if name == "." || !filepath.IsLocal(name) || name != filepath.Base(name) {
		return false, fmt.Errorf("bad name of a snapshot %q", name)
	}
	return d.hasState(id)
}

func explainState(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// write puts content in the place of a file, whole and lasting or not at all.
func write(path string, content io.Reader) error {
	f, err := os.OpenFile(path+".next", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".next", path); err != nil {
		return err
	}
	return durable.Sync(filepath.Dir(path))
}

// labelKeeper marks a container that never runs: it only lends a volume to the
// engine's copying, which so works wherever the engine keeps its volumes.
const labelKeeper = "slipway.keeper"

func keeper(id slipway.DeploymentID) string { return "slipway-state-" + string(id) }

// withVolume does something with a container that has a volume at stateDir.
func (d *Driver) withVolume(ctx context.Context, id slipway.DeploymentID, volume string, do func(container string) error) (err error) {
	name := keeper(id)
	if err := d.removeKeeper(ctx, name); err != nil { // a death's
		return err
	}
	image, err := d.emptyImage(ctx, id)
	if err != nil {
		return err
	}
	_, err = d.Engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:       name,
		Config:     &container.Config{Image: image, Cmd: []string{"/none"}, Labels: map[string]string{labelKeeper: d.Owner}},
		HostConfig: &container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: stateDir}}},
	})
	if err == nil {
		err = do(name)
	}
	return errors.Join(d.Engine.Explain(err), d.removeKeeper(ctx, name))
}

// removeKeeper removes a container that lent a volume, with its image.
func (d *Driver) removeKeeper(ctx context.Context, name string) error {
	found, err := d.Engine.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return d.Engine.Explain(err)
	}
	if found.Container.Config == nil || found.Container.Config.Labels[labelKeeper] != d.Owner {
		return fmt.Errorf("the container named %s is none of this installation's: remove or rename it", name)
	}
	_, err = d.Engine.ContainerRemove(ctx, found.Container.ID, client.ContainerRemoveOptions{Force: true})
	if err == nil || errdefs.IsNotFound(err) {
		_, err = d.Engine.ImageRemove(ctx, found.Container.Image, client.ImageRemoveOptions{})
	}
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return d.Engine.Explain(err)
}

// removeVolumes removes all volumes of a deployment but one. What a container
// that ended still holds is left until the next time.
func (d *Driver) removeVolumes(ctx context.Context, id slipway.DeploymentID, but string) error {
	found, err := d.Engine.VolumeList(ctx, client.VolumeListOptions{Filters: d.oursOf(id)})
	if err != nil {
		return fmt.Errorf("list volumes: %w", d.Engine.Explain(err))
	}
	for _, v := range found.Items {
		if v.Name == but {
			continue
		}
		_, err := d.Engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
		if err != nil && !errdefs.IsNotFound(err) && (but == "" || !errdefs.IsConflict(err)) {
			return fmt.Errorf("remove volume: %w", d.Engine.Explain(err))
		}
	}
	return nil
}
