// Package postgres keeps the store in a PostgreSQL database, which several
// servers may share.
//
// # What is durable
//
// When Update returns nil, PostgreSQL has committed what its function wrote, as
// durably as it is set up to. When Update returns an error, nothing of it is
// kept, but for one case: a connection that breaks while the commit is on its
// way leaves open whether it happened. Then a caller has to look, as after the
// end of its own process.
//
// # How transactions meet
//
// Update is SERIALIZABLE: use cases read before they write (is the name free?
// has somebody else the lease?) and what they read holds until their commit, on
// this server and on any other. PostgreSQL ends one of two transactions for which
// that would not be so; its function is run again, after a short wait that grows
// and differs from caller to caller. So it is with a deadlock, and with a
// connection that was lost before the commit: a database that starts anew is
// waited for, for a second or two. After that the caller gets the error. A function
// that has met others several times runs alone on its server.
//
//	Update ──► BEGIN ──► fn ──► COMMIT ──► nil
//	             ▲        │        │
//	             └─ wait ◄┴────────┘ conflict, deadlock; before COMMIT: connection lost
//
// A caller whose context ends while it waits for a connection or for another try
// is not run. During a try the context is not looked at, so that the answer tells
// what happened; a bound of our own ends a try that hangs.
//
// View is one snapshot (REPEATABLE READ, READ ONLY), which waits for nobody.
package postgres
