package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// ListDeleted lists the deployments of the caller's workspace that were deleted
// and of which something is left, those deleted last first. They come without
// their items.
func (s *Service) ListDeleted(ctx context.Context, who slipway.Principal, limit, offset int) ([]slipway.DeletionReceipt, error) {
	var list []slipway.DeletionReceipt
	err := s.read(ctx, func(c *change) error {
		found, err := c.DeletedDeployments(who.Workspace, limit, offset)
		list = make([]slipway.DeletionReceipt, len(found))
		names := map[string]string{}
		for i, d := range found {
			list[i] = d.Receipt()
			if _, known := names[d.Deletion.By]; !known && err == nil {
				names[d.Deletion.By], err = c.keyName(d.Deletion.By)
			}
			list[i].ByName = names[d.Deletion.By]
		}
		return err
	})
	return list, wrap("list deleted deployments", err)
}

// Restore brings back what was kept aside of a deleted deployment: it runs the
// revision that it ran last, under its name or another, and under its public
// name if that is free.
func (s *Service) Restore(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, name string) (slipway.DeploymentView, error) {
	if name != "" {
		if err := slipway.CheckName(name); err != nil {
			return slipway.DeploymentView{}, err
		}
	}
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.ownedRow(who, id)
		if err != nil {
			return "", err
		}
		if err := restorable(d); err != nil {
			return "", err
		}
		if err := c.bringBack(&d, cmp.Or(name, d.Name)); err != nil {
			return "", err
		}
		if err := c.audit(who, d.Workspace, slipway.AuditRestored, string(id)); err != nil {
			return "", err
		}
		view, err = c.view(d.ID)
		return string(id), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("restore deployment", err))
}

func restorable(d slipway.Deployment) error {
	switch {
	case !d.Deleting():
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is not deleted: there is nothing to restore.", d.ID)
	case d.Deletion.Purge:
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is being removed for good and can not be restored any more.", d.ID)
	case d.Status != slipway.Kept:
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s is being stopped. It can be restored as soon as GET /v1/deleted-deployments shows it as kept.", d.ID)
	}
	return nil
}

// bringBack undoes a deletion.
func (c *change) bringBack(d *slipway.Deployment, name string) (err error) {
	if d.Status, err = d.Status.After(slipway.Restore); err != nil {
		return err
	}
	if err := c.takeProject(d, name); err != nil {
		return err
	}
	if d.Slug, err = c.regainSlug(*d, name); err != nil {
		return err
	}
	d.Name, d.DeleteProject, d.Deletion = name, false, slipway.Deletion{}
	d.Running.Asleep = false // it shows that it runs, and sleeps again by itself
	d.Health = slipway.Health{}
	return c.want(d)
}

// takeProject gives a deployment that is restored its tracing project again,
// hidden or kept, under its name; or that which a new deployment would get, if
// its own has gone to another or is being removed by itself.
func (c *change) takeProject(d *slipway.Deployment, name string) error {
	own, err := c.Project(d.Project)
	switch {
	case err != nil && !errors.Is(err, slipway.ErrNoRow):
		return fmt.Errorf("read tracing project: %w", err)
	case err == nil && (own.Kept || own.Hidden && own.Deployment == d.ID):
		return c.takeBack(d, own, name)
	}
	p, made, err := c.freeProject(d.Workspace, name)
	switch {
	case slipway.CodeOf(err) == slipway.CodeConflict:
		return inUse(p)
	case err != nil:
		return err
	}
	if err := c.ReleaseItem(d.ID, slipway.ItemProject, string(d.Project), c.now); err != nil && !errors.Is(err, slipway.ErrNoRow) {
		return fmt.Errorf("release tracing project: %w", err)
	}
	d.Project = p.ID
	return c.attachProject(d.ID, p, made)
}

// takeBack attaches a deployment's own project under a name, unless that is
// another's.
func (c *change) takeBack(d *slipway.Deployment, own slipway.TracingProject, name string) error {
	switch other, err := c.ProjectByName(d.Workspace, name); {
	case err != nil && !errors.Is(err, slipway.ErrNoRow):
		return fmt.Errorf("look up tracing project: %w", err)
	case err == nil && other.ID != own.ID:
		return inUse(other)
	}
	own.Name, own.Hidden = name, false
	return c.attachProject(d.ID, own, true)
}

// inUse says by what a name is taken that a deployment is to be restored under, as
// the contract does (§3), and what can be done.
func inUse(p slipway.TracingProject) error {
	if p.Deployment == "" || p.Kept {
		return slipway.Errorf(slipway.CodeConflict, "%v No deployment has it. Restore this one under another name ('name', or slipway restore --name), or delete that project first by DELETE /api/v1/sessions/%s.", nameTaken(p.Name), p.ID)
	}
	return slipway.Errorf(slipway.CodeConflict, "%v It is another deployment's. Restore this one under another name ('name', or slipway restore --name).", nameTaken(p.Name))
}

// regainSlug returns the public name that a deployment had, or one like a new
// deployment's if somebody has that by now.
func (c *change) regainSlug(d slipway.Deployment, name string) (string, error) {
	if slug := d.Deletion.Slug; slug != "" {
		if free, err := c.slugIsFree(d.Workspace, slug); free || err != nil {
			return slug, err
		}
	}
	return c.freeSlug(d.Workspace, name, d.ID)
}

// Purge has what is kept aside of a deleted deployment go before its time.
func (s *Service) Purge(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) error {
	return wrap("purge deployment", s.change(ctx, func(c *change) error {
		d, err := c.ownedRow(who, id)
		switch {
		case err != nil:
			return err
		case !d.Deleting():
			return slipway.Errorf(slipway.CodeNotFound, "Deployment ID %s not found among the deleted ones.", id)
		}
		return c.purgeFor(who, &d)
	}))
}
