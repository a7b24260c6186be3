package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

var (
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("trace store is closed")
	// ErrNewer means that the data was written by a newer Slipway. Nothing has
	// been changed.
	ErrNewer = errors.New("the traces were written by a newer Slipway")
	// ErrBusy means that others are at work on what was to be removed.
	ErrBusy = errors.New("the traces are in use")
)

// Config is how much is kept.
type Config struct {
	Age    time.Duration // since the trace began or, if that is later, arrived; whole days, 0 for ever
	Bytes  int64         // of disk; 0 without a bound
	Looks  int           // how many runs are looked at for one page of a query; 0 for 100,000
	Now    func() time.Time
	Logger *slog.Logger
}

// Store keeps runs.
type Store struct {
	engine Engine
	blobs  Blobs
	config Config
	writer *writer
	// The writer's.
	gone  map[slipway.ProjectID]time.Time // when the removal of a project was last at work
	loose map[Date]map[looseRun]time.Time // since when runs are known that belong nowhere

	mu      sync.Mutex
	owners  map[Date]owners
	closed  bool
	running sync.WaitGroup // what reads

	close func() error
}

// New returns a store in an engine, which is closed with it; blobs are not.
func New(engine Engine, blobs Blobs, config Config) *Store {
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Looks = cmp.Or(config.Looks, 100_000)
	config.Logger = cmp.Or(config.Logger, slog.New(slog.DiscardHandler))
	s := &Store{engine: engine, blobs: blobs, config: config, writer: newWriter(), owners: map[Date]owners{}, gone: map[slipway.ProjectID]time.Time{}, loose: map[Date]map[looseRun]time.Time{}}
	s.close = sync.OnceValue(s.shut)
	go s.writer.run(s.write)
	return s
}

// Close refuses what comes and waits for what has begun.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.writer.close()
	s.running.Wait()
	return s.engine.Close()
}

// enter counts in what reads, unless the store is closed.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.running.Add(1)
	return nil
}

// alone has the writer do something while it writes nothing.
func (s *Store) alone(ctx context.Context, do func(context.Context) error) error {
	return s.writer.wait(ctx, &job{do: do})
}
