package main

import (
	"context"
	"time"
)

// restarts is how often a server is started to see how long it takes.
const restarts = 11

// idleOne watches a server with one real deployment, first as it is after the
// deploy, installation included, and then after a restart.
func idleOne(ctx context.Context, l *lab) ([]row, error) {
	s, _, err := l.realServer(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	fresh, err := l.watchIdle(ctx, s)
	if err != nil {
		return nil, err
	}
	rows := []row{
		single("memory (PSS) after the deploy", megabytes(fresh.pss)).with(atMost(fresh.pss, 60e6, "60 MB")),
		single("CPU", percent(fresh.cpu)),
	}
	if err := s.stop(); err != nil {
		return rows, err
	}
	took, err := l.coldStarts(ctx, s.data)
	if err != nil {
		return rows, err
	}
	return append(rows, spread("restart beside the agent that serves: exec to 200 on /readyz", took)), nil
}

// coldStarts starts a server on a folder, again and again, and returns how long
// each took to be ready.
func (l *lab) coldStarts(ctx context.Context, data string) (samples, error) {
	return repeat(l.times(restarts), func() (time.Duration, error) {
		s, took, err := l.slipwayServer(ctx, data)
		if err != nil {
			return 0, err
		}
		return took, s.stop()
	})
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
