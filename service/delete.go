package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// Delete ends a deployment: once it returns nothing new takes effect for its
// id. What was made for it goes afterwards, by its inventory. It may be asked
// for again.
func (s *Service) Delete(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, tracing bool) error {
	err := s.change(ctx, func(c *change) error { return c.remove(ctx, who, id, tracing) })
	return wrap("delete deployment", err)
}

// DeleteMany deletes several, at once or not at all but for those that it may
// not. It returns for each id nil or why it is not being deleted.
func (s *Service) DeleteMany(ctx context.Context, who slipway.Principal, ids []slipway.DeploymentID) ([]error, error) {
	refusals := make([]error, len(ids))
	err := s.change(ctx, func(c *change) error {
		for i, id := range ids {
			if first := slices.Index(ids, id); first < i {
				refusals[i] = refusals[first]
				continue
			}
			refusals[i] = c.remove(ctx, who, id, false)
			if refusals[i] != nil && slipway.CodeOf(refusals[i]) == "" {
				return refusals[i]
			}
		}
		return nil
	})
	return refusals, wrap("delete deployments", err)
}

// remove is delete for one that may be being deleted already.
func (c *change) remove(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, tracing bool) error {
	d, err := c.owned(who, id)
	if err != nil || d.Deleting() {
		return err
	}
	if err := slipway.CheckTag(ctx, d); err != nil {
		return err
	}
	return c.delete(&d, tracing)
}

