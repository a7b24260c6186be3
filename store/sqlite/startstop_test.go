package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/store/sqlite"
)

func TestOpenAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		s, err := sqlite.Open(ctx, path)
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}
