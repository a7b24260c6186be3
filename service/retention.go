package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/slipwayhq/slipway"
)

// releasePage is how many deployments are looked at in one transaction.
const releasePage = 100

// release gives up what deployments do not need any more. What lies on a data
// plane is removed there; what is ours, here. It writes only where there is
// something to give up.
func (s *Service) release(ctx context.Context) error {
	var after slipway.DeploymentID
	for {
		var page, due []slipway.Deployment
		err := s.read(ctx, func(c *change) (err error) {
			due = nil
			if page, err = c.DeploymentsAfter(after, releasePage); err != nil {
				return err
			}
			for _, d := range page {
				items, err := c.unneeded(d)
				if err != nil {
					return err
				}
				if len(items) > 0 {
					due = append(due, d)
				}
			}
			return nil
		})
		for _, d := range due {
			err = errors.Join(err, s.releaseOf(ctx, d.ID))
		}
		if err != nil || len(page) < releasePage {
			return wrap("release what is not needed", err)
		}
		after = page[len(page)-1].ID
	}
}

// unneeded lists what a deployment has and does not need, given up or not yet.
func (c *change) unneeded(d slipway.Deployment) ([]slipway.Item, error) {
	if d.Deleting() {
		return nil, nil // all of it goes
	}
	items, err := c.ListItems(d.ID)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	revisions, err := c.Tx.ListRevisions(slipway.RevisionFilter{Deployment: d.ID})
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	p := c.service.config.Retention
	unneeded := p.Released(d, p.Kept(revisions, d.Active, c.now), items, c.now)
	for _, i := range items {
		if i.Kind == slipway.ItemUpload && !i.ReleasedAt.IsZero() && i.RemovedAt.IsZero() {
			unneeded = append(unneeded, i) // a death came between giving it up and removing it
		}
	}
	return unneeded, nil
}

func (s *Service) releaseOf(ctx context.Context, id slipway.DeploymentID) error {
	var uploads []slipway.Upload
	err := s.change(ctx, func(c *change) error {
		uploads = nil
		d, err := c.Deployment(id)
		if err != nil {
			return ignoreGone(err)
		}
		items, err := c.unneeded(d)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, i := range items {
			if err := c.ReleaseItem(d.ID, i.Kind, i.Ref, c.now); err != nil {
				return err
			}
			if i.Kind != slipway.ItemUpload {
				continue
			}
			u, err := c.UploadByObject(d.ID, i.Ref)
			if err != nil {
				return err
			}
			uploads = append(uploads, u)
		}
		return c.want(&d)
	})
	for _, u := range uploads {
		err = errors.Join(err, s.removeUpload(ctx, u))
	}
	return wrap("release what deployment "+string(id)+" does not need", err)
}

func ignoreGone(err error) error {
	if errors.Is(err, slipway.ErrNoRow) {
		return nil
	}
	return err
}

// removeUpload removes the bytes of an upload that was given up, unless another
// upload of the deployment has the same, and says so in the inventory. While
// something is being uploaded, which may be the same, it leaves that to another
// time.
func (s *Service) removeUpload(ctx context.Context, u slipway.Upload) error {
	if !s.receiving.TryLock() {
		return nil
	}
	defer s.receiving.Unlock()
	shared := false
	err := s.read(ctx, func(c *change) error {
		all, err := c.ListUploads(u.Deployment)
		shared = slices.ContainsFunc(all, func(o slipway.Upload) bool { return o.ID != u.ID && o.Digest == u.Digest })
		return err
	})
	if err == nil && u.Digest != "" && !shared {
		err = s.blobs.Delete(ctx, uploadFolder(u.Deployment), u.Digest)
	}
	if err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	s.config.Logger.Info("source removed", slog.String("deployment", string(u.Deployment)), slog.String("upload", u.Object))
	return s.change(ctx, func(c *change) error {
		if err := c.MarkRemoved(u.Deployment, slipway.ItemUpload, u.Object, c.now); err != nil {
			return ignoreGone(err)
		}
		return c.DeleteUpload(u.ID)
	})
}

// redeployable refuses a revision that was never built, or whose artefact has
// been given up.
func (c *change) redeployable(r slipway.Revision) error {
	if r.Builds() {
		return slipway.Errorf(slipway.CodeInvalid, "Revision ID %s was never built and cannot be redeployed. Deploy its source again, or redeploy one that was deployed.", r.ID)
	}
	items, err := c.ListItems(r.Deployment)
	if err != nil {
		return fmt.Errorf("read inventory: %w", err)
	}
	for _, i := range items {
		if (i.Kind == slipway.ItemBundle || i.Kind == slipway.ItemImage) && r.Needs(i) && i.ReleasedAt.IsZero() && i.RemovedAt.IsZero() {
			return nil
		}
	}
	if r.Fetches() {
		return nil // it is fetched when its turn comes
	}
	return slipway.Errorf(slipway.CodeInvalid, "Revision ID %s cannot be redeployed: what it was built to has been removed since. Deploy its source again.", r.ID)
}
