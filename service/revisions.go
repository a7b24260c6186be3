package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// GetRevision returns one revision of the caller's deployment.
func (s *Service) GetRevision(ctx context.Context, who slipway.Principal, d slipway.DeploymentID, r slipway.RevisionID) (slipway.RevisionView, error) {
	var view slipway.RevisionView
	err := s.read(ctx, func(c *change) error { return showRevision(who, d, &view)(c, string(r)) })
	return view, wrap("get revision", err)
}

// showRevision reads a revision of the caller's deployment by its id.
func showRevision(who slipway.Principal, d slipway.DeploymentID, view *slipway.RevisionView) func(*change, string) error {
	return func(c *change, id string) error {
		found, err := c.ownedRevision(who, d, slipway.RevisionID(id))
		if err != nil {
			return err
		}
		*view, err = c.revisionView(found)
		return err
	}
}

// Revise is a Patch that makes a revision in any case, and returns that.
func (s *Service) Revise(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, ch slipway.Change) (slipway.RevisionView, error) {
	ch.AlwaysRevise = true
	if err := checkChange(ch); err != nil {
		return slipway.RevisionView{}, err
	}
	if err := s.pin(ctx, who, id, &ch); err != nil {
		return slipway.RevisionView{}, wrap("pin image", err)
	}
	var view slipway.RevisionView
	show := showRevision(who, id, &view)
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		if err := c.apply(who, &d, ch); err != nil {
			return "", err
		}
		return string(d.Latest), show(c, string(d.Latest))
	}, show)
	return view, wrap("make revision", err)
}

// ListRevisions returns revisions of the caller's deployment, newest first.
func (s *Service) ListRevisions(ctx context.Context, who slipway.Principal, f slipway.RevisionFilter) ([]slipway.RevisionView, error) {
	var views []slipway.RevisionView
	err := s.read(ctx, func(c *change) error {
		if _, err := c.owned(who, f.Deployment); err != nil {
			return err
		}
		found, err := c.Tx.ListRevisions(f)
		if err != nil {
			return err
		}
		views = make([]slipway.RevisionView, len(found))
		for i, r := range found {
			if views[i], err = c.revisionView(r); err != nil {
				return err
			}
		}
		return nil
	})
	return views, wrap("list revisions", err)
}

func (c *change) revisionView(r slipway.Revision) (slipway.RevisionView, error) {
	history, err := c.History(r.ID)
	return slipway.RevisionView{Revision: r, History: history}, wrap("read history", err)
}

func (c *change) ownedRevision(who slipway.Principal, d slipway.DeploymentID, r slipway.RevisionID) (slipway.Revision, error) {
	if _, err := c.owned(who, d); err != nil {
		return slipway.Revision{}, err
	}
	found, err := c.Revision(d, r)
	if errors.Is(err, slipway.ErrNoRow) {
		return found, slipway.Errorf(slipway.CodeNotFound, "Revision ID %s not found.", r)
	}
	return found, err
}

// insertRevision makes the newest revision of a deployment from its current
// configuration and, if nothing else is in progress, begins it.
func (c *change) insertRevision(d *slipway.Deployment, source slipway.Source) (slipway.Revision, error) {
	return c.insert(d, slipway.Revision{Source: source, Config: d.RevisionConfig, Secrets: d.Secrets})
}

// insert completes a revision and puts it in the queue.
func (c *change) insert(d *slipway.Deployment, r slipway.Revision) (slipway.Revision, error) {
	number, err := c.nextNumber(d.ID)
	if err != nil {
		return r, err
	}
	r.ID, r.Deployment, r.Number = slipway.NewID[slipway.RevisionID](c.now), d.ID, number
	r.Status, r.CreatedAt, r.UpdatedAt = slipway.Creating, c.now, c.now
	if err := c.InsertRevision(r); err != nil {
		return r, fmt.Errorf("insert revision: %w", err)
	}
	if r, err = c.Revision(d.ID, r.ID); err != nil {
		return r, fmt.Errorf("read new revision: %w", err)
	}
	if err := c.move(&r, slipway.Enqueue); err != nil {
		return r, err
	}
	d.Latest = r.ID
	if err := c.takeTurn(d.ID); err != nil {
		return r, err
	}
	return r, c.want(d)
}

func (c *change) nextNumber(d slipway.DeploymentID) (int64, error) {
	newest, err := c.Tx.ListRevisions(slipway.RevisionFilter{Deployment: d, Limit: 1})
	if err != nil || len(newest) == 0 {
		return 1, wrap("read newest revision", err)
	}
	return newest[0].Number + 1, nil
}

