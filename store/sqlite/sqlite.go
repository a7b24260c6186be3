package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sync"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store"
)

// readers is how many Views go on at once.
const readers = 4

// What a savepoint might have to take back is kept in memory: written to a file,
// it would cost more than all else that an update does.
var (
	common = []string{
		"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)", "trusted_schema(0)", "temp_store(MEMORY)", "cache_size(-8000)",
	}
	writing = append([]string{"journal_mode(WAL)", "journal_size_limit(67108864)"}, common...)
	reading = append([]string{"query_only(1)"}, common...)
)

// Store is a slipway.Store in one file.
type Store struct {
	pools   []*sql.DB // the writer's and the readers'
	conns   []*conn   // all of them, the writer's first
	writer  *writer
	readers chan *conn // those that no View uses
	closing chan struct{}
	close   func() error
}

var _ slipway.Store = (*Store)(nil)

// Open opens or makes the file and brings its schema up to date. The error is
// store.ErrNewer if a newer Slipway wrote it.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := touch(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	// A commit waits for its data and the file's size, not for a time stamp: as
	// durable, and the usual build of SQLite on Linux. Elsewhere it stays as it is.
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{readers: make(chan *conn, readers), closing: make(chan struct{})}
	s.close = sync.OnceValue(s.shut)
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.closeConns())
	}
	go s.writer.run(s.closing)
	return s, nil
}

// touch makes the file readable by its owner only; the files that SQLite puts
// beside it are made alike.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) open(ctx context.Context, path string) error {
	pool, err := s.pool(path, writing, 1)
	if err != nil {
		return err
	}
	if err := store.Migrate(ctx, pool, goose.DialectSQLite3); err != nil {
		return err
	}
	c, err := s.connect(ctx, pool)
	if err != nil {
		return err
	}
	s.writer = newWriter(c)
	return s.openReaders(ctx, path)
}

func (s *Store) openReaders(ctx context.Context, path string) error {
	pool, err := s.pool(path, reading, readers)
	if err != nil {
		return err
	}
	for range readers {
		c, err := s.connect(ctx, pool)
		if err != nil {
			return err
		}
		s.readers <- c
	}
	return nil
}

func (s *Store) pool(path string, pragmas []string, size int) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+url.Values{"_pragma": pragmas}.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(size)
	s.pools = append(s.pools, pool)
	return pool, nil
}

// connect takes a connection of the pool for good.
func (s *Store) connect(ctx context.Context, pool *sql.DB) (*conn, error) {
	raw, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, statements: map[string]*sql.Stmt{}, awaited: func() bool { return false }}
	s.conns = append(s.conns, c)
	return c, nil
}

// Update implements slipway.Store.
func (s *Store) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return s.writer.update(ctx, fn, s.closing)
}

// View implements slipway.Store. Its queries are short, and to be ready to cut
// one off costs more than most of them: ctx is for the wait before the first.
func (s *Store) View(ctx context.Context, fn func(slipway.Tx) error) error {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { s.readers <- c }()
	if err := c.begin("BEGIN"); err != nil {
		return err
	}
	defer c.rollback()
	err = fn(store.NewTx(context.WithoutCancel(ctx), c))
	if err == nil {
		err = c.failed
	}
	return err
}

func (s *Store) reader(ctx context.Context) (*conn, error) {
	select {
	case <-s.closing:
		return nil, store.ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a reader: %w", context.Cause(ctx))
	default:
	}
	select {
	case c := <-s.readers:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a reader: %w", context.Cause(ctx))
	case <-s.closing:
		return nil, store.ErrClosed
	}
}

// Close refuses what comes and waits for what has begun.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	close(s.closing)
	<-s.writer.done
	for range readers {
		<-s.readers
	}
	return s.closeConns()
}

// closeConns begins with the readers: the last connection to go puts the WAL
// into the file, and must be allowed to write.
func (s *Store) closeConns() error {
	var errs []error
	for _, c := range slices.Backward(s.conns) {
		errs = append(errs, c.close())
	}
	for _, pool := range slices.Backward(s.pools) {
		errs = append(errs, pool.Close())
	}
	return errors.Join(errs...)
}

// Writes counts commits, and the updates that shared them, since the store was
// opened.
func (s *Store) Writes() (commits, updates uint64) {
	return s.writer.commits.Load(), s.writer.updates.Load()
}
