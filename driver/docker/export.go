package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/export"
	"github.com/slipwayhq/slipway/driver/internal/ids"
)

// Export writes the state of a deployment as an archive. The engine copies it,
// which may keep volumes where we can not read. It refuses while an instance may
// have it open.
func (d *Driver) Export(ctx context.Context, id slipway.DeploymentID, w io.Writer) error {
	if err := ids.CheckDeployment(id); err != nil {
		return err
	}
	left, err := d.Remains(ctx, id)
	if err != nil || len(left) == 0 {
		return errors.Join(err, slipway.ErrNoState)
	}
	if d.Engine == nil {
		return fmt.Errorf("%s: %w", left[0].What, errNoEngine)
	}
	running, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{Filters: d.oursOf(id)})
	if err != nil {
		return fmt.Errorf("list containers: %w", d.Engine.Explain(err))
	}
	if len(running.Items) > 0 {
		return fmt.Errorf("docker: instance %s may have the state open: stop it first", running.Items[0].Labels[labelInstance])
	}
	volumes, err := d.Engine.VolumeList(ctx, client.VolumeListOptions{Filters: d.oursOf(id).Add("name", d.volume(id))})
	if err != nil {
		return fmt.Errorf("list volumes: %w", d.Engine.Explain(err))
	}
	if len(volumes.Items) == 0 {
		return slipway.ErrNoState
	}
	err = d.withVolume(ctx, id, d.volume(id), func(container string) error {
		copied, err := d.Engine.CopyFromContainer(ctx, container, client.CopyFromContainerOptions{SourcePath: stateDir + "/."})
		if err != nil {
			return err
		}
		defer copied.Content.Close()
		archive := tar.NewWriter(w)
		return errors.Join(export.Copy(archive, copied.Content, export.Root), archive.Close())
	})
	return explainState("export the state", err)
}