// ForceDelete is for a deployment that is being deleted, and refused for any
// other (contract §2). It answers when the rows are gone. They are not dropped
// before what they tell of is: nobody would know then what to remove.
func (s *Service) ForceDelete(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) error {
	limit := time.NewTimer(s.config.ForceFor)
	defer limit.Stop()
	tick := time.NewTicker(time.Second) // another server may be who finishes it
	defer tick.Stop()
	watch := s.board.Watch(id)
	defer watch.Leave()
	for seen := false; ; seen = true {
		changed := watch.Changed()
		err := s.deleting(ctx, who, id)
		if seen && slipway.CodeOf(err) == slipway.CodeNotFound {
			return nil
		}
		if err != nil {
			return wrap("force deletion", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("force deletion: %w", ctx.Err())
		case <-limit.C:
			return slipway.Errorf(slipway.CodeUnavailable, "Deployment ID %s is still being deleted: what was made for it is not gone yet.", id)
		case <-changed:
		case <-tick.C:
		}
	}
}

// deleting refuses a deployment that is not being deleted.
func (s *Service) deleting(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) error {
	return s.read(ctx, func(c *change) error {
		d, err := c.owned(who, id)
		if err == nil && !d.Deleting() {
			err = slipway.Errorf(slipway.CodeInvalid, "Deployment ID %s is not being deleted: force is only for one that is.", id)
		}
		return err
	})
}

func (c *change) delete(d *slipway.Deployment, tracing bool) (err error) {
	if d.Status, err = d.Status.After(slipway.Delete); err != nil {
		return err
	}
	switch made, err := c.remaining(d.ID); {
	case err != nil:
		return err
	case made == 0:
		return c.vanish(d, tracing)
	}
	if d.Latest != "" {
		if err := c.endOpen(d.ID); err != nil {
			return err
		}
	}
	if err := c.letGoOfProject(d, tracing); err != nil {
		return err
	}
	if err := c.DeleteDeploymentKeys(d.ID); err != nil {
		return fmt.Errorf("delete keys: %w", err)
	}
	d.DeleteProject = tracing
	d.Slug = string(d.ID) // a deployment of the same name may have the public name at once
	if err := c.stopServing(d); err != nil {
		return err
	}
	if d.Status == slipway.AwaitingFinalDelete { // nothing is left to be cleared away
		return c.alter(d)
	}
	return c.want(d)
}

// remaining counts what was made for a deployment and has not been removed, but
// for its tracing project.
func (c *change) remaining(d slipway.DeploymentID) (n int, err error) {
	items, err := c.ListItems(d)
	for _, i := range items {
		if i.Kind != slipway.ItemProject && i.RemovedAt.IsZero() {
			n++
		}
	}
	return n, wrap("read inventory", err)
}

// vanish deletes a deployment of which there is nothing but rows: nobody has to
// be waited for.
func (c *change) vanish(d *slipway.Deployment, tracing bool) error {
	if tracing {
		if err := c.DeleteProject(d.Project); err != nil && !errors.Is(err, slipway.ErrNoRow) {
			return fmt.Errorf("delete tracing project: %w", err)
		}
	}
	c.changed, c.vanished = append(c.changed, d.ID), append(c.vanished, *d)
	return c.DeleteDeployment(d.ID)
}

// endOpen ends what is in progress and skips what waits.
func (c *change) endOpen(d slipway.DeploymentID) error {
	open, err := c.OpenRevisions(d)
	if err != nil {
		return fmt.Errorf("read open revisions: %w", err)
	}
	for i := range open {
		event := slipway.Skip
		if open[i].Status.InProgress() {
			event = slipway.Interrupt
		}
		open[i].Message = "The deployment was deleted."
		if err := c.move(&open[i], event); err != nil {
			return err
		}
	}
	return nil
}

// letGoOfProject removes the tracing project, or keeps it for a deployment that
// may take the name again (contract §3).
func (c *change) letGoOfProject(d *slipway.Deployment, remove bool) error {
	p, err := c.ProjectByName(d.Workspace, d.Name)
	switch {
	case errors.Is(err, slipway.ErrNoRow), err == nil && p.ID != d.Project:
		return nil
	case err != nil:
		return fmt.Errorf("read tracing project: %w", err)
	}
	if err := c.MarkRemoved(d.ID, slipway.ItemProject, string(d.Project), c.now); err != nil {
		return fmt.Errorf("release tracing project: %w", err)
	}
	if remove {
		return wrap("delete tracing project", c.DeleteProject(p.ID))
	}
	p.Deployment, p.Kept = "", true
	return wrap("keep tracing project", c.UpdateProject(p))
}

// stopServing moves on a deployment of which the data plane has nothing left.
func (c *change) stopServing(d *slipway.Deployment) error {
	if d.Status != slipway.AwaitingDelete {
		return nil
	}
	items, err := c.onDataPlane(d.ID)
	if err != nil || len(items) > 0 {
		return err
	}
	c.dying = true
	d.Status, err = d.Status.After(slipway.StopServing)
	return err
}

// onDataPlane lists what a data plane made for the deployment and has not
// removed.
func (c *change) onDataPlane(d slipway.DeploymentID) ([]slipway.Item, error) {
	items, err := c.ListItems(d)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	var there []slipway.Item
	for _, i := range items {
		if i.Kind.OnDataPlane() && i.RemovedAt.IsZero() {
			there = append(there, i)
		}
	}
	return there, nil
}

// finish removes what the control plane itself keeps of deployments that
// nothing runs of any more: their bytes first, then the rows that tell of them.
// One that somebody else has finished is no error.
func (s *Service) finish(ctx context.Context, ids ...slipway.DeploymentID) error {
	for _, id := range ids {
		if err := s.blobs.DeleteAll(ctx, uploadFolder(id)); err != nil {
			return fmt.Errorf("delete uploads of %s: %w", id, err)
		}
		if err := s.images.Remove(ctx, id); err != nil {
			return fmt.Errorf("delete images: %w", err)
		}
	}
	return s.change(ctx, func(c *change) error {
		for _, id := range ids {
			c.changed = append(c.changed, id)
			if err := c.DeleteDeployment(id); err != nil && !errors.Is(err, slipway.ErrNoRow) {
				return fmt.Errorf("delete deployment: %w", err)
			}
		}
		return nil
	})
}
