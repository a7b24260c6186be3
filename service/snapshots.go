package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// RestoreSnapshot has the data of a deleted deployment's final snapshot take the
// place of what a deployment has, which must be asked for if it has any. How far
// that has come is shown by the deployment.
func (s *Service) RestoreSnapshot(ctx context.Context, who slipway.Principal, id, from slipway.DeploymentID, replace bool) (slipway.DeploymentView, error) {
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		path, err := c.finalSnapshot(who, from)
		if err != nil {
			return "", err
		}
		if err := c.takesSnapshot(d, replace); err != nil {
			return "", err
		}
		d.Running.Restore = &slipway.SnapshotRestore{From: from, Path: path, Phase: slipway.RestoreChecking, Since: c.now}
		if err := c.want(&d); err != nil {
			return "", err
		}
		if err := c.audit(who, d.Workspace, slipway.AuditSnapshotRestored, string(id)); err != nil {
			return "", err
		}
		view, err = c.view(d.ID)
		return string(id), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("restore snapshot", err))
}

// CancelSnapshotRestore ends the restore of a snapshot that has replaced nothing yet:
// what was stopped for it comes back as it was.
func (s *Service) CancelSnapshotRestore(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.DeploymentView, error) {
	var view slipway.DeploymentView
	err := s.change(ctx, func(c *change) error {
		d, err := c.live(who, id)
		if err != nil {
			return err
		}
		if d.Running, err = d.Running.RestoreCancelled(c.now); err != nil {
			return err
		}
		if err := c.want(&d); err != nil {
			return err
		}
		if err := c.audit(who, d.Workspace, slipway.AuditSnapshotCancelled, string(id)); err != nil {
			return err
		}
		view, err = c.view(d.ID)
		return err
	})
	return s.show(ctx, who, view, wrap("cancel the restore of a snapshot", err))
}

// finalSnapshot is where the final snapshot lies of a deployment that was deleted in
// the caller's workspace.
func (c *change) finalSnapshot(who slipway.Principal, from slipway.DeploymentID) (string, error) {
	r, err := c.deletionReceipt(from)
	switch {
	case errors.Is(err, slipway.ErrNoRow), err == nil && (r.Workspace != who.Workspace || r.At.IsZero()):
		return "", slipway.Errorf(slipway.CodeNotFound, "Deletion of deployment ID %s not found.", from)
	case err != nil:
		return "", fmt.Errorf("read receipt: %w", err)
	case r.State == slipway.DeletionKept || r.State == slipway.DeletionStopping:
		return "", slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is kept aside: restore it as it is, by POST /v2/deployments/%s/restore.", from, from)
	case r.Snapshot == "":
		return "", slipway.Errorf(slipway.CodeConflict, "No final snapshot was kept of deployment ID %s: the server was started without --final-snapshots, or there was no data.", from)
	}
	return r.Snapshot, nil
}

// takesSnapshot says why a deployment can not take the data of a snapshot now.
func (c *change) takesSnapshot(d slipway.Deployment, replace bool) error {
	switch {
	case d.Active == "":
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s runs nothing yet: deploy the source that the snapshot was kept of first.", d.ID)
	case d.Running.Restore.Pending():
		return slipway.Errorf(slipway.CodeConflict, "A snapshot is being restored into deployment ID %s already.", d.ID)
	}
	open, err := c.OpenRevisions(d.ID)
	if err != nil {
		return fmt.Errorf("read open revisions: %w", err)
	}
	if len(open) > 0 {
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is being deployed: restore the snapshot once its newest revision has ended.", d.ID)
	}
	items, err := c.ListItems(d.ID)
	if err != nil {
		return fmt.Errorf("read inventory: %w", err)
	}
	keepsData := func(i slipway.Item) bool {
		return (i.Kind == slipway.ItemState || i.Kind == slipway.ItemDatabase) && i.RemovedAt.IsZero()
	}
	if !replace && slices.ContainsFunc(items, keepsData) {
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s has data of its own, which the snapshot would replace for good: say so (replace) if that is wanted.", d.ID)
	}
	return nil
}
