package service

import (
	"context"
	"errors"

	"github.com/slipwayhq/slipway"
)

// noteFull writes of which deployments the database takes no changes, as it was
// measured last, and of which it does again. It writes only what changes.
func (s *Service) noteFull(ctx context.Context, samples []slipway.Sample) error {
	var changed []slipway.Sample
	err := s.read(ctx, func(c *change) error {
		changed = changed[:0]
		for _, m := range samples {
			if m.Database == nil {
				continue
			}
			d, err := c.Deployment(m.Deployment)
			if err == nil && d.Running.FullSince.IsZero() == m.Database.Full {
				changed = append(changed, m)
			}
			if err := ignoreGone(err); err != nil {
				return err
			}
		}
		return nil
	})
	for _, m := range changed {
		err = errors.Join(err, s.change(ctx, func(c *change) error {
			d, err := c.Deployment(m.Deployment)
			if err != nil || d.Deleting() {
				return ignoreGone(err)
			}
			d.Running = d.Running.Full(m.Database.Full, c.now)
			return c.keep(&d)
		}))
	}
	return wrap("write which databases are full", err)
}
