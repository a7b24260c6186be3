package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/removal"
)

// askPatience bounds a question to the engine about what is most likely not
// there.
const askPatience = 5 * time.Second

// Remains lists what there is of a deployment, of all if it is "": what our
// labels are on in the engine, and folders. Of a deployment without a folder,
// which never had a container unless its folder was lost, an engine that does not
// answer is not waited for.
func (d *Driver) Remains(ctx context.Context, id slipway.DeploymentID) ([]slipway.Thing, error) {
	if id != "" {
		if err := ids.CheckDeployment(id); err != nil {
			return nil, err
		}
	}
	things, err := d.onDisk(id)
	if err != nil || d.Engine == nil {
		return things, err
	}
	if id != "" && len(things) == 0 {
		err = d.ifReached(ctx, func(ctx context.Context) (err error) {
			things, err = d.inEngine(ctx, id)
			return err
		})
		return things, err
	}
	held, err := d.inEngine(ctx, id)
	return append(things, held...), err
}

// ifReached asks the engine for what it most likely does not have. One that does
// not answer keeps nobody waiting.
func (d *Driver) ifReached(ctx context.Context, ask func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	err := ask(limited)
	if client.IsErrConnectionFailed(err) || ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// inEngine lists what the engine has with our labels.
func (d *Driver) inEngine(ctx context.Context, id slipway.DeploymentID) ([]slipway.Thing, error) {
	var things []slipway.Thing
	for _, list := range []func(context.Context, slipway.DeploymentID) ([]slipway.Thing, error){
		d.remainingContainers, d.remainingKeepers, d.remainingEmptyImages, d.remainingNetworks, d.remainingVolumes,
	} {
		found, err := list(ctx, id)
		if err != nil {
			return things, fmt.Errorf("docker: look for what remains: %w", d.Engine.Explain(err))
		}
		things = append(things, found...)
	}
	return things, nil
}

// oursOf picks what is ours, of one deployment or of all.
func (d *Driver) oursOf(id slipway.DeploymentID) client.Filters {
	if id == "" {
		return d.ours()
	}
	return d.ours().Add("label", labelDeployment+"="+string(id))
}

func (d *Driver) remainingContainers(ctx context.Context, id slipway.DeploymentID) (things []slipway.Thing, err error) {
	found, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: d.oursOf(id)})
	for _, c := range found.Items {
		things = append(things, slipway.Thing{
			Kind: slipway.ItemInstance, Ref: c.Labels[labelInstance], Deployment: slipway.DeploymentID(c.Labels[labelDeployment]),
			What: "container " + nameOf(c.Names, c.ID), Since: time.Unix(c.Created, 0).UTC(),
		})
	}
	return things, err
}

func nameOf(names []string, id string) string {
	if len(names) == 0 {
		return id
	}
	return strings.TrimPrefix(names[0], "/")
}

// remainingKeepers are containers that a death left which lent a volume.
func (d *Driver) remainingKeepers(ctx context.Context, id slipway.DeploymentID) (things []slipway.Thing, err error) {
	found, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", labelKeeper+"="+d.Owner),
	})
	for _, c := range found.Items {
		name := nameOf(c.Names, c.ID)
		of := slipway.DeploymentID(strings.TrimPrefix(name, keeper("")))
		if id == "" || id == of {
			things = append(things, stateThing(of, "container "+name, time.Unix(c.Created, 0).UTC()))
		}
	}
	return things, err
}

// remainingEmptyImages are those from which a death kept such containers.
func (d *Driver) remainingEmptyImages(ctx context.Context, id slipway.DeploymentID) (things []slipway.Thing, err error) {
	found, err := d.emptyImages(ctx, id)
	for _, i := range found {
		things = append(things, stateThing(slipway.DeploymentID(i.Labels[labelEmptyOf]), "image "+i.ID, time.Unix(i.Created, 0).UTC()))
	}
	return things, err
}

func (d *Driver) remainingNetworks(ctx context.Context, id slipway.DeploymentID) (things []slipway.Thing, err error) {
	found, err := d.Engine.NetworkList(ctx, client.NetworkListOptions{Filters: d.oursOf(id)})
	for _, n := range found.Items {
		things = append(things, stateThing(slipway.DeploymentID(n.Labels[labelDeployment]), "network "+n.Name, n.Created.UTC()))
	}
	return things, err
}

func (d *Driver) remainingVolumes(ctx context.Context, id slipway.DeploymentID) (things []slipway.Thing, err error) {
	found, err := d.Engine.VolumeList(ctx, client.VolumeListOptions{Filters: d.oursOf(id)})
	for _, v := range found.Items {
		since, _ := time.Parse(time.RFC3339, v.CreatedAt)
		things = append(things, stateThing(slipway.DeploymentID(v.Labels[labelDeployment]), "volume "+v.Name, since.UTC()))
	}
	return things, err
}

// stateThing is something that Purge removes.
func stateThing(id slipway.DeploymentID, what string, since time.Time) slipway.Thing {
	return slipway.Thing{Kind: slipway.ItemState, Ref: string(id), Deployment: id, What: what, Since: since}
}

// onDisk lists what lies in the folder of a deployment, or of all.
func (d *Driver) onDisk(id slipway.DeploymentID) (things []slipway.Thing, err error) {
	deployments := []string{string(id)}
	if id == "" {
		if deployments, err = names(d.Root); err != nil {
			return nil, err
		}
	}
	for _, name := range deployments {
		of := slipway.DeploymentID(name)
		if ids.CheckDeployment(of) != nil {
			continue // it is not ours
		}
		found, err := d.inFolder(of)
		if err != nil {
			return things, fmt.Errorf("docker: look for what remains: %w", err)
		}
		things = append(things, found...)
	}
	return things, nil
}

// inFolder lists what lies in a deployment's folder or, if that is nothing, the
// folder.
func (d *Driver) inFolder(id slipway.DeploymentID) (things []slipway.Thing, err error) {
	folder := d.deploymentFolder(id)
	entries, err := os.ReadDir(folder)
	if removal.Absent(err) {
		return nil, removal.Gone(folder)
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		thing := stateThing(id, path, removal.Since(path))
		if i := slipway.InstanceID(entry.Name()); ids.Check(id, i) == nil {
			thing.Kind, thing.Ref = slipway.ItemInstance, string(i)
		}
		things = append(things, thing)
	}
	if len(things) == 0 && err == nil {
		things = append(things, stateThing(id, folder, removal.Since(folder)))
	}
	return things, err
}

// findAny finds an instance also if it has lost its folder and only its container
// tells of it.
func (d *Driver) findAny(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (*instance, error) {
	in, err := d.find(id, i)
	if in != nil || err != nil || d.Engine == nil {
		return in, err
	}
	err = d.ifReached(ctx, func(ctx context.Context) error {
		found, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{
			All: true, Filters: d.oursOf(id).Add("label", labelInstance+"="+string(i)),
		})
		if err == nil && len(found.Items) > 0 {
			in = d.known(id, i)
		}
		return err
	})
	return in, err
}
