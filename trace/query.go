package trace

import (
	"bytes"
	"cmp"
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
	// Sees says whose runs whoever asks may see; nil for all. Others are as if they
	// were not there.
	Sees      func(slipway.ProjectID) (bool, error)
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

// Check says what is wrong with a query, fills in the limit, and brings texts into
// the form in which they are kept.
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
	q.IDs, q.Projects = unique(q.IDs), unique(q.Projects)
	q.Name, q.Type, q.Tag = text(q.Name, maxText), text(q.Type, maxText), text(q.Tag, maxText)
	return nil
}

// unique leaves out what comes again.
func unique[T comparable](all []T) []T {
	var once []T
	for _, v := range all {
		if !slices.Contains(once, v) {
			once = append(once, v)
		}
	}
	return once
}

// searched are the heavy fields that a search looks at.
const searched = FieldInputs | FieldOutputs

// Needs are the heavy fields that Matches looks at.
func (q *Query) Needs() Fields {
	needs := q.Filter.Needs()
	if q.Text != "" {
		needs |= searched
	}
	return needs
}

// Narrow is a query for no fewer runs than q, and no more than q without its
// filter: what the filter asks of all runs is said in the fields as well.
func (q Query) Narrow() Query {
	if q.Filter != nil {
		q.Filter.holds.narrow(&q)
	}
	return q
}

// Matches says whether a run that was posted is selected, apart from what is
// asked of its trace's root. Text matches a run if each of its words, separated
// by space, occurs in the name, the error, the inputs or the outputs, in any
// case, also within a word. What lies in blobs is not looked into.
func (q *Query) Matches(r *Run) bool {
	return r.Workspace == q.Workspace && q.after(r) && among(q.Projects, r.Project) && among(q.IDs, r.ID) &&
		like(q.Trace, r.Trace) && like(q.Parent, r.Parent) && like(q.Reference, r.Reference) &&
		like(q.Type, r.Type) && like(q.Name, r.Name) && like(q.Status, r.Status()) &&
		(q.Root == nil || *q.Root == r.Root()) && (q.Error == nil || *q.Error == (r.Error != "")) &&
		(q.Tag == "" || slices.Contains(r.Tags, q.Tag)) &&
		!r.Start.Before(q.Since) && (q.Until.IsZero() || r.Start.Before(q.Until)) &&
		(q.Text == "" || find(q.Text).holds(&subject{Run: r})) && q.Filter.Holds(r)
}

// after says whether a run comes after the cursor.
func (q *Query) after(r *Run) bool {
	return q.After.IsZero() || q.Compare(q.After, Cursor{r.Start, r.ID}) < 0
}

// Compare orders runs as the query has them.
func (q *Query) Compare(a, b Cursor) int {
	order := cmp.Or(a.Start.Compare(b.Start), bytes.Compare(a.ID[:], b.ID[:]))
	if q.Oldest {
		return order
	}
	return -order
}

func among[T comparable](wanted []T, is T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, is)
}

func like[T comparable](wanted, is T) bool {
	var any T
	return wanted == any || wanted == is
}
