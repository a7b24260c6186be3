// Package postgrestest gives tests a PostgreSQL of their own: a cluster in a
// temporary folder, reached by a Unix socket, that nothing outside of the
// test's process knows or needs.
//
// A process starts its cluster when a test first asks for one, which takes about
// a second, and its tests share it, each with a database of its own. A shell
// waits for the process to end, in whatever way, stops the cluster and removes
// the folder.
package postgrestest
