package service

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/slipwayhq/slipway"
)

var _ slipway.Sync = (*Service)(nil)

// longPoll bounds how long Claim waits without looking at the rows again, where
// nobody else writes them.
const longPoll = time.Minute

// poll is how long Claim waits at most: what another server writes rings no bell here.
func (s *Service) poll() time.Duration { return cmp.Or(s.config.FollowEvery, longPoll) }

// Attach ends the leases that a data plane held in a former life.
func (s *Service) Attach(ctx context.Context, owner string) error {
	return wrap("attach data plane", s.store.Update(ctx, func(tx slipway.Tx) error {
		return tx.EndLeases(owner, s.now())
	}))
}

// due is what is claimed by itself: how it is found and taken, and what tells
// that there may be some.
type due struct {
	bell   *bell
	next   func(slipway.Tx) (time.Time, error)
	take   func(tx slipway.Tx, owner string, now, until time.Time, limit int) ([]slipway.Lease, error)
	inTurn bool // nobody waits for it: it is taken in turn with other such work
}

// Claim implements slipway.Sync.
func (s *Service) Claim(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	claims, err := s.claim(ctx, due{&s.board.any, slipway.Tx.NextDue, slipway.Tx.TakeDue, false}, owner, limit)
	return claims, wrap("claim work", err)
}

// ClaimDeletions implements slipway.Sync.
func (s *Service) ClaimDeletions(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	claims, err := s.claim(ctx, due{&s.board.deletions, slipway.Tx.NextDueDeletion, slipway.Tx.TakeDueDeletions, true}, owner, limit)
	return claims, wrap("claim deletions", err)
}

