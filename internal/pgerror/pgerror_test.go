package pgerror_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway/internal/pgerror"
)

func TestWhatIsRunAgain(t *testing.T) {
	code := func(c string) error { return &pgconn.PgError{Code: c} }
	for _, c := range []struct {
		err             error
		undone, passing bool
	}{
		{nil, false, false},
		{code("40001"), true, true},
		{code("40P01"), true, true},
		{code("57P01"), false, true},
		{code("57P03"), false, true},
		{code("57014"), false, false}, // it was cancelled
		{code("23505"), false, false}, // a key is taken
		{code("53100"), false, false}, // the disk is full
		{driver.ErrBadConn, false, true},
		{io.ErrUnexpectedEOF, false, true},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, false, true},
		{context.Canceled, false, false},
		{errors.Join(context.DeadlineExceeded, io.EOF), false, false},
		{code("55P03"), false, false}, // a lock was not to be had in time
		{errors.New("something else"), false, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			if undone, passing := pgerror.Undone(err), pgerror.Passing(err); undone != c.undone || passing != c.passing {
				t.Errorf("%v: undone %t, passing %t", err, undone, passing)
			}
		}
	}
}

func TestBusy(t *testing.T) {
	for code, want := range map[string]bool{"55P03": true, "57014": false} {
		err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})
		if busy := pgerror.Busy(err); busy != want {
			t.Errorf("%v: busy %t", err, busy)
		}
	}
}
