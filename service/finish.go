package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/backoff"
)

// finishAtOnce bounds how many deletions share a transaction, and so how long
// other writers wait for it.
const finishAtOnce = 4

// dropAtOnce is how many lines of a log go in one transaction.
const dropAtOnce = 2000

// besideAfter is how long a data plane is waited for with what is left on this
// side: most are done long before, and then all ends together. Whom that has been
// too long for is asked besideEvery at the latest, and besideLeast at the earliest.
const (
	besideAfter = 20 * time.Second
	besideEvery = 10 * time.Second
	besideLeast = time.Second
)

var clearBackoff = backoff.Exponential{First: time.Second, Most: 5 * time.Minute}

// purgeOverdue has what was kept aside long enough go. What fails for one is in no
// other's way.
func (s *Service) purgeOverdue(ctx context.Context) error {
	var due []slipway.Deployment
	err := s.read(ctx, func(c *change) (err error) {
		due, err = c.DeploymentsToPurge(c.now, 0)
		return err
	})
	for some := range slices.Chunk(due, finishAtOnce) {
		err = errors.Join(err, s.purgeSome(ctx, some))
	}
	return wrap("purge what was kept aside", err)
}

// purgeSome purges some together and, where that fails, each by itself.
func (s *Service) purgeSome(ctx context.Context, due []slipway.Deployment) error {
	err := s.change(ctx, func(c *change) error {
		for _, d := range due {
			if err := c.purgeDue(d.ID); err != nil {
				return fmt.Errorf("%s: %w", d.ID, err)
			}
		}
		return nil
	})
	if err == nil || len(due) == 1 {
		return err
	}
	err = nil
	for _, d := range due {
		err = errors.Join(err, s.purgeSome(ctx, []slipway.Deployment{d}))
	}
	return err
}

func (c *change) purgeDue(id slipway.DeploymentID) error {
	d, err := c.Deployment(id)
	if err != nil || !d.Deleting() || d.Deletion.Purge || d.Deletion.PurgeAt.After(c.now) {
		return ignoreGone(err) // somebody else was faster
	}
	return c.purge(&d)
}

// finishDeletions removes what the control plane itself has of deployments of
// which a data plane has nothing left, and says when to try again what did not
// succeed, zero for never. What fails for one is in no other's way.
func (s *Service) finishDeletions(ctx context.Context) (again time.Time, err error) {
	var dying []slipway.Deployment
	err = s.read(ctx, func(c *change) (err error) {
		dying, err = c.DeploymentsInStatus(slipway.AwaitingFinalDelete, 0)
		return err
	})
	again, failed := s.finishEach(ctx, dying)
	return again, wrap("finish deletions", errors.Join(err, failed))
}

// finishBeside does the same for deployments of which a data plane can not remove
// something, or takes long to: nothing that this side has is needed for it.
func (s *Service) finishBeside(ctx context.Context) (again time.Time, err error) {
	var slow []slipway.Deployment
	next := time.Time{}
	err = s.read(ctx, func(c *change) (err error) {
		slow, next, err = c.slow()
		return err
	})
	again, failed := s.finishEach(ctx, slow)
	return sooner(again, next), wrap("finish deletions beside a data plane", errors.Join(err, failed))
}

// slow lists the deployments that are to go for good, that a data plane has been at
// work on for a while, and of which this side has something; and says when others
// will have been.
func (c *change) slow() (slow []slipway.Deployment, next time.Time, err error) {
	stopping, err := c.DeploymentsInStatus(slipway.AwaitingDelete, 0)
	if err != nil {
		return nil, next, err
	}
	for _, d := range stopping {
		if !d.Deletion.Purge {
			continue
		}
		at, err := c.nextStep(d)
		switch {
		case err != nil:
			return nil, next, err
		case at.After(c.now):
			next = sooner(next, at)
		case !at.IsZero():
			slow = append(slow, d)
		}
	}
	return slow, next, nil
}

// nextStep is when a deployment that a data plane is at work on has a step of this
// side that is due, zero for never.
func (c *change) nextStep(d slipway.Deployment) (at time.Time, err error) {
	if since := d.Deletion.PurgeAt.Add(besideAfter); since.After(c.now) {
		return since, nil
	}
	items, err := c.ListItems(d.ID)
	for _, i := range items {
		if hasSteps(d, i) && (at.IsZero() || i.RetryAt.Before(at)) {
			at = cmp.Or(i.RetryAt, d.Deletion.PurgeAt)
		}
	}
	return at, wrap("read inventory", err)
}

