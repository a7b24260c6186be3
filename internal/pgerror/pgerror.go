// Package pgerror tells which errors of PostgreSQL a transaction may be run again
// after.
package pgerror

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// Undone says whether PostgreSQL has undone a transaction for another's sake
// (serialization_failure, deadlock_detected). Nothing of it was kept, even if the
// error is that of the commit.
func Undone(err error) bool { return hasCode(err, "40001", "40P01") }

// Passing says whether a transaction that had not begun to commit may do better
// when it is run again: it was undone, the connection is gone, or the database is
// not up yet. Of a commit that failed so nobody knows whether it was kept.
func Passing(err error) bool { return Undone(err) || lost(err) }

// Busy says whether a lock was not to be had in time (lock_not_available).
func Busy(err error) bool { return hasCode(err, "55P03") }

func lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, answered := errors.AsType[*pgconn.PgError](err); answered {
		return hasCode(err, "57P01", "57P02", "57P03") // it shuts down, has crashed, starts
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func hasCode(err error, codes ...string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(codes, e.Code)
}
