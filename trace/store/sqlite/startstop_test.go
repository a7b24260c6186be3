package sqlite_test

import (
	"context"
	"testing"

	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

func TestOpenAndClose(t *testing.T) {
	folder, shared := t.TempDir(), blobs(t)
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		e, err := sqlite.Open(ctx, folder)
		if err != nil {
			return nil, err
		}
		return store.New(e, shared, store.Config{}).Close, nil
	})
}