func (s *Service) finishEach(ctx context.Context, dying []slipway.Deployment) (again time.Time, err error) {
	for some := range slices.Chunk(dying, finishAtOnce) {
		retry, failed := s.finishSome(ctx, some)
		again, err = sooner(again, retry), errors.Join(err, failed)
	}
	return again, err
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// finishSome takes the steps of some deletions, and then writes how they went
// together. Where writing fails it tries each by itself.
func (s *Service) finishSome(ctx context.Context, dying []slipway.Deployment) (again time.Time, err error) {
	turn, err := s.config.Turns.TakeFirst(ctx) // the coordinator has more to do than this
	if err != nil {
		return time.Time{}, err
	}
	again, err = s.finishTogether(turn.Paced(ctx), dying)
	turn.Give()
	if err == nil || len(dying) == 1 {
		return again, err
	}
	again, err = time.Time{}, nil
	for _, d := range dying {
		retry, failed := s.finishSome(ctx, []slipway.Deployment{d})
		again, err = sooner(again, retry), errors.Join(err, failed)
	}
	return again, err
}

func (s *Service) finishTogether(ctx context.Context, dying []slipway.Deployment) (again time.Time, err error) {
	steps, long, err := s.stepsOf(ctx, dying)
	for _, d := range long {
		err = errors.Join(err, s.dropLogs(ctx, d))
	}
	if err != nil {
		return time.Time{}, err
	}
	for i := range steps {
		steps[i].more, steps[i].err = s.clear(ctx, steps[i].Item)
	}
	err = s.change(ctx, func(c *change) error {
		again = time.Time{}
		for _, d := range dying {
			retry, err := c.finish(d.ID, steps, slices.Contains(long, d.ID))
			if err != nil {
				return err
			}
			again = sooner(again, retry)
		}
		return nil
	})
	return again, wrap("finish deletion of "+string(dying[0].ID), err)
}

// clearing is a step of a deletion, and how it went.
type clearing struct {
	slipway.Item
	more bool // it went well, and the next one is due at once
	err  error
}

// clears says whether an item goes with the step: what there is of a kind goes by
// one call, but for certificates of several names.
func (s clearing) clears(i slipway.Item) bool {
	return s.Deployment == i.Deployment && s.Kind == i.Kind && (s.Kind != slipway.ItemCertificate || s.Ref == i.Ref)
}

// hasSteps says whether an item of the control plane's is removed by steps of
// its own; the rest goes with the rows.
func hasSteps(d slipway.Deployment, i slipway.Item) bool {
	switch i.Kind {
	case slipway.ItemUpload, slipway.ItemRepository, slipway.ItemCertificate:
		return !i.Settled()
	case slipway.ItemProject:
		return !i.Settled() && d.DeleteProject && i.Ref == string(d.Project)
	}
	return false
}

// stepsOf lists the steps that are due, and those whose logs are long.
func (s *Service) stepsOf(ctx context.Context, dying []slipway.Deployment) (steps []clearing, long []slipway.DeploymentID, err error) {
	err = s.read(ctx, func(c *change) error {
		steps, long = nil, nil
		for _, d := range dying {
			if n, err := c.CountLogs(d.ID, dropAtOnce+1); err != nil {
				return fmt.Errorf("count log lines: %w", err)
			} else if n > dropAtOnce {
				long = append(long, d.ID)
			}
			items, err := c.ListItems(d.ID)
			if err != nil {
				return fmt.Errorf("read inventory: %w", err)
			}
			for _, i := range items {
				if hasSteps(d, i) && !i.RetryAt.After(c.now) && !slices.ContainsFunc(steps, func(s clearing) bool { return s.clears(i) }) {
					steps = append(steps, clearing{Item: i})
				}
			}
		}
		return nil
	})
	return steps, long, wrap("look for what is left to remove", err)
}

// clear removes what the control plane has of a kind, and looks again. Of what
// can be very much it removes some, and says that there is more.
func (s *Service) clear(ctx context.Context, i slipway.Item) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.ClearLimit) // deadlines and other deletions wait meanwhile
	defer cancel()
	switch i.Kind {
	case slipway.ItemUpload:
		return false, s.clearUploads(ctx, i.Deployment)
	case slipway.ItemRepository:
		return false, s.clearImages(ctx, i.Deployment)
	case slipway.ItemCertificate:
		return false, s.clearCertificate(ctx, i)
	case slipway.ItemProject:
		return s.clearRuns(ctx, slipway.ProjectID(i.Ref))
	}
	return false, fmt.Errorf("%s is nothing that is removed by itself", i.Kind)
}

