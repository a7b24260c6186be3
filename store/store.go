package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

// ErrClosed means that the store was closed.
var ErrClosed = errors.New("store is closed")

// Tx is one transaction of either engine.
type Tx struct {
	ctx context.Context // of every statement
	q   *db.Queries
}

var _ slipway.Tx = Tx{}

// NewTx returns the transaction that conn is in. An engine begins and ends it.
func NewTx(ctx context.Context, conn db.DBTX) Tx {
	return Tx{ctx: ctx, q: db.New(textual{conn})}
}

// did says what was being done when an error came, and that there is no row in
// the domain's way.
func did(err error, what string, key any) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		err = slipway.ErrNoRow
	}
	return fmt.Errorf("%s %v: %w", what, key, err)
}

// hit is did for a write that must find its row.
func hit(rows int64, err error, what string, key any) error {
	if err == nil && rows == 0 {
		err = slipway.ErrNoRow
	}
	return did(err, what, key)
}

// one turns the answer of a query for one row into the domain's.
func one[R, T any](row R, err error, to func(R) (T, error), what string, key any) (T, error) {
	var none T
	if err != nil {
		return none, did(err, what, key)
	}
	t, err := to(row)
	return t, did(err, what, key)
}

// many does the same for a list.
func many[R, T any](rows []R, err error, to func(R) (T, error), what string, key any) ([]T, error) {
	if err != nil {
		return nil, did(err, what, key)
	}
	list := make([]T, 0, len(rows))
	for _, row := range rows {
		t, err := to(row)
		if err != nil {
			return nil, did(err, what, key)
		}
		list = append(list, t)
	}
	return list, nil
}

// sure makes a mapping that can not fail fit.
func sure[R, T any](to func(R) T) func(R) (T, error) {
	return func(r R) (T, error) { return to(r), nil }
}

// maxRows is the limit of a query: 0 selects all.
func maxRows(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt32
	}
	return int64(limit)
}