func (s *Service) claim(ctx context.Context, what due, owner string, limit int) ([]slipway.Claim, error) {
	for {
		rung := what.bell.wait()
		claims, wait, err := s.claimDue(ctx, what, owner, limit)
		if err != nil || len(claims) > 0 {
			return claims, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-rung:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// claimDue takes what is due now; if nothing is, it says how long to wait. It
// writes only if there is something to take.
func (s *Service) claimDue(ctx context.Context, what due, owner string, limit int) (claims []slipway.Claim, wait time.Duration, err error) {
	var next time.Time
	err = s.read(ctx, func(c *change) (err error) {
		next, err = what.next(c.Tx)
		return err
	})
	now := s.now()
	switch {
	case err != nil:
		return nil, 0, err
	case next.IsZero():
		return nil, s.poll(), nil
	case next.After(now):
		return nil, min(s.poll(), next.Sub(now)), nil
	}
	if what.inTurn {
		turn, err := s.config.Turns.Take(ctx)
		if err != nil {
			return nil, 0, err
		}
		defer turn.Give()
		ctx = turn.Paced(ctx)
	}
	err = s.store.Update(ctx, func(tx slipway.Tx) error {
		claims = nil
		now := s.now()
		leases, err := what.take(tx, owner, now, now.Add(s.config.LeaseFor), limit)
		if err != nil {
			return err
		}
		claims, err = s.claims(tx, leases)
		return err
	})
	return claims, time.Millisecond, err
}

func (s *Service) claims(tx slipway.Tx, leases []slipway.Lease) ([]slipway.Claim, error) {
	c := &change{Tx: tx, service: s, now: s.now()}
	claims := make([]slipway.Claim, len(leases))
	for i, l := range leases {
		d, err := c.Deployment(l.Deployment)
		if err != nil {
			return nil, fmt.Errorf("read claimed deployment: %w", err)
		}
		a, err := c.assignment(d)
		if err != nil {
			return nil, err
		}
		claims[i] = slipway.Claim{Lease: l, Assignment: a}
	}
	return claims, nil
}

// Acquire implements slipway.Sync.
func (s *Service) Acquire(ctx context.Context, owner string, id slipway.DeploymentID) (slipway.Claim, error) {
	var claim slipway.Claim
	err := s.store.Update(ctx, func(tx slipway.Tx) error {
		now := s.now()
		lease, err := tx.Take(id, owner, now, now.Add(s.config.LeaseFor))
		if err != nil {
			return err
		}
		claims, err := s.claims(tx, []slipway.Lease{lease})
		if err != nil {
			return err
		}
		if claim = claims[0]; claim.Assignment.Deployment.Config.ListenerID != "" {
			return slipway.ErrNoRow // a listener's: for the data plane here there is none
		}
		return nil
	})
	return claim, wrap("acquire lease", err)
}

// Keep implements slipway.Sync.
func (s *Service) Keep(ctx context.Context, l slipway.Lease, seen int64) (int64, error) {
	watch := s.board.Watch(l.Deployment)
	defer watch.Leave()
	tick := time.NewTicker(s.config.LeaseFor / 3)
	defer tick.Stop()
	for {
		changed := watch.Changed()
		generation, err := s.generation(ctx, l)
		if err != nil || generation != seen {
			return generation, wrap("keep lease", err)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-changed:
		case <-tick.C:
			if err := s.renew(ctx, l); err != nil {
				return 0, wrap("renew lease", err)
			}
		}
	}
}

// generation reads the generation of a deployment while the lease is held.
func (s *Service) generation(ctx context.Context, l slipway.Lease) (generation int64, err error) {
	err = s.read(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		d, err := c.Deployment(l.Deployment)
		generation = d.Generation
		return err
	})
	return generation, err
}

func (s *Service) renew(ctx context.Context, l slipway.Lease) error {
	return s.store.Update(ctx, func(tx slipway.Tx) error {
		return tx.Renew(l, s.now().Add(s.config.LeaseFor))
	})
}

// Release implements slipway.Sync. Where work is left, others who look for work
// are woken.
func (s *Service) Release(ctx context.Context, l slipway.Lease, seen int64, next time.Time) error {
	err := s.change(ctx, func(c *change) error {
		c.changed, c.deletes = append(c.changed, l.Deployment), true // for all that is known here
		return c.Tx.Release(l, seen, next)
	})
	return wrap("release lease", err)
}

// Assignments implements slipway.Sync.
func (s *Service) Assignments(ctx context.Context, after slipway.DeploymentID, limit int) ([]slipway.Assignment, error) {
	var all []slipway.Assignment
	err := s.read(ctx, func(c *change) error {
		found, err := c.DeploymentsAfter(after, limit)
		if err != nil {
			return err
		}
		all = make([]slipway.Assignment, len(found))
		for i, d := range found {
			if all[i], err = c.assignment(d); err != nil {
				return err
			}
		}
		return nil
	})
	return all, wrap("list assignments", err)
}

// assignment gathers what a data plane must know of a deployment.
func (c *change) assignment(d slipway.Deployment) (slipway.Assignment, error) {
	a := slipway.Assignment{Deployment: d}
	var err error
	if a.InProgress, err = c.inProgress(d); err != nil {
		return a, fmt.Errorf("read open revisions: %w", err)
	}
	if d.Active != "" {
		active, err := c.Revision(d.ID, d.Active)
		if err != nil {
			return a, fmt.Errorf("read active revision: %w", err)
		}
		a.Active = &active
	}
	if a.Instances, err = c.ListInstances(d.ID); err != nil {
		return a, fmt.Errorf("read instances: %w", err)
	}
	a.Brings = map[slipway.RevisionID]slipway.Needs{}
	for _, r := range []*slipway.Revision{a.InProgress, a.Active} {
		if r == nil {
			continue
		}
		if a.Brings[r.ID], err = c.brings(r); err != nil {
			return a, fmt.Errorf("read databases of a client: %w", err)
		}
	}
	if a.Items, err = c.onDataPlane(d); err != nil {
		return a, err
	}
	a.RedisPort, err = c.redisPort(d.ID, a.Items)
	return a, err
}

// inProgress is the revision that is worked on, nil for none: of a deployment that is
// being deleted all have ended.
func (c *change) inProgress(d slipway.Deployment) (*slipway.Revision, error) {
	if d.Deleting() {
		return nil, nil
	}
	open, err := c.OpenRevisions(d.ID)
	for i := range open {
		if open[i].Status.InProgress() {
			return &open[i], err
		}
	}
	return nil, err
}

// Source implements slipway.Sync.
func (s *Service) Source(ctx context.Context, l slipway.Lease, id slipway.RevisionID) (io.ReadCloser, error) {
	var u slipway.Upload
	err := s.read(ctx, func(c *change) error {
		r, err := c.underLease(l, id)
		if err != nil {
			return err
		}
		u, err = c.UploadByObject(l.Deployment, r.Config.TarballPath)
		return err
	})
	if err != nil {
		return nil, wrap("find source", err)
	}
	return s.blobs.Open(ctx, uploadFolder(u.Deployment), u.Digest)
}

func (c *change) underLease(l slipway.Lease, id slipway.RevisionID) (slipway.Revision, error) {
	if err := c.CheckLease(l); err != nil {
		return slipway.Revision{}, err
	}
	return c.Revision(l.Deployment, id)
}

// BuildSecrets implements slipway.Sync.
func (s *Service) BuildSecrets(ctx context.Context, l slipway.Lease, id slipway.RevisionID) ([]slipway.EnvVar, error) {
	var secrets []slipway.EnvVar
	err := s.read(ctx, func(c *change) error {
		r, err := c.underLease(l, id)
		if err != nil {
			return err
		}
		own, err := c.variables(r.Secrets)
		secrets, _ = slipway.ForBuilds(own)
		return err
	})
	return secrets, wrap("read build secrets", err)
}

// Confidential implements slipway.Sync.
func (s *Service) Confidential(ctx context.Context, l slipway.Lease, id slipway.RevisionID) ([]string, error) {
	var values []string
	err := s.read(ctx, func(c *change) error {
		r, err := c.underLease(l, id)
		if err != nil {
			return err
		}
		own, err := c.variables(r.Secrets)
		values = nil
		for _, v := range own {
			values = append(values, v.Value)
		}
		return err
	})
	return values, wrap("read what is confidential", err)
}

// Log implements slipway.Sync.
func (s *Service) Log(ctx context.Context, lines []slipway.LogLine) error {
	return wrap("store log lines", s.store.Update(ctx, func(tx slipway.Tx) error { return tx.AppendLogs(lines) }))
}

// LogEnd implements slipway.Sync.
func (s *Service) LogEnd(ctx context.Context, d slipway.DeploymentID, origin string) (end int64, err error) {
	err = s.read(ctx, func(c *change) (err error) {
		end, err = c.Tx.LogEnd(d, origin)
		return err
	})
	return end, wrap("find end of log", err)
}
