package docker

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Delete removes a stopped instance: its container with the volumes that the
// engine made for it, the deployment's network with its last container, then its
// folder. It refuses while the container runs.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	if in, err := d.findAny(ctx, id, i); in == nil || err != nil {
		return err
	}
	in, err := d.take(ctx, id, i)
	if err != nil {
		return err
	}
	defer in.turn.leave()
	l, err := d.inspect(ctx, in)
	if err != nil {
		return err
	}
	if l.running() {
		return fmt.Errorf("docker: container %s still runs: this is tried again; if it does not go by itself, end it with docker rm -f", name(i))
	}
	if l != nil {
		if err := d.remove(ctx, l); err != nil {
			return err
		}
	}
	in.unfollow()
	if err := d.disconnect(ctx, id); err != nil && !errors.Is(err, errForeign) { // which is in the way of a deletion only
		return err
	}
	if kept, err := d.hasState(id); kept && err == nil {
		if err := d.removeVolumes(ctx, id, d.volume(id)); err != nil {
			return err
		}
	}
	if err := removal.Tree(in.folder); err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	d.drop(in)
	_ = os.Remove(d.deploymentFolder(id)) // not empty if there are others
	return nil
}

// remove removes a container that does not run, and looks whether it is gone.
func (d *Driver) remove(ctx context.Context, l *look) error {
	_, err := d.Engine.ContainerRemove(ctx, l.id, client.ContainerRemoveOptions{RemoveVolumes: true})
	if err == nil {
		_, err = d.Engine.ContainerInspect(ctx, l.id, client.ContainerInspectOptions{})
	}
	switch {
	case engine.NotFound(err):
		return nil
	case err == nil:
		return fmt.Errorf("container %s is still there after it was removed", name(l.instance))
	}
	return fmt.Errorf("remove container: %w", d.Engine.Explain(err))
}

// Purge removes what is left of a deployment: containers, network, state and
// snapshots. It refuses while one runs, and returns without an error only when it
// has looked for what remains, and found nothing.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	if err := ids.CheckDeployment(id); err != nil { // "" would be all of them
		return err
	}
	left, err := d.Remains(ctx, id)
	if err != nil || len(left) == 0 {
		return err
	}
	if d.Engine == nil {
		return fmt.Errorf("%s: %w", left[0].What, errNoEngine)
	}
	for _, t := range left {
		if t.Kind == slipway.ItemInstance {
			err = errors.Join(err, d.Delete(ctx, id, slipway.InstanceID(t.Ref)))
		}
	}
	if err != nil {
		return err
	}
	if err := d.forget(ctx, id); err != nil {
		return err
	}
	return d.checkNothing(ctx, id)
}

// checkNothing looks again.
func (d *Driver) checkNothing(ctx context.Context, id slipway.DeploymentID) error {
	left, err := d.Remains(ctx, id)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("docker: deployment %s: %s is left", id, left[0].What)
	}
	return err
}

// forget removes what a deployment without instances has: its network, its state
// with what lent it, and its folder.
func (d *Driver) forget(ctx context.Context, id slipway.DeploymentID) error {
	foreign := d.disconnect(ctx, id)
	if foreign != nil && !errors.Is(foreign, errForeign) { // which is in no way of the rest
		return foreign
	}
	if err := d.removeKeeper(ctx, keeper(id)); err != nil {
		return err
	}
	if err := d.removeEmptyImages(ctx, id); err != nil {
		return err
	}
	if err := d.removeVolumes(ctx, id, ""); err != nil {
		return err
	}
	if err := removal.Tree(d.deploymentFolder(id)); err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	return foreign
}
