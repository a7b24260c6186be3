package trace

import (
	"maps"
	"math"
	"slices"
	"time"
)

// perOctave is how many buckets lie between a latency and its double.
const perOctave = 8

// Histogram counts latencies by their buckets, so that it can be kept as runs
// come and go.
type Histogram map[int]int

// Bucket is where a latency counts.
func Bucket(d time.Duration) int {
	if d < time.Microsecond {
		return 0
	}
	return 1 + int(math.Log2(float64(d/time.Microsecond))*perOctave)
}

// lowest latency of a bucket.
func lowest(bucket int) time.Duration {
	if bucket <= 0 {
		return 0
	}
	return time.Duration(math.Exp2(float64(bucket-1)/perOctave) * float64(time.Microsecond))
}

// Quantile is a latency that a share q of the runs does not exceed, by
// interpolation within a bucket: it is off by 9 % at most. False if there are no
// runs.
func (h Histogram) Quantile(q float64) (time.Duration, bool) {
	var all int
	for _, n := range h {
		all += n
	}
	if all <= 0 {
		return 0, false
	}
	rank, below := q*float64(all), 0
	var at time.Duration
	for _, bucket := range slices.Sorted(maps.Keys(h)) {
		n := h[bucket]
		if n <= 0 {
			continue
		}
		low, high := lowest(bucket), lowest(bucket+1)
		at = low + time.Duration(float64(high-low)*min(1, max(0, (rank-float64(below))/float64(n))))
		if below += n; float64(below) >= rank {
			break
		}
	}
	return at, true
}
