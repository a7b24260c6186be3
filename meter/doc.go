// Package meter measures what runs on a data plane: what its instances and
// its own Redis use, how many serve, what comes for them and how their runs stand.
//
// Each deployment is measured in a goroutine of its own, at the same moment of
// every interval, which is one of some fifty beats of it: so the work is spread, a
// driver or an agent that hangs keeps nobody else waiting, and a sample lies in
// the middle of the slot that it is kept in. What was measured is handed over
// once an interval, all in one call.
//
// A sample tells of what has happened since the last one. What a deployment had
// used before it was watched, in another life of the server perhaps, is in none.
package meter