// move applies an event to a revision and writes it.
func (c *change) move(r *slipway.Revision, e slipway.RevisionEvent) error {
	was := r.Status
	to, err := was.After(e)
	if err != nil {
		return err
	}
	took := c.now.Sub(r.UpdatedAt)
	r.Status, r.UpdatedAt = to, c.now
	c.moved = append(c.moved, moved{*r, was, took})
	if to.Ended() {
		r.Deadline = r.UpdatedAt
		c.ended = append(c.ended, *r)
	}
	return wrap("write revision", c.UpdateRevision(r, was))
}

// takeTurn lets the newest waiting revision begin, and skips the others, unless
// one is in progress (contract §4).
func (c *change) takeTurn(d slipway.DeploymentID) error {
	open, err := c.OpenRevisions(d)
	if err != nil {
		return fmt.Errorf("read open revisions: %w", err)
	}
	if slices.ContainsFunc(open, func(r slipway.Revision) bool { return r.Status.InProgress() }) {
		return nil
	}
	begin, skip := slipway.Turn(open)
	for i := range open {
		switch r := &open[i]; {
		case r.ID == begin:
			err = c.begin(r)
		case slices.Contains(skip, r.ID):
			err = c.move(r, slipway.Skip)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts the clock of a revision. One that has an artefact, or is an
// image, has nothing to build.
func (c *change) begin(r *slipway.Revision) error {
	if !r.Builds() {
		r.Deadline = c.now.Add(c.service.config.ImageLimit)
		return c.move(r, slipway.BeginDeploy)
	}
	r.Deadline = c.now.Add(c.service.config.BuildLimit)
	return c.move(r, slipway.BeginBuild)
}

// Interrupt cancels a revision in progress or in the queue (contract §2).
func (s *Service) Interrupt(ctx context.Context, who slipway.Principal, d slipway.DeploymentID, r slipway.RevisionID) error {
	err := s.once(ctx, who, func(c *change) (string, error) {
		deployment, err := c.live(who, d)
		if err != nil {
			return "", err
		}
		found, err := c.ownedRevision(who, d, r)
		if err != nil {
			return "", err
		}
		if found.Status.Ended() {
			return "", slipway.Errorf(slipway.CodeInvalid, "Revision ID %s cannot be interrupted in status %s.", r, found.Status)
		}
		found.Message = "Cancelled by request."
		if err := c.move(&found, slipway.Interrupt); err != nil {
			return "", err
		}
		if err := c.takeTurn(d); err != nil {
			return "", err
		}
		return string(r), c.want(&deployment)
	}, nothing)
	return wrap("interrupt revision", err)
}

// Redeploy adds a revision that copies an earlier one: artefact, configuration
// and variables, without a build (contract §4).
func (s *Service) Redeploy(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, r slipway.RevisionID) (slipway.DeploymentView, error) {
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		old, err := c.ownedRevision(who, id, r)
		if err != nil {
			return "", err
		}
		if err := c.redeployable(old); err != nil {
			return "", err
		}
		if _, err := c.copyOf(&d, old, slipway.Revision{}); err != nil {
			return "", err
		}
		view, err = c.view(d.ID)
		return string(id), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("redeploy revision", err))
}

// copyOf makes a revision of an earlier one's artefact, configuration and
// variables; what else there is to say of it is given.
func (c *change) copyOf(d *slipway.Deployment, old, copied slipway.Revision) (slipway.Revision, error) {
	if err := c.restore(d, old); err != nil {
		return copied, err
	}
	copied.Source, copied.Config, copied.Secrets, copied.Artefact = old.Source, d.RevisionConfig, d.Secrets, old.Artefact
	return c.insert(d, copied)
}

// restore makes what an earlier revision was made from the deployment's own
// again, so that what is shown is what runs and the next update starts there.
func (c *change) restore(d *slipway.Deployment, r slipway.Revision) error {
	d.RevisionConfig = r.Config
	d.Config.InstallCommand, d.Config.BuildCommand, d.Config.Resources = r.Config.InstallCommand, r.Config.BuildCommand, r.Config.Resources
	d.Config.AgentServer = r.Config.AgentServer
	now, err := c.variables(d.Secrets)
	if err != nil {
		return err
	}
	then, err := c.variables(r.Secrets)
	if err != nil {
		return err
	}
	d.Secrets = r.Secrets
	kept := slipway.KeepDatabases(now, then)
	if slices.Equal(kept, then) {
		return nil
	}
	_, refs, err := c.sealed(r.Secrets)
	if err != nil {
		return err
	}
	return c.replaceSecrets(d, kept, refs)
}
