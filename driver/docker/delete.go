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
)

// Delete removes a stopped instance: its container with the volumes that the
// engine made for it, the deployment's network with its last container, then its
// folder. It refuses while the container runs.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	if in, err := d.find(id, i); in == nil || err != nil {
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
		return fmt.Errorf("docker: instance %s still runs: stop it first", i)
	}
	if l != nil {
		if err := d.remove(ctx, l); err != nil {
			return err
		}
	}
	in.unfollow()
	if err := d.disconnect(ctx, id); err != nil {
		return err
	}
	if kept, err := d.hasState(id); kept && err == nil {
		if err := d.removeVolumes(ctx, id, d.volume(id)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(in.folder); err != nil {
		return err
	}
	d.forget(in)
	_ = os.Remove(d.deploymentFolder(id)) // not empty if there are others
	return nil
}

// remove removes a container that does not run.
func (d *Driver) remove(ctx context.Context, l *look) error {
	_, err := d.Engine.ContainerRemove(ctx, l.id, client.ContainerRemoveOptions{RemoveVolumes: true})
	if err == nil || engine.NotFound(err) {
		return nil
	}
	return fmt.Errorf("remove container: %w", d.Engine.Explain(err))
}

// Purge removes what is left of a deployment: containers, then state and
// snapshots. It refuses while one runs.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	if err := ids.CheckDeployment(id); err != nil {
		return err
	}
	list, err := d.folders(id)
	for _, o := range list {
		err = errors.Join(err, d.Delete(ctx, id, o.Instance))
	}
	if err != nil {
		return err
	}
	return d.forgetState(ctx, id)
}
