package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// Delete ends a deployment: once it returns nothing new takes effect for its
// id, and its names lead nowhere. What was made for it goes afterwards, by its
// inventory. It may be asked for again, also for more.
func (s *Service) Delete(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, o slipway.DeleteOptions) error {
	err := s.change(ctx, func(c *change) error { return c.remove(who, id, o) })
	return wrap("delete deployment", err)
}

// deleteAtOnce bounds how many deletions of a request share a transaction: what
// serves, and who else writes, comes to its own in between.
const deleteAtOnce = 10

// DeleteMany deletes several. It returns for each id nil or why it is not being
// deleted. On an error some of them may be being deleted, and it can be asked for
// again.
func (s *Service) DeleteMany(ctx context.Context, who slipway.Principal, ids []slipway.DeploymentID) ([]error, error) {
	outcome := make(map[slipway.DeploymentID]error, len(ids))
	for some := range slices.Chunk(ids, deleteAtOnce) {
		if err := s.deleteSome(ctx, who, some, outcome); err != nil {
			return nil, wrap("delete deployments", err)
		}
	}
	refusals := make([]error, len(ids))
	for i, id := range ids {
		refusals[i] = outcome[id]
	}
	return refusals, nil
}

// deleteSome deletes some at once, but for those of which the outcome is known
// already.
func (s *Service) deleteSome(ctx context.Context, who slipway.Principal, ids []slipway.DeploymentID, outcome map[slipway.DeploymentID]error) error {
	turn, err := s.config.Turns.TakeFirst(ctx)
	if err != nil {
		return err
	}
	defer turn.Give()
	ctx = turn.Paced(ctx)
	var found map[slipway.DeploymentID]error
	err = s.change(ctx, func(c *change) error {
		found = map[slipway.DeploymentID]error{}
		for _, id := range ids {
			_, before := outcome[id]
			if _, now := found[id]; before || now {
				continue
			}
			found[id] = c.remove(who, id, slipway.DeleteOptions{})
			if found[id] != nil && slipway.CodeOf(found[id]) == "" {
				return found[id]
			}
		}
		return nil
	})
	maps.Copy(outcome, found)
	return err
}

// ForceDelete is for a deployment that is being deleted, and refused for any
// other (contract §2). For clients it is gone at once; its rows stay as long as
// what they tell of, since nobody would know otherwise what to remove. More may be
// asked for with it, as by Delete.
func (s *Service) ForceDelete(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, o slipway.DeleteOptions) error {
	return wrap("force deletion", s.change(ctx, func(c *change) error {
		d, err := c.owned(who, id)
		if err != nil {
			return err
		}
		if !d.Deleting() {
			return slipway.Errorf(slipway.CodeInvalid, "Deployment ID %s is not being deleted: force is only for one that is.", id)
		}
		if err := slipway.CheckTag(ctx, d); err != nil {
			return err
		}
		if err := c.audit(who, d.Workspace, slipway.AuditForced, string(id)); err != nil {
			return err
		}
		d.Deletion.GoneAt = c.now
		c.changed = append(c.changed, id)
		if err := c.keep(&d); err != nil {
			return err
		}
		return c.deleteMore(&d, who, o)
	}))
}

// remove is delete for one that may be being deleted already, and may be gone.
func (c *change) remove(who slipway.Principal, id slipway.DeploymentID, o slipway.DeleteOptions) error {
	d, err := c.ownedRow(who, id)
	switch {
	case err != nil:
		return err
	case d.Deletion.Gone() && !o.Now:
		return notFound(id)
	case d.Protected:
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is protected from deletion. Set its 'deletion_protection' to false by PATCH /v2/deployments/%s first.", id, id)
	}
	if err := slipway.CheckTag(c.ctx, d); err != nil {
		return err
	}
	if d.Deleting() {
		return c.deleteMore(&d, who, o)
	}
	if err := c.audit(who, d.Workspace, slipway.AuditDeleted, string(id)); err != nil {
		return err
	}
	return c.delete(&d, who, o)
}

// deleteMore is for a deletion that is asked for again.
func (c *change) deleteMore(d *slipway.Deployment, who slipway.Principal, o slipway.DeleteOptions) error {
	if o.TracingProject && !d.DeleteProject {
		if err := c.letGoOfProject(d, true); err != nil {
			return err
		}
		if err := c.keep(d); err != nil {
			return err
		}
	}
	if !o.Now {
		return nil
	}
	return c.purgeFor(who, d)
}

// purgeFor is purge for somebody who asks for it.
func (c *change) purgeFor(who slipway.Principal, d *slipway.Deployment) error {
	if d.Deletion.Purge {
		return nil
	}
	if err := c.audit(who, d.Workspace, slipway.AuditPurged, string(d.ID)); err != nil {
		return err
	}
	return c.purge(d)
}

