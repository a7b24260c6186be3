// Package sqlite is the engine of traces in SQLite: a folder with a file for each
// day, each with its own write-ahead log. A day is dropped by removing its file,
// which costs the same for a million runs as for one, and gives all of its bytes
// back to the disk.
//
// A folder belongs to one process. What a transaction has written when Update
// returns is synced (WAL, synchronous=FULL). Files are opened when they are asked
// for, and those that were not for the longest time are closed again.
package sqlite
