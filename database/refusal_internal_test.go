package database

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway"
)

// What a test can not bring about is decided by its state all the same.
func TestExplain(t *testing.T) {
	for state, c := range map[string]struct {
		code string // of a failure; "" for what passes
		says string
	}{
		diskFull:        {"", "the disk of the PostgreSQL at db:5432 is full: free some space"},
		outOfMemory:     {"", "out of memory"},
		tooMany:         {"", "no connection left"},
		"57P03":         {"", "starting or stopping"},
		"57P01":         {"", "starting or stopping"},
		noDatabase:      {"", "it went"}, // of a statement; not while connecting
		invalidPassword: {"database_refused", "it went"},
		noRight:         {"database_no_right", "it went"},
		readOnly:        {"database_read_only", "it went"},
		"XX000":         {"", "the PostgreSQL at db:5432: "},
	} {
		err := explain("db:5432", &pgconn.PgError{Code: state, Message: "it went"})
		f, final := errors.AsType[*slipway.Failure](err)
		if final != (c.code != "") || final && (f.Code != c.code || f.Hint == "") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", state, err)
		}
	}
	for _, err := range []error{nil, slipway.ErrDatabaseGone, context.Canceled, &slipway.Failure{Message: "known"}} {
		if got := explain("db:5432", err); !errors.Is(got, err) || got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
