package client

import (
	"context"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

const (
	firstPoll = 250 * time.Millisecond
	mostPoll  = 2 * time.Second
	// patience is how long a server may be away while something is watched: it
	// may be restarting.
	patience = 30 * time.Second
)

// WatchRevision calls report with every status that the revision enters, those
// before the call included and none twice, until it has ended; then it returns
// the revision. How it ended is for the caller to judge.
func (c *Client) WatchRevision(ctx context.Context, deployment, revision string, report func(status string, at time.Time)) (wire.Revision, error) {
	var last wire.Revision
	seen := 0
	news := c.news(ctx, deployment)
	defer news.end()
	err := poll(ctx, news.wait, func() (changed, done bool, err error) {
		r, err := c.Revision(ctx, deployment, revision)
		if err != nil {
			return false, false, err
		}
		history := statuses(r, last.Status)
		for _, s := range history[min(seen, len(history)):] {
			report(s.Status, s.At.Time)
			changed = true
		}
		last, seen = r, len(history)
		if len(r.StatusHistory) == 0 {
			seen = 0
		}
		return changed, Ended(r.Status), nil
	})
	return last, err
}

// Ended says whether a revision's status is final.
func Ended(status string) bool { return slipway.RevisionStatus(status).Ended() }

// statuses is the history of a revision. A server without one shows the status
// of the moment, which is news where it differs from the last.
func statuses(r wire.Revision, last string) []wire.StatusChange {
	if len(r.StatusHistory) > 0 || r.Status == last {
		return r.StatusHistory
	}
	return []wire.StatusChange{{Status: r.Status, At: r.UpdatedAt}}
}

// WaitGone waits until a deployment that is being deleted is gone: nothing of it
// runs or can be reached.
func (c *Client) WaitGone(ctx context.Context, deployment string) error {
	news := c.news(ctx, deployment)
	defer news.end()
	return poll(ctx, news.wait, func() (changed, done bool, err error) {
		_, err = c.Deployment(ctx, deployment)
		if IsNotFound(err) {
			return true, true, nil
		}
		return false, false, err
	})
}

// WaitServing waits until a deployment serves, or sleeps, or has failed at it
// for long enough to be unhealthy. One without an active revision is returned at
// once.
func (c *Client) WaitServing(ctx context.Context, deployment string) (wire.Deployment, error) {
	var d wire.Deployment
	news := c.news(ctx, deployment)
	defer news.end()
	err := poll(ctx, news.wait, func() (changed, done bool, err error) {
		d, err = c.Deployment(ctx, deployment)
		settled := d.ActiveRevisionID == nil || d.Health != nil && d.Health.State != string(slipway.Restarts)
		return false, err == nil && settled, err
	})
	return d, err
}

// poll calls look until it is done, soon after a change and ever more slowly
// without one. Between calls it waits that long, or less if wait knows better.
// It forgives temporary errors for as long as patience lasts.
func poll(ctx context.Context, wait func(context.Context, time.Duration) error, look func() (changed, done bool, err error)) error {
	pace, good := firstPoll, time.Now()
	for {
		changed, done, err := look()
		switch {
		case ctx.Err() != nil && !done:
			return ctx.Err()
		case err == nil:
			good = time.Now()
		case !temporary(err) || time.Since(good) > patience:
			return err
		}
		if done {
			return nil
		}
		if changed {
			pace = firstPoll
		}
		if err := wait(ctx, pace); err != nil {
			return err
		}
		pace = min(pace*5/4, mostPoll)
	}
}
