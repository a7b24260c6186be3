// Package meter measures what runs on a data plane: what its instances and
// its own Redis use, how many serve, what comes for them and how their runs stand.
//
// Each deployment is measured at the same moment of every interval, which is one of
// some fifty beats of it: so the work is spread, and a sample lies in the middle of
// the slot that it is kept in. Those of one moment are measured one after another; a
// driver or an agent that hangs keeps the others waiting for some milliseconds only
// (internal/rounds). What was measured is handed over
// once an interval, all in one call.
//
// A sample tells of what has happened since the last one. What a deployment had
// used before it was watched, in another life of the server perhaps, is in none.
package meter
