package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/service"
	"github.com/slipwayhq/slipway/trace/langsmith"
	"github.com/slipwayhq/slipway/trace/remote"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/postgres"
	"github.com/slipwayhq/slipway/trace/store/sqlite"
)

// Traces is where those of agents go, and how much is kept of them here.
type Traces struct {
	Keep time.Duration // whole days; 0 for ever
	Most int64         // bytes of disk; 0 without a bound
	Off  bool          // agents are not told to trace
	// Endpoint is another installation, to which agents trace with its Key; ""
	// for this one.
	Endpoint, Key string
}

// where is where the control plane has agents trace to, and removes runs.
func (s *Server) where() service.Tracing {
	t := s.config.Traces
	if t.Endpoint == "" {
		return service.Tracing{Off: t.Off, Runs: s.traces}
	}
	there := remote.Open(t.Endpoint, t.Key, s.config.Logger)
	return service.Tracing{Off: t.Off, Runs: everywhere{s.traces, there}, Endpoint: t.Endpoint, Key: t.Key, Make: there.Make}
}

// everywhere are places that have runs of the same projects.
type everywhere []service.Traces

func (e everywhere) DeleteProject(ctx context.Context, id slipway.ProjectID) (left int, err error) {
	for _, place := range e {
		if left, err = place.DeleteProject(ctx, id); err != nil || left > 0 {
			return left, err
		}
	}
	return 0, nil
}

// retainEvery is how often it is looked whether traces are too old or too many.
const retainEvery = 10 * time.Minute

// traceConnections bounds those to a database: one writes, the others read.
const traceConnections = 8

// traceIdle is how long a connection is kept that nobody uses.
const traceIdle = 5 * time.Minute

// openTraces opens them where the control plane's own data lies.
func (s *Server) openTraces(ctx context.Context) error {
	engine, err := s.openTraceEngine(ctx)
	if err != nil {
		return fmt.Errorf("open traces: %w", err)
	}
	s.traces = store.New(engine, s.blobs, store.Config{Age: s.config.Traces.Keep, Bytes: s.config.Traces.Most, Logger: s.config.Logger})
	return nil
}

func (s *Server) openTraceEngine(ctx context.Context) (store.Engine, error) {
	if s.config.Database == "" {
		return sqlite.Open(ctx, filepath.Join(s.config.Data, "traces"))
	}
	pool, err := sql.Open("pgx", s.config.Database)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(traceConnections)
	pool.SetMaxIdleConns(traceConnections) // else readers connect anew all the time
	pool.SetConnMaxIdleTime(traceIdle)
	engine, err := postgres.Open(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	s.tracePool = pool
	return engine, nil
}

// closeTraces waits for what is written just now.
func (s *Server) closeTraces() error {
	var err error
	if s.traces != nil {
		err = s.traces.Close()
	}
	if s.tracePool != nil {
		err = errors.Join(err, s.tracePool.Close())
	}
	return err
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
