package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/backoff"
	"github.com/slipwayhq/slipway/internal/pgerror"
	"github.com/slipwayhq/slipway/store"
	"github.com/slipwayhq/slipway/store/db"
)

const (
	// tries bounds how often a function is run. With the waits between they
	// take up to three seconds.
	tries = 16
	// together is how many tries a function makes beside others of this server.
	// Then it runs alone: in a crowd somebody always meets somebody.
	together = 4
	// tryWithin ends a try that hangs, on a dead network for one.
	tryWithin = 30 * time.Second
)

var between = backoff.Exponential{First: 2 * time.Millisecond, Most: 400 * time.Millisecond}

// transact runs fn in a transaction, again where that may help.
func (s *Store) transact(ctx context.Context, options *sql.TxOptions, fn func(slipway.Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	for failures := 1; ; failures++ {
		again, err := s.inTurn(ctx, failures, options, fn)
		if !again {
			return err
		}
		if failures == tries {
			return fmt.Errorf("given up after %d tries: %w", tries, err)
		}
		if e := wait(ctx, failures); e != nil {
			return fmt.Errorf("%w, after: %w", e, err)
		}
	}
}

// inTurn runs one try beside others, or alone if it has failed too often. Who
// only reads meets nobody.
func (s *Store) inTurn(ctx context.Context, failures int, options *sql.TxOptions, fn func(slipway.Tx) error) (again bool, err error) {
	share := int64(1)
	switch {
	case options.ReadOnly:
		return s.try(ctx, options, fn)
	case failures > together:
		share = connections
	}
	if err := s.turns.Acquire(ctx, share); err != nil {
		return false, fmt.Errorf("wait for a turn: %w", context.Cause(ctx))
	}
	defer s.turns.Release(share)
	return s.try(ctx, options, fn)
}

// wait differs from caller to caller, so that those who met do not meet again.
func wait(ctx context.Context, failures int) error {
	longest := between.After(failures)
	timer := time.NewTimer(longest/2 + rand.N(longest/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// try runs fn once. Again means that nothing was kept, and that the next try may
// do better.
func (s *Store) try(ctx context.Context, options *sql.TxOptions, fn func(slipway.Tx) error) (again bool, err error) {
	raw, err := s.pool.Conn(ctx)
	if err != nil {
		return pgerror.Passing(err), fmt.Errorf("connect: %w", err)
	}
	defer raw.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryWithin)
	defer cancel()
	tx, err := raw.BeginTx(ctx, options)
	if err != nil {
		return pgerror.Passing(err), fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // for panics and runtime.Goexit too
	conn := &conn{tx: tx}
	if err := fn(store.NewTx(ctx, conn)); err != nil {
		return pgerror.Passing(err) || pgerror.Passing(conn.failed), err
	}
	if conn.failed != nil {
		return pgerror.Passing(conn.failed), conn.failed
	}
	if err := tx.Commit(); err != nil {
		return pgerror.Undone(err), fmt.Errorf("commit: %w", err)
	}
	return false, nil
}

// conn is a transaction that remembers its first failure: PostgreSQL takes
// nothing more after it, and a function that goes on all the same has failed.
type conn struct {
	tx     *sql.Tx
	failed error
}

var _ db.DBTX = (*conn)(nil)

func (c *conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := c.tx.ExecContext(ctx, query, args...)
	return r, c.note(err)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	s, err := c.tx.PrepareContext(ctx, query)
	return s, c.note(err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.tx.QueryContext(ctx, query, args...)
	return rows, c.note(err)
}

func (c *conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row := c.tx.QueryRowContext(ctx, query, args...)
	c.note(row.Err())
	return row
}

func (c *conn) note(err error) error {
	if err != nil && c.failed == nil {
		c.failed = err
	}
	return err
}
