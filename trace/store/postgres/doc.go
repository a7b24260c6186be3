// Package postgres is the engine of traces in PostgreSQL: a schema of its own,
// slipway_traces, whose tables have a partition for each day. A day is dropped
// with its partitions.
//
// Several servers may share a database. Who writes to a day holds a lock for it
// that ends with the transaction, so that each sees what those before it have
// done: the writers of servers take turns, as the writers of one process do.
package postgres
