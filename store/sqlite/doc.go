// Package sqlite keeps the store in one SQLite file, in WAL mode.
//
// # What is durable
//
// When Update returns nil, what its function wrote has been synced to disk
// (synchronous=FULL): it survives the end of the process and of the machine, as
// far as the disk keeps what it has promised. When Update returns an error,
// nothing of it is kept. If the process dies before Update returns, all of the
// function's writes are there after the next start or none; a caller that did
// not get an answer has to look.
//
// # How writes share a commit
//
//	callers          the writer's goroutine, one transaction
//	Update ──► queue ──► BEGIN IMMEDIATE
//	                       SAVEPOINT  ─► fn of the 1st ─► RELEASE
//	                       SAVEPOINT  ─► fn of the 2nd ─► error: ROLLBACK TO
//	                       …             all that wait, up to a bound
//	Update ◄── answers ◄─ COMMIT, one sync for all
//
// A function runs in the goroutine of its caller, while the writer waits for it:
// a panic or runtime.Goexit unwinds there, undoes that function's writes and
// nobody else's, and leaves the writer at work. It must not call Update itself:
// that would wait for ever.
//
// A caller whose context ends while it waits is not run. From its turn on the
// context is not looked at any more, so that the answer tells what happened.
//
// A failed statement fails its function, even if the function goes on and
// returns nil: so it is with PostgreSQL too. When the transaction as a whole is
// lost (disk full, I/O error, failed COMMIT) every caller in it gets the error,
// and the next ones are tried afresh: once there is space, the store goes on.
//
// # Reading
//
// View has a few connections of its own, which can not write, and sees one
// snapshot from its first statement on; it never waits for the writer. A View
// that lasts keeps the WAL from being reset: it grows meanwhile.
package sqlite
