package service

import (
	"context"

	"github.com/slipwayhq/slipway"
)

// Measured implements slipway.Sync.
func (s *Service) Measured(context.Context, string, []slipway.Sample) error { return nil }