func (s *Service) clearUploads(ctx context.Context, d slipway.DeploymentID) error {
	if err := s.blobs.DeleteAll(ctx, uploadFolder(d)); err != nil {
		return err
	}
	left, err := s.blobs.List(ctx, uploadFolder(d))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s is there still", left[0])
	}
	return err
}

func (s *Service) clearImages(ctx context.Context, d slipway.DeploymentID) error {
	if err := s.images.Remove(ctx, d); err != nil {
		return err
	}
	left, err := s.images.Remains(ctx, d)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s is there still", left[0].What)
	}
	return err
}

// dropLogs removes some of a long log, in a transaction that keeps nobody waiting.
// What is left when it is not long any more goes with the deployment's rows.
func (s *Service) dropLogs(ctx context.Context, d slipway.DeploymentID) error {
	return wrap("drop logs", s.store.Update(ctx, func(tx slipway.Tx) error {
		_, err := tx.DropLogs(d, dropAtOnce)
		return err
	}))
}

// finish writes how the steps of a deletion went and, when nothing is left and its
// log is not long any more, ends it. It says when to go on, or to try again what did
// not succeed.
func (c *change) finish(id slipway.DeploymentID, steps []clearing, long bool) (again time.Time, err error) {
	d, err := c.Deployment(id)
	if err != nil || !d.Deletion.Purge || d.Status == slipway.Kept {
		return time.Time{}, ignoreGone(err) // somebody else was faster
	}
	items, err := c.ListItems(id)
	if err != nil {
		return time.Time{}, fmt.Errorf("read inventory: %w", err)
	}
	if long {
		again = c.now
	}
	var gone []slipway.Item
	for n, i := range items {
		if !hasSteps(d, i) {
			continue
		}
		retry, err := c.cleared(i, steps)
		if err != nil {
			return time.Time{}, err
		}
		if retry.IsZero() {
			items[n] = i.Gone(c.now)
			gone = append(gone, items[n])
		}
		again = sooner(again, retry)
	}
	if !again.IsZero() || d.Status != slipway.AwaitingFinalDelete {
		return again, c.markGone(gone)
	}
	return time.Time{}, c.end(d, items)
}

// markGone writes that items were removed and looked for.
func (c *change) markGone(items []slipway.Item) error {
	for _, i := range items {
		if err := c.MarkRemoved(i.Deployment, i.Kind, i.Ref, c.now); err != nil {
			return err
		}
		if err := c.MarkVerified(i.Deployment, i.Kind, i.Ref, c.now); err != nil {
			return err
		}
	}
	return nil
}

// cleared says how the step of an item went: zero that it is gone, else when to try
// again. What went wrong is written down.
func (c *change) cleared(i slipway.Item, steps []clearing) (again time.Time, err error) {
	n := slices.IndexFunc(steps, func(s clearing) bool { return s.clears(i) })
	switch {
	case n < 0:
		if i.RetryAt.After(c.now) {
			return i.RetryAt, nil
		}
		return c.now, nil // it was asked for, or came due, after the look
	case steps[n].more:
		return c.now, nil
	case steps[n].err == nil:
		return time.Time{}, nil
	}
	again = c.now.Add(clearBackoff.After(i.Attempts + 1))
	reason := fmt.Sprintf("remove %s: %v", i.Kind, steps[n].err)
	if reason != i.LastError {
		c.stuck = append(c.stuck, steps[n]) // else it was said
	}
	return again, c.MarkStuck(i.Deployment, i.Kind, i.Ref, reason, again)
}

// end deletes the rows of a deployment of which nothing else is left, looks
// again, and leaves the receipt: what was in its inventory, which goes with the rows.
func (c *change) end(d slipway.Deployment, items []slipway.Item) error {
	r, err := c.receiptOver(d, items)
	if err != nil {
		return err
	}
	if d.DeleteProject {
		if err := c.DeleteProject(d.Project); err != nil && !errors.Is(err, slipway.ErrNoRow) {
			return fmt.Errorf("delete tracing project: %w", err)
		}
	}
	if err := c.DeleteDeployment(d.ID); err != nil {
		return fmt.Errorf("delete deployment: %w", err)
	}
	if n, err := c.RowsOf(d.ID); err != nil || n > 0 {
		return fmt.Errorf("%d rows of deployment %s are still there: %w", n, d.ID, err)
	}
	c.changed, c.vanished = append(c.changed, d.ID), append(c.vanished, d)
	return wrap("write receipt of deletion", c.InsertDeletionReceipt(r.Done(c.now)))
}
