// Package database keeps a PostgreSQL database for each deployment that needs one,
// on a server that they share: one that somebody else runs ([Given]), or Slipway's
// own (package server below).
//
// # What a deployment has
//
//	slipway_<id>            a role that nobody signs in by: it owns all below
//	slipway_<id>            its database
//	slipway_<id>_1, _2, …   logins: members of the owner, who act as it, so that
//	                        what one makes the next one has too
//	slipway_<id>_keeper     a login that there is while a dump is written or read
//	slipway_<id>_new, _old  databases that there are while a dump is read
//
// Each bears a comment that names the installation and the deployment. What is
// ours is decided by name and comment together: that of the owner for a database
// that the role owns, since an agent can write on its database what it likes, and
// on no role. Whatever else is there by such a name is a stranger's: it is never
// touched, and a database that would need the name fails.
//
// # Promises
//
//   - A deployment gets into no database but its own: CONNECT is taken from PUBLIC
//     before anybody can connect to it at all.
//   - No password is in an error, in the arguments or the variables of a program, or
//     in a statement, where the server's log could show it: what PostgreSQL is sent
//     is what it would make of the password itself (SCRAM-SHA-256).
//   - Dumps are written and read by a login of the deployment. What an agent left in
//     its database (a function in a constraint, say) runs with no more rights than
//     the agent had, whoever administers the server.
//   - A dump that can not be read changes nothing: it is read beside what there is,
//     and takes its place at the end.
//   - Every call may die at any line and be made again. Roles are made with their
//     comment in one transaction. A database is made closed, and opened when it is
//     finished but for its comment.
//
// # Who waits for whom
//
// A server that says nothing holds nobody up: what it has not done in time is given
// up, and tried again by who asked for it. A dump takes as long as it takes, while the
// server answers beside it, and so does, within reason, the end of a large database.
//
// Calls that change what a deployment has hold an advisory lock of its own on the
// server; those of different deployments do not meet.
//
// # What PostgreSQL does not have
//
// A limit of bytes. With a quota set, Enforce measures a database, and one that is
// over it gets default_transaction_read_only until it is a tenth below. That stops a
// program, not a person: who has the login can switch it off in a session. The limit
// of connections is the login's, which it can not change.
package database
