package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/trace/langsmith"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

// Traces is how much is kept of what agents do.
type Traces struct {
	Keep time.Duration // whole days; 0 for ever
	Most int64         // bytes of disk; 0 without a bound
}

// retainEvery is how often it is looked whether traces are too old or too many.
const retainEvery = 10 * time.Minute

func (s *Server) openTraces(ctx context.Context) error {
	engine, err := sqlite.Open(ctx, filepath.Join(s.config.Data, "traces"))
	if err != nil {
		return fmt.Errorf("open traces: %w", err)
	}
	s.traces = store.New(engine, s.blobs, store.Config{Age: s.config.Traces.Keep, Bytes: s.config.Traces.Most, Logger: s.config.Logger})
	return nil
}

// tracing serves the SDKs that trace to this server.
func (s *Server) tracing(keys *access.Authority, ring *secret.Keyring) *langsmith.Handler {
	return langsmith.New(langsmith.Config{
		Runs: s.traces, Projects: s.service, Keys: keys, Signer: ring, Proxies: s.config.Proxies,
		PublicURL: s.publicURL(), Room: s.reserve().Refuse, Logger: s.config.Logger,
	})
}

// retainTraces drops what is too old or too much, until ctx ends.
func (s *Server) retainTraces(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		if _, err := s.traces.Retain(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("old traces are not removed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
