package gateway

import (
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
)

// traffic counts the requests to a deployment. Nobody waits for anybody here.
type traffic struct {
	requests, errors atomic.Uint64
	latency          [len(slipway.LatencyBounds) + 1]atomic.Uint64
	took             atomic.Int64 // nanoseconds to the first byte, of all together
	holds            [len(slipway.LatencyBounds) + 1]atomic.Uint64
	held, longest    atomic.Int64 // nanoseconds, of all together and of one
	last             atomic.Int64 // nanoseconds since 1970, 0 for never
}

// Traffic counts what came for a deployment, but for probes of our own and what
// had no right to ask. One that is unrouted is forgotten a minute later.
func (g *Gateway) Traffic(d slipway.DeploymentID) slipway.Traffic {
	known, ok := g.table.ids.Load(string(d))
	if !ok {
		return slipway.Traffic{}
	}
	e := known.(*entry)
	t := &e.traffic
	out := slipway.Traffic{
		Requests: t.requests.Load(), Errors: t.errors.Load(), Waiting: e.queue.count(), InFlight: e.inProgress(),
		Took: time.Duration(t.took.Load()), Held: time.Duration(t.held.Load()), Longest: time.Duration(t.longest.Load()),
	}
	for i := range t.latency {
		out.Latency[i], out.Holds[i] = t.latency[i].Load(), t.holds[i].Load()
	}
	if ns := t.last.Load(); ns != 0 {
		out.Last = time.Unix(0, ns)
	}
	return out
}

func (t *traffic) came(at time.Time) { t.last.Store(at.UnixNano()) }

func (t *traffic) ended(o outcome) {
	t.requests.Add(1)
	if o.failed {
		t.errors.Add(1)
	}
	if o.answered() {
		t.latency[bucket(o.firstByte)].Add(1)
		t.took.Add(int64(o.firstByte))
	}
}

// letGo counts a request that was held for so long.
func (t *traffic) letGo(after time.Duration) {
	t.holds[bucket(after)].Add(1)
	t.held.Add(int64(after))
	for longest := t.longest.Load(); int64(after) > longest; longest = t.longest.Load() {
		if t.longest.CompareAndSwap(longest, int64(after)) {
			return
		}
	}
}

// bucket is where a latency is counted.
func bucket(d time.Duration) int {
	for i, bound := range slipway.LatencyBounds {
		if d <= bound {
			return i
		}
	}
	return len(slipway.LatencyBounds)
}
