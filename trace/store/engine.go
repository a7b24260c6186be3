package store

import (
	"context"
	"time"
)

// Date is a day in UTC, counted from 1970-01-01.
type Date int

// DateOf is the day of a moment.
func DateOf(at time.Time) Date {
	const day = 24 * 60 * 60
	s := at.Unix()
	if s < 0 {
		s -= day - 1
	}
	return Date(s / day)
}

// Time is its midnight.
func (d Date) Time() time.Time { return time.Unix(0, 0).UTC().AddDate(0, 0, int(d)) }

func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// Engine keeps each day apart, so that it can be dropped at once.
type Engine interface {
	// Days are those that there are, oldest first.
	Days(context.Context) ([]Known, error)
	// Update runs fn in a transaction on a day, which is made if there is none.
	// It is durable when Update returns. Of several at once on one day each sees
	// what those before it have done. Where another server was in the way fn is
	// run again.
	Update(ctx context.Context, d Date, fn func(Tx) error) error
	// View runs fn, which only reads, on a day: once, or not at all if there is no
	// such day.
	View(ctx context.Context, d Date, fn func(Tx) error) error
	// Drop removes a day; one that is not there is removed already. The error is
	// ErrBusy if readers are in the way for so long that others would wait for them.
	Drop(context.Context, Date) error
	// Trim gives space back that deletions have left, where that has to be asked for.
	// Others read and write meanwhile.
	Trim(context.Context, Date) error
	// Size is how many bytes of disk a day takes.
	Size(context.Context, Date) (int64, error)
	Close() error
}

// Known is what is known of a day without looking into it.
type Known struct {
	Date        Date
	First, Last int64 // between which its runs have begun, microseconds since 1970
	Strays      int   // how many of its runs were not posted, or may be looked for in a later day
}

// Tx is a transaction on one day.
type Tx interface {
	// Exec runs a statement for each row of arguments, and says how many rows of
	// the table each has changed.
	Exec(query string, args [][]any) (changed []int64, err error)
	// Query runs a query for each row of arguments, and calls row for each row of
	// the answers, with the position of the arguments.
	Query(query string, args [][]any, row func(i int, scan func(...any) error) error) error
}
