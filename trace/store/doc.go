// Package store keeps runs, a day at a time. What an engine does is in its
// subfolders: sqlite has a file for each day, postgres a partition; storetest is
// what both pass.
//
// # What it promises
//
// What Write has answered is synced. If the process dies before, an operation was
// taken or not, none by half, and the whole can be sent again: patches change
// nothing the second time, posts are duplicates.
//
//	callers              the writer's goroutine
//	Write ─► check, compress ─► queue ─► all that waits, grouped by run
//	                                      └─► for each day: one transaction, one sync
//	Write ◄───────── answers ◄────────────────┘
//
// # In which day a run is
//
// All runs of a trace are kept with the day, in UTC, in which the trace began, as
// the dotted order of each of them tells: what a later day learns of a run finds
// it there, and a trace is dropped as a whole. One that arrives more than a week
// late, from the future, or from before what is kept, is kept with the day of its
// arrival, so that no wrong clock makes a day, or has a run dropped at once.
//
// An operation is looked for in the day that it tells. A patch that is not there,
// or tells none, is looked for in all others, newest first; so is a post whose
// clock is out of these bounds. Other posts are looked for elsewhere only where there
// are strays: runs of which no post has come, or that are kept with a day before
// the one that they tell. So a run is found however its
// operations come; but if the identity of a run of another day is used again for a
// new trace of these days, that is another run.
//
// # What belongs to a run
//
// Large values and attachments are blobs that belong to one run each. They are
// removed before the rows that name them, so that a removal that died goes on. A
// blob is written before the row that names it; one without a row is removed a day
// later.
//
// # What is known of a project
//
// Counts, latencies and tokens are kept by day and project in the transaction that
// changes them, and so is what a day's first and last runs are, by which queries
// leave days out.
//
// # Queries
//
// An engine finds runs by their identity, their trace, or their project and start.
// All else is decided by trace.Query.Matches, for both engines alike, on the runs
// that it goes through; how many those may be is bounded, and a page that meets the
// bound says where to go on.
package store
