package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/slipwayhq/slipway/trace"
)

// Kinds of a row.
const (
	stub  = 0 // has not been posted
	root  = 1
	child = 2
)

// Statuses as they are kept.
var statuses = []trace.Status{trace.Pending, trace.Success, trace.Failed}

// row is a run as it is kept. The heavy values of its run are packed.
type row struct {
	trace.State
	workspace, project int64 // owners; project is 0 while it is not known
	bytes              int64 // of all columns and attachments
	attached           bool
	sizes              [len(heavy)]int64 // of the heavy columns
}

func (r *row) kind() int {
	switch {
	case !r.Posted:
		return stub
	case r.Root():
		return root
	}
	return child
}

// arguments of insert and update. A heavy value that is nil stays as it is.
func (r *row) arguments(d Date) []any {
	args := append(make([]any, 0, 24), int64(d), r.ID[:], r.workspace, r.kind(), r.project,
		bytesOf(r.Trace), bytesOf(r.Parent), packOrder(&r.Run), r.Name, r.Type, microsOrNone(r.Start), microsOrNone(r.End), indexOf(r.Status()),
		int64(r.Patched), bytesOf(r.Reference), tagsText(r.Tags), r.bytes, boolean(r.attached), pack(errorContent(r.Error)))
	for _, c := range heavy {
		args = append(args, c.of(&r.Run).Inline)
	}
	return args
}

// amends says whether an update leaves the columns as they were that are in
// indexes: an engine writes those of an update anew, even if they are the same.
func (r *row) amends(before *row) bool {
	return r.kind() == before.kind() && r.project == before.project && r.Run.Trace == before.Run.Trace && r.Start.Equal(before.Start)
}

// amending takes the arguments of those columns out.
func amending(args []any) []any {
	kept := append(args[:3:3], args[6:10]...) // but kind, project and trace
	return append(kept, args[11:]...)         // but start
}

// rowBytes is about what a row takes without its values.
const rowBytes = 100

// weigh says what the row takes, which took before as it was.
func (r *row) weigh(before row) {
	r.bytes = before.bytes + r.text() - before.text()
	for i, c := range heavy {
		if packed := c.of(&r.Run).Inline; packed != nil {
			r.bytes += int64(len(packed)) - r.sizes[i]
			r.sizes[i] = int64(len(packed))
		}
	}
}

func (r *row) text() int64 {
	if r.ID.IsZero() {
		return 0
	}
	n := rowBytes + len(r.Name) + len(r.Type) + len(r.Error)
	for _, t := range r.Tags {
		n += len(t)
	}
	return int64(n)
}

func bytesOf(id trace.ID) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func microsOrNone(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return micros(at)
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func indexOf(s trace.Status) int64 {
	for i, is := range statuses {
		if is == s {
			return int64(i)
		}
	}
	return -1
}

func errorContent(text string) trace.Content {
	if text == "" {
		return trace.Content{}
	}
	return trace.Inline([]byte(text))
}

func tagsText(tags []string) any {
	if tags == nil {
		return nil
	}
	b, _ := json.Marshal(tags) // texts can always be written
	return string(b)
}

// columnsRead are what the light columns are scanned into.
type columnsRead struct {
	id, trace, parent, reference, place, failure []byte
	start, ended                                 sql.NullInt64
	kind, status, patched, attached              int64
	tags                                         sql.NullString
}

// scanRow reads the light columns into r and what follows into rest.
func scanRow(r *row, scan func(...any) error, rest ...any) error {
	var c columnsRead
	into := []any{
		&c.id, &r.workspace, &c.kind, &r.project, &c.trace, &c.parent, &c.place, &r.Name, &r.Type, &c.start, &c.ended, &c.status,
		&c.patched, &c.reference, &c.tags, &r.bytes, &c.attached, &c.failure,
	}
	if err := scan(append(into, rest...)...); err != nil {
		return err
	}
	return c.fill(r)
}

func (c *columnsRead) fill(r *row) error {
	copy(r.ID[:], c.id)
	copy(r.Run.Trace[:], c.trace)
	copy(r.Parent[:], c.parent)
	copy(r.Reference[:], c.reference)
	r.Posted, r.Patched, r.attached = c.kind != stub, trace.Fields(c.patched), c.attached != 0
	if c.start.Valid {
		r.Start = moment(c.start.Int64)
	}
	if c.ended.Valid {
		r.End = moment(c.ended.Int64)
	}
	if c.tags.Valid {
		if err := json.Unmarshal([]byte(c.tags.String), &r.Tags); err != nil {
			return err
		}
	}
	failure, err := unpack(c.failure)
	r.Error = string(failure.Inline)
	r.Order = unpackOrder(c.place, &r.Run)
	return err
}