func (c *change) delete(d *slipway.Deployment, who slipway.Principal, o slipway.DeleteOptions) (err error) {
	if d.Status, err = d.Status.After(slipway.Delete); err != nil {
		return err
	}
	undo := c.service.config.Undo
	d.Deletion = slipway.Deletion{At: c.now, By: cmp.Or(string(who.Key), who.Subject), PurgeAt: c.now, Purge: o.Now || undo <= 0}
	if !d.Deletion.Purge {
		d.Deletion.PurgeAt, d.Deletion.Slug = c.now.Add(undo), d.Slug
	}
	if d.Latest != "" {
		if err := c.endOpen(d.ID); err != nil {
			return err
		}
	}
	if ended, err := d.Running.RestoreCancelled(c.now); err == nil {
		d.Running = ended // an undo is to find the data that there is
	}
	if err := c.letGoOfProject(d, o.TracingProject); err != nil {
		return err
	}
	if err := c.dropKeys(d.ID); err != nil {
		return err
	}
	d.Slug = string(d.ID) // a deployment of the same name may have the public name at once
	return c.advance(d)
}

// dropKeys ends the keys of a deployment's agent.
func (c *change) dropKeys(d slipway.DeploymentID) error {
	n, err := c.DeleteDeploymentKeys(d)
	c.access = c.access || n > 0
	return wrap("delete keys", err)
}

// purge has what is kept aside of a deleted deployment go too.
func (c *change) purge(d *slipway.Deployment) (err error) {
	if d.Status == slipway.Kept {
		if d.Status, err = d.Status.After(slipway.Purge); err != nil {
			return err
		}
	}
	d.Deletion.Purge, d.Deletion.Slug = true, ""
	if d.Deletion.PurgeAt.After(c.now) {
		d.Deletion.PurgeAt = c.now
	}
	return c.advance(d)
}

// advance writes a deployment of which more is to go now than before. One of
// which nothing has been made but rows ends with it: nobody has to be waited
// for.
func (c *change) advance(d *slipway.Deployment) error {
	if err := c.stopServing(d); err != nil {
		return err
	}
	switch d.Status {
	case slipway.AwaitingFinalDelete:
		items, err := c.ListItems(d.ID)
		if err != nil {
			return fmt.Errorf("read inventory: %w", err)
		}
		if d.Latest == "" && !slices.ContainsFunc(items, func(i slipway.Item) bool { return hasSteps(*d, i) }) {
			return c.end(*d, items)
		}
	case slipway.AwaitingDelete:
		if err := c.want(d); err != nil {
			return err
		}
		c.unrouted = append(c.unrouted, *d)
		return nil
	}
	return c.alter(d)
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

// letGoOfProject keeps the tracing project for a deployment that may take the
// name again (contract §3), or hides it: then it goes with the deployment. One
// that belongs to another by now is left alone.
func (c *change) letGoOfProject(d *slipway.Deployment, remove bool) error {
	p, err := c.Project(d.Project)
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return nil
	case err != nil:
		return fmt.Errorf("read tracing project: %w", err)
	case p.Deployment != d.ID && !p.Kept:
		return nil
	}
	p.Deployment, p.Kept, p.Hidden = "", true, false
	if remove {
		p.Deployment, p.Kept, p.Hidden, p.DueAt = d.ID, false, true, time.Time{}
		d.DeleteProject = true
	}
	return wrap("let go of tracing project", c.UpdateProject(p))
}

// stopServing moves on a deployment of which the data plane has nothing left
// that is to go now.
func (c *change) stopServing(d *slipway.Deployment) error {
	if d.Status != slipway.AwaitingDelete {
		return nil
	}
	items, err := c.onDataPlane(*d)
	if err != nil || slices.ContainsFunc(items, func(i slipway.Item) bool { return d.Deletion.Takes(i.Kind) }) {
		return err
	}
	c.dying = true
	if d.Deletion.Purge {
		d.Status, err = d.Status.After(slipway.StopServing)
		return err
	}
	if !d.Deletion.Gone() {
		d.Deletion.GoneAt = c.now
	}
	c.kept = append(c.kept, *d)
	d.Status, err = d.Status.After(slipway.Keep)
	return err
}

// onDataPlane lists what a data plane made for the deployment and is not done
// with: what it has not removed and, of what is to go, what it has not looked
// for again.
func (c *change) onDataPlane(d slipway.Deployment) ([]slipway.Item, error) {
	items, err := c.ListItems(d.ID)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	return slices.DeleteFunc(items, func(i slipway.Item) bool {
		done := !i.RemovedAt.IsZero()
		if d.Deleting() && d.Deletion.Takes(i.Kind) {
			done = i.Settled()
		}
		return done || !i.Kind.OnDataPlane()
	}), nil
}
