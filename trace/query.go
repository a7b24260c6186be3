package trace

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// DefaultLimit is how many runs a page has if the client does not say.
	DefaultLimit = 100
	// MaxLimit bounds a page.
	MaxLimit = 1000
	// maxListed bounds the identities that a query names.
	maxListed = 1000
)

// Query selects runs of a workspace that have been posted. The zero value of a
// field selects all.
type Query struct {
	Workspace slipway.WorkspaceID
	Projects  []slipway.ProjectID
	IDs       []ID
	Trace     ID
	Parent    ID
	Reference ID
	Root      *bool
	Type      string
	Status    Status
	Error     *bool
	Name      string    // exactly
	Tag       string    // has it
	Since     time.Time // of the start, inclusive
	Until     time.Time // of the start, exclusive
	Text      string    // contains every word of it, see Matches
	Filter    *Filter
	OfRoot    *Filter // what the root run of the run's trace must match

	Oldest bool   // first; else the newest
	After  Cursor // where the last page ended
	Limit  int
	Select Fields // which of the heavy fields are read; the others are zero
}

// Page is a part of the runs that a query selects, by their start.
type Page struct {
	Runs []Run
	// Next is where to go on, zero at the end. A page may be short, even empty,
	// and have a next one: a query that few of very many runs match is answered
	// in parts.
	Next Cursor
}

// Cursor is a place in the order of runs, zero before the first.
type Cursor struct {
	Start time.Time
	ID    ID
}

// IsZero says whether it is that before the first run.
func (c Cursor) IsZero() bool { return c.ID.IsZero() }

// String is what clients hand back.
func (c Cursor) String() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.Start.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID[:]...))
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 8+len(ID{}) {
		return Cursor{}, slipway.Errorf(slipway.CodeInvalid, "Invalid cursor %q: give back what the last page had as next.", clip(text))
	}
	return Cursor{time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(), ID(b[8:])}, nil
}

// Check says what is wrong with a query, and fills in the limit.
func (q *Query) Check() error {
	switch {
	case q.Limit < 0:
		return slipway.Errorf(slipway.CodeInvalid, "Invalid limit %d: it must be 1 or more.", q.Limit)
	case len(q.IDs) > maxListed || len(q.Projects) > maxListed:
		return slipway.Errorf(slipway.CodeInvalid, "A query names at most %d runs and %d projects: ask in parts.", maxListed, maxListed)
	case !slices.Contains([]Status{"", Pending, Success, Failed}, q.Status):
		return slipway.Errorf(slipway.CodeInvalid, "Invalid status %q: use %s, %s or %s.", clip(string(q.Status)), Pending, Success, Failed)
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	return nil
}
