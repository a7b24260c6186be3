// Package slipway is the domain of a control plane for Agent Servers: what a
// deployment, a revision, an instance and a lease are, which changes of state
// are possible, and the interfaces that the rest of the tree implements.
//
// It imports the standard library only and does no I/O. Folders are named for
// what they adapt: store to SQL, api to HTTP, driver to processes and engines.
//
// Two sides meet in the interface [Sync]. The control plane owns every row and
// never dials a data plane; a data plane claims work, takes one idempotent step
// after another and reports what it sees under the term of its lease. Either
// side may die at any instruction: the next pass reads what is wanted and what
// is there, and goes on.
package slipway
