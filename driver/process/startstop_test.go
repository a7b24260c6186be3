package process_test

import (
	"context"
	"testing"

	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
)

func TestOpenAndClose(t *testing.T) {
	root := t.TempDir()
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		d, err := process.Open(root)
		if err != nil {
			return nil, err
		}
		d.Exits(context.WithoutCancel(ctx)) // ends with the driver
		return d.Close, nil
	})
}
