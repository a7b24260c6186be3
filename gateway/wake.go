package gateway

import (
	"context"
	"log/slog"

	"github.com/slipwayhq/slipway"
)

// wake asks for a deployment to be started, and does not wait for that.
func (g *Gateway) wake(d slipway.DeploymentID) {
	if g.config.Wake == nil {
		return
	}
	g.waking.Go(func() {
		ctx, cancel := context.WithTimeout(g.life, g.config.WakeAgain)
		defer cancel()
		if err := g.config.Wake(ctx, d); err != nil && g.life.Err() == nil {
			g.config.Logger.Warn("deployment was not woken", slog.String("deployment", string(d)), slog.Any("error", err))
		}
	})
}
