package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

var (
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("trace store is closed")
	// ErrNewer means that the data was written by a newer Slipway. Nothing has
	// been changed.
	ErrNewer = errors.New("the traces were written by a newer Slipway")
)

// Config is how much is kept.
type Config struct {
	Age    time.Duration // whole days; 0 for ever
	Bytes  int64         // of disk; 0 without a bound
	Now    func() time.Time
	Logger *slog.Logger
}

// Blobs is where large values and attachments lie.
type Blobs interface {
	Write(ctx context.Context, folder string, r io.Reader) (size int64, digest string, err error)
	Open(ctx context.Context, folder, digest string) (io.ReadCloser, error)
	DeleteAll(ctx context.Context, folder string) error
	List(ctx context.Context, folder string) ([]string, error)
}

// Store keeps runs.
type Store struct{}

// Write applies operations, in their order. An error of one, in its place, is for
// its sender or trace.ErrDuplicate, and keeps none of the others from being
// written; the last error is that of the whole, of which nothing may have been
// kept: it can be sent again. What is written when Write returns survives the end
// of the process and of the machine.
func (s *Store) Write(ctx context.Context, ops []trace.Op) ([]error, error) { return nil, nil }

// Put reads a value for an operation: what is small is kept in memory, what is
// large goes to a blob. Discard removes one that no operation has taken.
func (s *Store) Put(ctx context.Context, r io.Reader) (trace.Content, error) {
	return trace.Content{}, nil
}

// Discard removes what Put has made, unless an operation that was written has
// taken it.
func (s *Store) Discard(ctx context.Context, c trace.Content) error { return nil }

// Open reads a value, wherever it lies.
func (s *Store) Open(ctx context.Context, c trace.Content) (io.ReadCloser, error) { return nil, nil }

// Run returns a run with some of its heavy fields. The error is slipway.ErrNoRow
// if it was not posted in the workspace.
func (s *Store) Run(ctx context.Context, w slipway.WorkspaceID, id trace.ID, some trace.Fields) (trace.Run, error) {
	return trace.Run{}, nil
}

// Query returns a page of runs. The query is checked.
func (s *Store) Query(ctx context.Context, q trace.Query) (trace.Page, error) {
	return trace.Page{}, nil
}

// Trace returns all runs of a trace as their tree, depth first; each has an
// order, also where none was sent. It is empty if there are none.
func (s *Store) Trace(ctx context.Context, w slipway.WorkspaceID, id trace.ID, some trace.Fields) ([]trace.Run, error) {
	return nil, nil
}

// Stats returns what is known of projects; those without runs are not in it.
func (s *Store) Stats(ctx context.Context, w slipway.WorkspaceID, projects []slipway.ProjectID) (map[slipway.ProjectID]trace.Stats, error) {
	return nil, nil
}

// DeleteProject removes some of a project's runs, with what belongs to them, and
// says how many are left. It is called until none are: a call that dies in the
// middle is taken up by the next.
func (s *Store) DeleteProject(ctx context.Context, w slipway.WorkspaceID, id slipway.ProjectID) (left int, err error) {
	return 0, nil
}

// Day is what is kept of a day.
type Day struct {
	Date  time.Time // midnight, UTC
	Bytes int64     // of disk, blobs included
}

// Days returns what is kept, oldest first.
func (s *Store) Days(ctx context.Context) ([]Day, error) { return nil, nil }

// Retain drops days that are older than the configuration's Age and, oldest
// first, what is more than its Bytes; today stays. It returns those that it has
// dropped. It is to be called now and then.
func (s *Store) Retain(ctx context.Context) ([]Day, error) { return nil, nil }

// Close refuses what comes and waits for what has begun.
func (s *Store) Close() error { return nil }
