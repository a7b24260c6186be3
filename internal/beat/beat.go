// Package beat has what is done now and then done at common moments. A process
// that has little to do then sleeps as a whole in between: to wake it costs more
// than most of what it wakes for.
package beat

import "time"

// Every is the time from one beat to the next. They are those of the clock.
const Every = 250 * time.Millisecond

// Wait is how long to wait for the first beat that is at least so far away.
func Wait(now time.Time, atLeast time.Duration) time.Duration {
	return now.Add(atLeast + Every - 1).Truncate(Every).Sub(now.Round(0))
}
