// Package server keeps a PostgreSQL server of Slipway's own, for machines where
// nobody gives one.
//
// # Promises
//
//   - It begins to exist when the first agent needs it, and runs from then on.
//   - It outlives us: Close and kill -9 leave it alone, and the next Open adopts it.
//     When it ends by itself it is started again, with a growing wait.
//   - It is ours only by proof: its process works in our data folder, and is the one
//     that PostgreSQL's own lock file names. Nothing else is signalled.
//   - Two never run on the same data: PostgreSQL's lock sees to that, and before one
//     is started nothing of another is left.
//   - Data is never removed, nor touched by another version than its own.
//   - Where we are root it runs as a user of its own, and sees nothing of the data
//     folder but its part; with Landlock it reads and writes nothing else either.
//
// # Folders
//
//	<folder>/data/        the cluster; absent before it is whole
//	<folder>/making-*/    one that is being made; made again from the beginning
//	<folder>/run/         its Unix socket, for us
//	<folder>/conf/        written anew at each start, but for custom.conf, which is yours
//	<folder>/admin        the administrator's password
//	<folder>/port         its port, the same for good: agents are told it
//	<folder>/log          what it says; the last 16 MiB at most
//
// # States
//
//	         needed             answers
//	absent ─────────► starting ─────────► up ◄─────┐
//	                     │                │ ends   │ answers
//	                     └─► down ◄───────┘        │
//	                          │   again, later     │
//	                          └────────────────────┘
//
// Endpoint waits while it starts, and tells while it is down why it is.
//
// # Who may die when
//
// We may die at any instruction. A cluster that was not renamed into its place is
// made again. A PostgreSQL that was just started is found by its folder, or has
// not entered it yet: then it meets the next one at PostgreSQL's lock, where one of
// them ends, and who is left is adopted. When PostgreSQL's first process is killed,
// the others end by themselves soon; they are waited for, and killed if need be.
// After the machine has died, the lock file may name a process that is another by
// now: it is removed once nobody is in the folder.
package server
