package service_test

import (
	"context"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
)

// The coordinator lives as long as its context.
func TestCoordinatorStops(t *testing.T) {
	p := newPlane(t)
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { p.Coordinate(ctx) })
		return func() error {
			cancel()
			running.Wait()
			return nil
		}, nil
	})
}
