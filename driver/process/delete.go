package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Delete removes the folder of a stopped instance, and its control group if the
// kernel has one still. It refuses while anything of the instance runs.
func (d *Driver) Delete(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) error {
	in, err := d.take(ctx, id, i)
	if err != nil {
		return err
	}
	defer in.unlock()
	if err := d.checkIdle(in); err != nil {
		return err
	}
	if err := d.dropGroup(ctx, in); err != nil {
		return err
	}
	d.at(StepDelete)
	if err := removal.Tree(in.folder); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	d.at(StepDeleted)
	d.drop(in)
	d.prune(id)
	return nil
}

// Purge removes the folder of a deployment, and what else there is of it. It
// refuses while anything of the deployment runs, and returns without an error
// only when it has looked for what remains, and found nothing.
func (d *Driver) Purge(ctx context.Context, id slipway.DeploymentID) error {
	if err := ids.CheckDeployment(id); err != nil {
		return err
	}
	// Out of the way by one rename: large states take long to remove.
	purged := purgedFolder(d.deploymentFolder(id))
	if err := errors.Join(removal.Tree(purged), ctx.Err()); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	if err := d.setAside(id, purged); err != nil {
		return err
	}
	d.at(StepPurged)
	if err := removal.Tree(purged); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	if err := d.freeUser(id); err != nil {
		return err
	}
	return d.checkNothing(ctx, id)
}

// checkNothing looks again.
func (d *Driver) checkNothing(ctx context.Context, id slipway.DeploymentID) error {
	left, err := d.Remains(ctx, id)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("process: deployment %s: %s is left", id, left[0].What)
	}
	return err
}

// purgedFolder is where a deployment's lies while it is removed.
func purgedFolder(folder string) string {
	return filepath.Join(filepath.Dir(folder), purgedPrefix+filepath.Base(folder))
}

const purgedPrefix = "purged-"

func (d *Driver) setAside(id slipway.DeploymentID, purged string) error {
	d.folders.Lock() // nothing is started meanwhile
	defer d.folders.Unlock()
	all := d.of(id)
	for _, in := range all {
		if err := d.checkIdle(in); err != nil {
			return err
		}
	}
	if err := removal.SetAside(d.deploymentFolder(id), purged); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	d.drop(all...)
	return nil
}

func (d *Driver) checkIdle(in *instance) error {
	left, err := d.left(in, nil)
	if err == nil && (len(left) > 0 || in.current() != nil) {
		err = fmt.Errorf("process: instance %s still runs%s: this is tried again; what does not go by itself is to be ended by hand, with kill -9", in.id, numbers(left))
	}
	return err
}

// numbers names processes, for people.
func numbers(all []claim) string {
	if len(all) == 0 {
		return ""
	}
	var pids []string
	for _, c := range all[:min(len(all), 5)] {
		pids = append(pids, strconv.Itoa(c.PID))
	}
	return fmt.Sprintf(" (%d processes, of them %s)", len(all), strings.Join(pids, ", "))
}

// prune removes the folders above an instance's once they are empty.
func (d *Driver) prune(id slipway.DeploymentID) {
	d.folders.Lock()
	defer d.folders.Unlock()
	folder := d.deploymentFolder(id)
	if os.Remove(filepath.Join(folder, instances)) == nil {
		_ = os.Remove(folder) // not empty if there is state
	}
}
