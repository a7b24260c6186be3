package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway/internal/turn"
	"github.com/slipwayhq/slipway/store/db"
)

// conn is a connection that is held for good and keeps its statements prepared.
// It takes queries in the flavour of PostgreSQL. One goroutine at a time uses it.
type conn struct {
	raw        *sql.Conn
	statements map[string]*sql.Stmt
	// awaited says whether somebody waits for the connection.
	awaited func() bool
	// failed is the first error of a statement since the last savepoint. From
	// then on nothing is run: SQLite may have ended the transaction, and what
	// came after would be committed by itself.
	failed error
}

var _ db.DBTX = (*conn)(nil)

// PrepareContext returns a statement that is closed with the connection.
func (c *conn) PrepareContext(_ context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	s, err := c.raw.PrepareContext(context.Background(), numbered(query))
	if err != nil {
		return nil, err
	}
	c.statements[query] = s
	return s, nil
}

// numbered turns the parameters $1, $2 … into ?1, ?2 …: SQLite knows the former
// as names. No query of ours has a '$' elsewhere.
func numbered(query string) string { return strings.ReplaceAll(query, "$", "?") }

func (c *conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.ready(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args...)
	return r, c.note(err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.ready(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	return rows, c.note(err)
}

// QueryRowContext can not make a sql.Row that holds an error of its own: where
// nothing may be run, that of an ended context must do.
func (c *conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := c.ready(ctx, query)
	if err != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return c.raw.QueryRowContext(ended, query, args...)
	}
	row := s.QueryRowContext(ctx, args...)
	c.note(row.Err())
	return row
}

func (c *conn) ready(ctx context.Context, query string) (*sql.Stmt, error) {
	if c.failed != nil {
		return nil, fmt.Errorf("not run after: %w", c.failed)
	}
	if !c.awaited() {
		turn.At(ctx).Breathe()
	}
	s, err := c.PrepareContext(ctx, query)
	return s, c.note(err)
}

func (c *conn) note(err error) error {
	if err != nil && c.failed == nil {
		c.failed = err
	}
	return err
}

// begin starts a transaction or a savepoint, for which nothing has failed yet.
func (c *conn) begin(statement string) error {
	c.failed = nil
	return c.control(statement)
}

// control runs a statement that steers the transaction, whatever failed before.
func (c *conn) control(statement string) error {
	s, err := c.PrepareContext(context.Background(), statement)
	if err == nil {
		_, err = s.ExecContext(context.Background())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.ToLower(statement), err)
	}
	return nil
}

// rollback ends the transaction. It fails where SQLite has done so by itself,
// which is as good.
func (c *conn) rollback() { _ = c.control("ROLLBACK") }

// close gives the connection back to its pool, without statements: SQLite does
// not close one that has any.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}
