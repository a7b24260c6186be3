package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway"
)

// States of PostgreSQL's errors (its appendix A).
const (
	readOnly        = "25006"
	invalidPassword = "28P01"
	invalidAuth     = "28000"
	noDatabase      = "3D000"
	noRight         = "42501"
	diskFull        = "53100"
	outOfMemory     = "53200"
	tooMany         = "53300"
	notSupported    = "0A000"
	noFile          = "58P01"
	inUse           = "55006"
	stopping        = "57P" // begins them
)

// stateOf is the state of an error that PostgreSQL answered, "" of any other.
func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// explain says what to do about an error of a server. What an administrator must
// change is final; what passes, or is being seen to, is not.
func explain(at string, err error) error {
	if err == nil || known(err) {
		return err
	}
	if errors.Is(err, errSilent) {
		return fmt.Errorf("the PostgreSQL at %s can not be used, which is tried again: %w", at, err)
	}
	if errors.Is(err, errOccupied) {
		return fmt.Errorf("the PostgreSQL at %s: %w", at, err)
	}
	answer, answered := errors.AsType[*pgconn.PgError](err)
	if !answered {
		return unreached(at, err)
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	switch {
	case answer.Code == invalidPassword, answer.Code == invalidAuth, answer.Code == noDatabase && connecting:
		return failed("database_refused", "Correct the address of the PostgreSQL for agents that the server is started with: user, password, database.",
			"The PostgreSQL at %s does not let Slipway in: %s.", at, answer.Message)
	case answer.Code == noRight:
		return failed("database_no_right", "Give Slipway's role on that server what it lacks: ALTER ROLE … CREATEDB CREATEROLE, and for what is there already GRANT slipway_<id> TO ….",
			"The PostgreSQL at %s does not let Slipway do it: %s.", at, answer.Message)
	case answer.Code == readOnly:
		return failed("database_read_only", "Name the primary server.", "The PostgreSQL at %s takes no changes: %s.", at, answer.Message)
	case answer.Code == tooMany:
		return fmt.Errorf("the PostgreSQL at %s has no connection left: raise its max_connections, or have agents use fewer: %w", at, err)
	case answer.Code == diskFull:
		return fmt.Errorf("the disk of the PostgreSQL at %s is full: free some space: %w", at, err)
	case answer.Code == outOfMemory:
		return fmt.Errorf("the PostgreSQL at %s is out of memory: %w", at, err)
	case strings.HasPrefix(answer.Code, stopping):
		return fmt.Errorf("the PostgreSQL at %s is starting or stopping: %w", at, err)
	}
	return fmt.Errorf("the PostgreSQL at %s: %w", at, err)
}

// known says whether an error has its words already.
func known(err error) bool {
	_, final := errors.AsType[*slipway.Failure](err)
	return final || errors.Is(err, slipway.ErrDatabaseGone) || errors.Is(err, context.Canceled)
}

// unreached keeps of an error what the network said: the rest names each try.
func unreached(at string, err error) error {
	if cause, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("the PostgreSQL at %s can not be reached, which is tried again: %w", at, cause)
	}
	return fmt.Errorf("the PostgreSQL at %s can not be reached, which is tried again: %w", at, err)
}
