package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// scaler remembers what was needed of late. It is lost with the process: then
// the delays begin anew, and nothing is taken away too early.
type scaler struct {
	mu   sync.Mutex
	seen map[slipway.DeploymentID]observed
}

// observed is what is remembered of a deployment.
type observed struct {
	since    time.Time // its first sample here, of the revision that serves
	revision slipway.RevisionID
	trend    slipway.Trend
}

// scale decides by samples how many instances deployments are to have, and which
// of them are to sleep. It writes only what changes.
func (s *Service) scale(ctx context.Context, samples []slipway.Sample) error {
	var all []load
	err := s.read(ctx, func(c *change) error {
		all = all[:0]
		for _, m := range samples {
			found, err := c.load(m)
			if err != nil {
				return err
			}
			all = append(all, found)
		}
		return nil
	})
	for _, m := range all {
		if !m.rests {
			s.scaler.forget(m.sample.Deployment)
		} else if to, changes := s.scaler.decide(m, s.config); changes {
			err = errors.Join(err, s.rescale(ctx, m.deployment, to))
		}
	}
	return wrap("scale deployments", err)
}

// load is a sample with what it was taken of.
type load struct {
	sample     slipway.Sample
	deployment slipway.Deployment
	size       slipway.Size
	rests      bool // it serves, and nothing else is going on: the sample tells of its load
}

func (c *change) load(m slipway.Sample) (load, error) {
	d, err := c.Deployment(m.Deployment)
	switch {
	case errors.Is(err, slipway.ErrNoRow):
		return load{sample: m}, nil
	case err != nil:
		return load{}, fmt.Errorf("read deployment: %w", err)
	case d.Deleting() || d.Active == "" || d.Running.Asleep || d.Running.Handover != nil || d.Running.Restore.Pending() || d.Health.State != slipway.Healthy:
		return load{sample: m}, nil
	}
	open, err := c.OpenRevisions(d.ID)
	if err != nil || len(open) > 0 {
		return load{sample: m}, wrap("read open revisions", err)
	}
	active, err := c.Revision(d.ID, d.Active)
	size := slipway.SizeOf(d.Config.DeploymentType, active.Config.Resources)
	return load{sample: m, deployment: d, size: size, rests: true}, wrap("read active revision", err)
}

// rescale writes how a deployment is to run, unless it has changed since that
// was decided: the next sample tells then.
func (s *Service) rescale(ctx context.Context, of slipway.Deployment, to slipway.Running) error {
	done := false
	err := s.change(ctx, func(c *change) error {
		done = false
		d, err := c.Deployment(of.ID)
		if err != nil || d.Version != of.Version {
			return err
		}
		if d.Running = to; to.Asleep {
			d.Health = slipway.Health{State: slipway.Asleep, Reason: asleep, Since: c.now}
		}
		done = true
		return c.want(&d)
	})
	if errors.Is(err, slipway.ErrNoRow) {
		return nil
	}
	if err == nil && done {
		s.config.Logger.Info("deployment scaled", slog.String("deployment", string(of.ID)), slog.Int("replicas", to.Replicas), slog.Bool("asleep", to.Asleep))
	}
	return err
}

// asleep is what health says of a deployment that sleeps.
const asleep = "Nobody asked for it. The next request wakes it."

// decide takes a sample in and says how the deployment is to run, if otherwise
// than it does.
func (s *scaler) decide(m load, config Config) (to slipway.Running, changes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := m.deployment
	o := s.seen[d.ID]
	if o.revision != d.Active {
		o = observed{since: m.sample.At, revision: d.Active}
	}
	defer func() { s.seen[d.ID] = o }()
	to = d.Running
	if since := m.sample.At.Add(-config.SleepAfter); m.size.Sleeps && m.sample.Replicas > 0 && !o.since.After(since) && m.sample.Idle(since) {
		to.Replicas, to.Asleep = 0, true
		return to, true
	}
	current := m.size.Replicas(d.Running.Replicas)
	if d.Running.Alone || !m.sample.Steady(current) {
		o.trend = slipway.Trend{}
		return to, false
	}
	o.trend, to.Replicas = o.trend.Next(current, m.size.Need(m.sample), m.sample.At, config.ScalePace)
	return to, to.Replicas != current
}

func (s *scaler) forget(id slipway.DeploymentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, id)
}

// Rouse implements slipway.Sync. Those who ask at the same time wake it once.
func (s *Service) Rouse(ctx context.Context, id slipway.DeploymentID) error {
	err := s.change(ctx, func(c *change) error {
		d, err := c.Deployment(id)
		if err != nil || !d.Running.Asleep || d.Deleting() {
			return err
		}
		d.Running.Asleep = false
		d.Running.Woken++
		d.Health = slipway.Health{State: slipway.Healthy, Since: c.now}
		return c.want(&d)
	})
	s.scaler.forget(id)
	return wrap("rouse deployment", err)
}
