// Package store keeps the rows of the control plane in SQL. One schema and one
// set of queries serve both engines; the folders sqlite and postgres hold what
// differs, and storetest what both must pass.
//
// The queries are written for PostgreSQL and made into Go by sqlc. They keep to
// what SQLite understands as well: times are integers (microseconds since 1970,
// so a time that is read back has lost its nanoseconds and its zone), lists of
// parameters do not occur, and a lease is taken by comparing and swapping. Parts
// of a row that no query looks into are JSON text, written by record types of
// this package.
//
// # Leases
//
// A deployment is due when the time of its last Wake or Release has come, and
// also when a lease on it has run out: its holder died in the middle.
//
//	            Wake(at)                      Take, TakeDue: term+1
//	idle ───────────────────► due at ───────────────────────────────► held
//	  ▲                         ▲                                      │ │
//	  │     next is zero        │   next, or at once if the generation │ │
//	  └─────────────────────────┼───────────── Release ◄───────────────┘ │
//	                            └──────────── until has passed ◄─────────┘
//
// A Wake during a lease is kept: Release never makes a deployment due later
// than it says. A lease that has run out may still be renewed and reported
// under, until somebody else takes it.
package store

//go:generate go tool -modfile=../tools/go.mod sqlc generate
