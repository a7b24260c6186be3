package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// tx is a transaction. Statements with many rows of arguments go out together.
type tx struct {
	ctx  context.Context
	conn *pgx.Conn
}

// Exec implements store.Tx.
func (t tx) Exec(query string, args [][]any) ([]int64, error) {
	changed := make([]int64, len(args))
	err := t.batch(query, args, func(i int, results pgx.BatchResults) error {
		tag, err := results.Exec()
		changed[i] = tag.RowsAffected()
		return err
	})
	return changed, err
}

// Query implements store.Tx.
func (t tx) Query(query string, args [][]any, row func(int, func(...any) error) error) error {
	return t.batch(query, args, func(i int, results pgx.BatchResults) error {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(i, rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (t tx) batch(query string, args [][]any, read func(int, pgx.BatchResults) error) (err error) {
	if len(args) == 0 {
		return nil
	}
	var b pgx.Batch
	for _, row := range args {
		b.Queue(query, row...)
	}
	results := t.conn.SendBatch(t.ctx, &b)
	defer func() {
		if e := results.Close(); err == nil {
			err = e
		}
	}()
	for i := range args {
		if err := read(i, results); err != nil {
			return fmt.Errorf("run %q: %w", query, err)
		}
	}
	return nil
}
