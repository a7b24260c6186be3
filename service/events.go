package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

// eventBatch is how many events are read at once.
const eventBatch = 100

// Events returns what happened to the caller's deployment after an event of
// that sequence, oldest first and in batches. It waits until something has, or
// ctx ends. Whoever has seen nothing yet asks for -1. He, and who asks for what
// is not kept or was never given, gets one EventReset and goes on from there.
//
// Nothing is held between calls, and no transaction during the wait.
func (s *Service) Events(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, after int64) ([]slipway.StatusEvent, error) {
	watch := s.followers.Watch(id)
	defer watch.Leave()
	var look <-chan time.Time
	if s.config.FollowEvery > 0 {
		ticker := time.NewTicker(s.config.FollowEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		changed := watch.Changed()
		events, err := s.eventsAfter(ctx, who, id, after)
		if err != nil || len(events) > 0 {
			return events, wrap("read events", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-look:
		}
	}
}

func (s *Service) eventsAfter(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, after int64) (events []slipway.StatusEvent, err error) {
	err = s.read(ctx, func(c *change) error {
		d, err := c.owned(who, id)
		if err != nil {
			return err
		}
		head, err := c.EventHead(id)
		if err != nil || head == after {
			return err
		}
		if after >= 0 && after < head {
			if events, err = c.EventsAfter(id, after, eventBatch); err != nil {
				return err
			}
		}
		if len(events) == 0 || events[0].Sequence != after+1 { // not kept, or never given
			events, err = c.snapshot(d, head)
		}
		return err
	})
	return events, err
}

// snapshot is a deployment and its newest revision as they are.
func (c *change) snapshot(d slipway.Deployment, head int64) ([]slipway.StatusEvent, error) {
	e := slipway.StatusEvent{Deployment: d.ID, Sequence: head, Kind: slipway.EventReset, State: d.State(), At: c.now}
	if d.Latest != "" {
		r, err := c.Revision(d.ID, d.Latest)
		if err != nil && !errors.Is(err, slipway.ErrNoRow) {
			return nil, fmt.Errorf("read newest revision: %w", err)
		}
		e.Revision = r.State()
	}
	return []slipway.StatusEvent{e}, nil
}
