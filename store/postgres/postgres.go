package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/semaphore"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store"
)

const (
	// connections bounds what one server takes of the database's own limit
	// (100, as PostgreSQL comes). They are kept for a while: each costs a
	// process to begin.
	connections = 16
	idleFor     = 5 * time.Minute
	// connectionLife lets connections move after a change behind an address.
	connectionLife = 30 * time.Minute
	// migrationLock is held while the schema is brought up to date. Any number
	// will do that is nobody else's.
	migrationLock = 0x51_1B_3A_11
)

// Store is a slipway.Store in one database.
type Store struct {
	pool  *sql.DB
	turns *semaphore.Weighted // of what writes

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // transactions
	close   func() error
}

var _ slipway.Store = (*Store)(nil)

// Open connects to a database, given as postgres://user:password@host:port/name
// with the parameters of libpq, and brings its schema up to date. The database
// must exist; of servers that start at once, one migrates and the others wait.
// The error is store.ErrNewer if a newer Slipway has been there, and never holds
// the password.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	s := &Store{pool: sql.OpenDB(stdlib.GetConnector(*config)), turns: semaphore.NewWeighted(connections)}
	s.pool.SetMaxOpenConns(connections)
	s.pool.SetMaxIdleConns(connections)
	s.pool.SetConnMaxIdleTime(idleFor)
	s.pool.SetConnMaxLifetime(connectionLife)
	s.close = sync.OnceValue(s.shut)
	if err := s.open(ctx, config); err != nil {
		_ = s.pool.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot reach PostgreSQL at %s: %w", place(config), err)
	}
	defer conn.Close()
	if err := checkEncoding(ctx, conn); err != nil {
		return fmt.Errorf("PostgreSQL at %s: %w", place(config), err)
	}
	if err := s.migrate(ctx, conn); err != nil {
		return fmt.Errorf("PostgreSQL at %s: %w", place(config), err)
	}
	return nil
}

// checkEncoding refuses a database that can not hold every text.
func checkEncoding(ctx context.Context, conn *sql.Conn) error {
	var encoding string
	if err := conn.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return fmt.Errorf("ask for the encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s: make one with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// migrate holds a lock of conn's session, which ends with the session at the
// latest.
func (s *Store) migrate(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("wait for the schema's lock: %w", err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
	return store.Migrate(ctx, s.pool, goose.DialectPostgres)
}

// Update implements slipway.Store.
func (s *Store) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return s.transact(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, fn)
}

// View implements slipway.Store.
func (s *Store) View(ctx context.Context, fn func(slipway.Tx) error) error {
	return s.transact(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

// Close refuses what comes and waits for what has begun.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	return s.pool.Close()
}

// enter counts a transaction in, unless the store is closed.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.running.Add(1)
	return nil
}
