package listener_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/listener"
)

// quiet is a control plane that has no work.
type quiet struct{ slipway.Sync }

func (quiet) Attach(ctx context.Context, _ string) error { return ctx.Err() }

func (quiet) Claim(ctx context.Context, _ string, _ int) ([]slipway.Claim, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (quiet) ClaimDeletions(ctx context.Context, _ string, _ int) ([]slipway.Claim, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (quiet) Assignments(ctx context.Context, _ slipway.DeploymentID, _ int) ([]slipway.Assignment, error) {
	return nil, ctx.Err()
}

// still is a reconciler that has nothing to do.
type still struct{ listener.Reconciler }

func (still) Wait() {}

func (still) Room(ctx context.Context) error { return ctx.Err() }

func open(t *testing.T) *listener.Listener {
	d := fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} })
	t.Cleanup(func() { d.Close() })
	log := slog.New(slog.DiscardHandler)
	return listener.New(quiet{}, d, still{}, listener.NewOutputs(quiet{}, d, log, time.Now), listener.Config{Logger: log})
}

func TestStartAndStop(t *testing.T) {
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		l := open(t)
		return func() error { l.Stop(); return nil }, l.Start(ctx)
	})
}

func TestStopBeforeStart(t *testing.T) {
	l := open(t)
	l.Stop()
	if err := l.Start(t.Context()); err == nil {
		t.Error("a listener that was stopped starts")
	}
	l.Stop()
}

func TestStartTwice(t *testing.T) {
	l := open(t)
	for range 2 {
		if err := l.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.Stop()
}

func TestStartAndStopAtOnce(t *testing.T) {
	for range 50 {
		l := open(t)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _ = l.Start(t.Context()) })
			all.Go(l.Stop)
		}
		all.Wait()
		l.Stop()
	}
}
