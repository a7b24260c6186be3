package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// keepEvery is how often what was measured of a deployment is written: what
	// a killed server loses. Of one that changes in nothing it is keepIdleEvery.
	keepEvery     = time.Minute
	keepIdleEvery = 10 * time.Minute
	// keepAtOnce bounds how many deployments share a transaction, and so how
	// long other writers wait for it.
	keepAtOnce = 50
	// mostUnkept bounds what is held of a deployment while nothing can be
	// written: an hour.
	mostUnkept = 240
)

// Measured implements slipway.Sync. The samples are held and written together
// once a minute; those who ask see them at once.
func (s *Service) Measured(ctx context.Context, _ string, samples []slipway.Sample) error {
	for _, sample := range samples {
		s.unkept.add(sample)
	}
	kept := wrap("keep measurements", s.keepMeasured(ctx, s.unkept.due(s.now())))
	return errors.Join(kept, s.scale(ctx, samples), s.noteFull(ctx, samples))
}

// unkept holds what was measured and has not been written.
type unkept struct {
	mu   sync.Mutex
	held map[slipway.DeploymentID]*measured
	// writing is held over a write, in which measurements are neither here nor
	// in the store, and by those who read both.
	writing sync.RWMutex
}

// measured is what is held of one deployment.
type measured struct {
	slots []slipway.Measurement // of the finest resolution, oldest first
	last  slipway.Measurement   // that was written
	next  time.Time             // it is written, if it changes
	idle  time.Time             // it is written in any case
}

func (u *unkept) add(sample slipway.Sample) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.held == nil {
		u.held = map[slipway.DeploymentID]*measured{}
	}
	m := u.held[sample.Deployment]
	if m == nil {
		m = &measured{next: sample.At.Add(keepEvery), idle: sample.At.Add(keepEvery)}
		u.held[sample.Deployment] = m
	}
	m.hold(append(m.slots, sample.Measurement()))
}

func (m *measured) hold(slots []slipway.Measurement) {
	m.slots = slipway.Gather(slots, slipway.Resolutions[0].Step)
	m.slots = m.slots[max(0, len(m.slots)-mostUnkept):]
}

// due lists what is to be written now.
func (u *unkept) due(now time.Time) (due []slipway.DeploymentID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, m := range u.held {
		if !m.next.After(now) && (!m.idle.After(now) || m.changes()) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	return due
}

func (u *unkept) all() (all []slipway.DeploymentID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id := range u.held {
		all = append(all, id)
	}
	return all
}

// changes says whether what is held differs from what was written last.
func (m *measured) changes() bool {
	return slices.ContainsFunc(m.slots, func(slot slipway.Measurement) bool {
		slot.At = m.last.At
		return slot != m.last
	})
}

// take takes what is held of deployments, to be written. A deployment of which
// nothing more has come is forgotten.
func (u *unkept) take(ids []slipway.DeploymentID, now time.Time) map[slipway.DeploymentID][]slipway.Measurement {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := make(map[slipway.DeploymentID][]slipway.Measurement, len(ids))
	for _, id := range ids {
		m := u.held[id]
		if m == nil || len(m.slots) == 0 {
			delete(u.held, id)
			continue
		}
		taken[id] = m.slots
		m.slots, m.last = nil, m.slots[len(m.slots)-1]
		m.next, m.idle = now.Add(keepEvery), now.Add(keepIdleEvery)
	}
	return taken
}

// giveBack holds again what could not be written.
func (u *unkept) giveBack(taken map[slipway.DeploymentID][]slipway.Measurement) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, slots := range taken {
		m := u.held[id]
		m.hold(append(slots, m.slots...))
		m.last = slipway.Measurement{}
	}
}

// peek returns what is held of a deployment.
func (u *unkept) peek(id slipway.DeploymentID) []slipway.Measurement {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m := u.held[id]; m != nil {
		return slices.Clone(m.slots)
	}
	return nil
}

// keepMeasured writes what is held of deployments.
func (s *Service) keepMeasured(ctx context.Context, ids []slipway.DeploymentID) (err error) {
	for some := range slices.Chunk(ids, keepAtOnce) {
		err = errors.Join(err, s.keepSome(ctx, some))
	}
	return err
}

func (s *Service) keepSome(ctx context.Context, ids []slipway.DeploymentID) error {
	s.unkept.writing.Lock()
	defer s.unkept.writing.Unlock()
	taken := s.unkept.take(ids, s.now())
	err := s.store.Update(ctx, func(tx slipway.Tx) error {
		for _, id := range ids {
			if err := tx.AddMeasurements(id, taken[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.unkept.giveBack(taken)
	}
	return err
}

// keepRest writes all that is held, at the end.
func (s *Service) keepRest(ctx context.Context) {
	if err := s.keepMeasured(ctx, s.unkept.all()); err != nil {
		s.config.Logger.Warn("the last measurements are lost", slog.Any("error", err))
	}
}

// Metrics returns what was measured of the caller's deployment.
func (s *Service) Metrics(ctx context.Context, who slipway.Principal, q slipway.MetricsQuery) (slipway.Metrics, error) {
	q, by, err := q.Resolve(s.now())
	if err != nil {
		return slipway.Metrics{}, err
	}
	s.unkept.writing.RLock()
	defer s.unkept.writing.RUnlock()
	var slots []slipway.Measurement
	err = s.read(ctx, func(c *change) error {
		if _, err := c.owned(who, q.Deployment); err != nil {
			return err
		}
		slots, err = c.ListMeasurements(q.Deployment, by.Step, q.Start, q.End)
		return err
	})
	if err != nil {
		return slipway.Metrics{}, wrap("read metrics", err)
	}
	for _, m := range s.unkept.peek(q.Deployment) {
		if !m.At.Before(q.Start) && m.At.Before(q.End) {
			slots = append(slots, m)
		}
	}
	slices.SortStableFunc(slots, func(a, b slipway.Measurement) int { return a.At.Compare(b.At) })
	return slipway.Metrics{Start: q.Start, End: q.End, Step: q.Step, Slots: slipway.Gather(slots, q.Step)}, nil
}

// sweepMeasurements removes what is older than it is kept.
func (s *Service) sweepMeasurements(ctx context.Context) error {
	now := s.now()
	return wrap("sweep measurements", s.store.Update(ctx, func(tx slipway.Tx) error { return tx.DropMeasurements(now) }))
}

// Census counts the deployments of all workspaces.
func (s *Service) Census(ctx context.Context) (census []slipway.Census, err error) {
	err = s.store.View(ctx, func(tx slipway.Tx) (err error) {
		census, err = tx.Census(s.now())
		return err
	})
	return census, wrap("count deployments", err)
}
