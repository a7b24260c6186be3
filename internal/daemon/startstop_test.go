package daemon_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
)

func TestStartAndStop(t *testing.T) {
	data := t.TempDir()
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		s, err := daemon.Start(ctx, daemon.Config{
			Data: data, Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 20000, Last: 20009}, Logger: slog.New(slog.DiscardHandler),
			OpenDriver: func(string) (slipway.Driver, error) {
				return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
			},
		})
		if err != nil {
			return nil, err
		}
		return s.Stop, nil
	})
}
