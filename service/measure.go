package service

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// Measured implements slipway.Sync.
func (s *Service) Measured(ctx context.Context, _ string, samples []slipway.Sample) error {
	return s.scale(ctx, samples)
}
