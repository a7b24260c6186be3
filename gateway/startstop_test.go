package gateway_test

import (
	"context"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
)

// A gateway has no goroutines of its own but those of its requests.
func TestNewAndClose(t *testing.T) {
	startstoptest.Run(t, func(context.Context) (func() error, error) {
		g := gateway.New(gateway.Config{})
		g.SetReady()
		g.Route(slipway.Route{Deployment: "d", Slug: "app", State: slipway.RouteHolding})
		return func() error { g.Close(); return nil }, nil
	})
}
