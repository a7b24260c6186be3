package slipway

import (
	"errors"
	"fmt"
	"time"
)

// Code says who must act on an error, and decides its HTTP status at the one
// place where errors become answers.
type Code string

const (
	CodeInvalid         Code = "invalid"         // the request can not be granted as it is
	CodeUnauthenticated Code = "unauthenticated" // no key, or one that is not ours
	CodeForbidden       Code = "forbidden"       // the key lacks a scope
	CodeNotFound        Code = "not_found"       // no such object in this workspace
	CodeConflict        Code = "conflict"        // clashes with what exists
	CodeStale           Code = "stale"           // the caller wants it as it was read, and it is not any more
	CodeTooLarge        Code = "too_large"       // more bytes than allowed
	CodeFull            Code = "full"            // the server's disk has no room for it
	CodeRateLimited     Code = "rate_limited"    // too many requests for now
	CodeUnavailable     Code = "unavailable"     // not now; try again
	CodeNotImplemented  Code = "not_implemented" // a part of the contract that is not served yet
)

// Error is an expected error: its text is for the caller. Everything else that
// is returned as an error is ours, and callers see only that it is internal.
type Error struct {
	Code   Code
	Text   string
	Reason string        // a word for programs, shown beside the text; "" where the contract has none
	After  time.Duration // when it is worth trying again; 0 if that is not known
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an expected error.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of an expected error, "" of any other.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

var (
	// ErrStale means that a row was changed by somebody else since it was read.
	ErrStale = errors.New("row changed since it was read")
	// ErrNoRow means that a row does not exist. The service turns it into an
	// Error with the contract's text.
	ErrNoRow = errors.New("no such row")
	// ErrTransition means that an event can not happen in that state; the text
	// names both.
	ErrTransition = errors.New("impossible transition")
	// ErrDeleting means that nothing is begun any more for a deployment, since it
	// was deleted meanwhile.
	ErrDeleting = errors.New("the deployment is being deleted")
	// ErrUntold means that an instance has no way to say what was asked.
	ErrUntold = errors.New("the instance does not tell")
	// ErrNoState means that a deployment keeps no state.
	ErrNoState = errors.New("the deployment has no state")
	// ErrLeased means that somebody else holds the lease.
	ErrLeased = errors.New("deployment is leased")
	// ErrLeaseLost means that a report came under a term that is over.
	ErrLeaseLost = errors.New("lease lost")
)

// Failure is why a revision failed or an instance ended: final, and meant to be
// read by the person whose app it is. Any other error of a build or a driver is
// temporary and is tried again until the revision's deadline.
type Failure struct {
	Phase   string // build, deploy or serve
	Step    string // what was being done: unpack, config, install, start, gate, …
	Code    string // machine-readable, stable: bad_archive, graph_not_found, …
	Message string // one or a few lines, quoting the error's own message
	Hint    string // what to do about it, "" if it is plain
	Exit    *int   // exit code of the process concerned
}

func (f *Failure) Error() string { return f.Message }

// PortInUse is the code of a failure to start because a stranger holds the port.
const PortInUse = "port_in_use"

// Phases of a failure.
const (
	PhaseBuild  = "build"
	PhaseDeploy = "deploy"
	PhaseServe  = "serve" // it was deployed, and failed afterwards
)
