package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// DeletionPlan says what a DELETE of the caller's deployment would do now.
func (s *Service) DeletionPlan(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.DeletionPlan, error) {
	plan := slipway.DeletionPlan{KeptFor: s.config.Undo}
	err := s.read(ctx, func(c *change) error {
		d, err := c.owned(who, id)
		if err != nil {
			return err
		}
		items, err := c.ListItems(id)
		if err != nil {
			return fmt.Errorf("read inventory: %w", err)
		}
		items = slices.DeleteFunc(items, func(i slipway.Item) bool { return !i.RemovedAt.IsZero() })
		for n, i := range items {
			if items[n].Shared, err = c.shared(i); err != nil {
				return err
			}
		}
		plan.Deployment = d
		plan.Remove, plan.Keep, err = c.parted(d, items)
		plan.Snapshot = s.config.Snapshots && slices.ContainsFunc(plan.Remove, func(i slipway.Item) bool {
			return i.Kind == slipway.ItemState || i.Kind == slipway.ItemDatabase
		})
		return err
	})
	return plan, wrap("plan deletion", err)
}

// shared says whether others have an item too.
func (c *change) shared(i slipway.Item) (bool, error) {
	if i.Kind != slipway.ItemBundle && i.Kind != slipway.ItemImage {
		return false, nil
	}
	owners, err := c.ItemOwners(i.Kind, i.Ref)
	return owners > 1, wrap("count owners", err)
}

// parted divides items into what goes with a deployment and what it leaves.
func (c *change) parted(d slipway.Deployment, items []slipway.Item) (remove []slipway.Item, keep []slipway.KeptItem, err error) {
	remove, keep = d.Part(items)
	vars, _, err := c.sealed(d.Secrets)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range vars {
		if slipway.NamesDatabase(v.Name) {
			keep = append(keep, slipway.KeptItem{Kind: slipway.ItemDatabase, Ref: v.Name, Since: d.CreatedAt, Why: "it was supplied by you, and is never touched"})
		}
	}
	return remove, keep, nil
}

// DeletionReceipt tells how the deletion of a deployment of the caller's
// workspace stands, or what became of everything.
func (s *Service) DeletionReceipt(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (r slipway.DeletionReceipt, err error) {
	err = s.read(ctx, func(c *change) error {
		r, err = c.deletionReceipt(id)
		if err == nil && r.Workspace == who.Workspace && !r.At.IsZero() {
			return nil
		}
		if err == nil || errors.Is(err, slipway.ErrNoRow) {
			err = slipway.Errorf(slipway.CodeNotFound, "Deletion of deployment ID %s not found.", id)
		}
		r = slipway.DeletionReceipt{}
		return err
	})
	return r, wrap("read receipt of deletion", err)
}

func (c *change) deletionReceipt(id slipway.DeploymentID) (slipway.DeletionReceipt, error) {
	d, err := c.Deployment(id)
	if errors.Is(err, slipway.ErrNoRow) {
		return c.Tx.DeletionReceipt(id)
	}
	if err != nil {
		return slipway.DeletionReceipt{}, err
	}
	return c.receiptOf(d)
}

// receiptOf is the receipt of a deletion as it stands.
func (c *change) receiptOf(d slipway.Deployment) (slipway.DeletionReceipt, error) {
	items, err := c.ListItems(d.ID)
	if err != nil {
		return slipway.DeletionReceipt{}, fmt.Errorf("read inventory: %w", err)
	}
	return c.receiptOver(d, items)
}

func (c *change) receiptOver(d slipway.Deployment, items []slipway.Item) (r slipway.DeletionReceipt, err error) {
	r = d.Receipt()
	if r.ByName, err = c.keyName(r.By); err != nil {
		return r, err
	}
	r.Items, r.Keep, err = c.parted(d, items)
	return r, err
}

// keyName is the name of a key, "" if there is none of the id.
func (c *change) keyName(id string) (string, error) {
	k, err := c.Key(slipway.KeyID(id))
	if errors.Is(err, slipway.ErrNoRow) {
		return "", nil
	}
	return k.Name, wrap("read key", err)
}

// DeletionReceipts lists the receipts of deployments of the caller's workspace
// that had a name, any if it is "", and of which nothing is left, the last first.
func (s *Service) DeletionReceipts(ctx context.Context, who slipway.Principal, name string, limit, offset int) (list []slipway.DeletionReceipt, err error) {
	err = s.read(ctx, func(c *change) (err error) {
		list, err = c.Tx.DeletionReceipts(who.Workspace, name, limit, offset)
		return err
	})
	return list, wrap("list receipts of deletions", err)
}

// sweepDeletions removes receipts of deletions that were kept long enough. Where
// there is none it writes nothing.
func (s *Service) sweepDeletions(ctx context.Context) error {
	if s.config.KeepReceipts < 0 {
		return nil
	}
	before := s.now().Add(-s.config.KeepReceipts)
	var oldest time.Time
	err := s.read(ctx, func(c *change) (err error) {
		oldest, err = c.OldestDeletionReceipt()
		return err
	})
	if errors.Is(err, slipway.ErrNoRow) || err == nil && !oldest.Before(before) {
		return nil
	}
	for n := sweepBatch; err == nil && n == sweepBatch; {
		err = s.store.Update(ctx, func(tx slipway.Tx) (err error) {
			n, err = tx.DeleteDeletionReceipts(before, sweepBatch)
			return err
		})
	}
	return wrap("sweep receipts of deletions", err)
}
