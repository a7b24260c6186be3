// Package simulation runs a whole control plane and data plane in one process,
// on a real store and a driver in memory, and lets them die. Its tests hold the
// invariants of the control loop against every order of events they can think
// of:
//
//   - At most one revision of a deployment is in progress; the others go on or
//     are skipped, and every one comes to an end.
//   - The active revision serves, whatever becomes of others; of an exclusive
//     kind no two instances have the state open at once.
//   - What does not settle gives way to what served before, once, and that serves
//     in the end.
//   - What a revision did to the state that failed is undone, what one did that
//     served is never lost, and one snapshot at most is kept.
//   - Nothing is made that the inventory does not name, and nothing is left of
//     a deleted deployment.
//   - When all is settled nobody holds a lease, nothing is due, and nothing is
//     written.
//
// Time is that of testing/synctest: hours pass in milliseconds, and a goroutine
// that is left behind fails the test.
//
// What an app does is written in its source ([script]); the fake builder reads
// it there, and the fake driver gets it by the arguments.
package simulation
