package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway/trace/store"
)

// conn is a connection that is held for good and keeps its statements prepared.
// It takes queries in the flavour of PostgreSQL. One goroutine at a time uses it.
type conn struct {
	raw        *sql.Conn
	statements map[string]*sql.Stmt
	ctx        context.Context // of the queries; nil for one without end
}

var _ store.Tx = (*conn)(nil)

// within is the connection for queries that end with a context.
func (c *conn) within(ctx context.Context) *conn { return &conn{c.raw, c.statements, ctx} }

func (c *conn) context() context.Context {
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// prepared returns a statement that is closed with the connection.
func (c *conn) prepared(query string) (*sql.Stmt, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	// SQLite knows $1, $2 … as names. No query has a '$' elsewhere.
	s, err := c.raw.PrepareContext(context.Background(), strings.ReplaceAll(query, "$", "?"))
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	c.statements[query] = s
	return s, nil
}

// Exec implements store.Tx.
func (c *conn) Exec(query string, args [][]any) ([]int64, error) {
	changed := make([]int64, len(args))
	if len(args) == 0 {
		return changed, nil
	}
	s, err := c.prepared(query)
	if err != nil {
		return nil, err
	}
	for i, row := range args {
		result, err := s.ExecContext(c.context(), row...)
		if err == nil {
			changed[i], err = result.RowsAffected()
		}
		if err != nil {
			return nil, fmt.Errorf("run %q: %w", query, err)
		}
	}
	return changed, nil
}

// Query implements store.Tx.
func (c *conn) Query(query string, args [][]any, row func(int, func(...any) error) error) error {
	if len(args) == 0 {
		return nil
	}
	s, err := c.prepared(query)
	if err != nil {
		return err
	}
	for i := range args {
		if err := c.rows(s, args[i], func(scan func(...any) error) error { return row(i, scan) }); err != nil {
			return fmt.Errorf("run %q: %w", query, err)
		}
	}
	return nil
}

func (c *conn) rows(s *sql.Stmt, args []any, row func(func(...any) error) error) error {
	rows, err := s.QueryContext(c.context(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// control runs a statement that steers the transaction.
func (c *conn) control(statement string) error {
	s, err := c.prepared(statement)
	if err == nil {
		_, err = s.ExecContext(context.Background())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.ToLower(statement), err)
	}
	return nil
}

// close gives the connection back to its pool, without statements: SQLite does
// not close one that has any.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}
