package vitals

import (
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// fewest is how many deployments there must be for most of them to mean
	// anything.
	fewest = 4
	// amnesty is how long it may be the fault of the machine, or ours, that most
	// miss their answers: one that lasts does not pass by itself.
	amnesty = 5 * time.Minute
)

// crowd knows of which of the deployments that are looked at instances miss their
// answers now. Those of one deployment run the same code, and may well hang
// together.
type crowd struct {
	mu      sync.Mutex
	watched map[slipway.DeploymentID]int // instances
	amiss   map[slipway.DeploymentID]int
	since   time.Time // when most began to miss, zero while they do not
}

func (c *crowd) join(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched == nil {
		c.watched, c.amiss = map[slipway.DeploymentID]int{}, map[slipway.DeploymentID]int{}
	}
	c.watched[w.Route.Deployment]++
	c.judge()
}

func (c *crowd) leave(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	less(c.watched, w.Route.Deployment)
	c.absolve(w)
}

func (c *crowd) well(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.absolve(w)
}

// missing notes a miss, and says whether it is not to be held against anybody:
// most of the crowd misses, and has not for long.
func (c *crowd) missing(w *watch) (pardoned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.amiss {
		w.amiss = true
		c.amiss[w.Route.Deployment]++
	}
	c.judge()
	return !c.since.IsZero() && time.Since(c.since) < amnesty
}

func (c *crowd) absolve(w *watch) {
	if w.amiss {
		w.amiss = false
		less(c.amiss, w.Route.Deployment)
	}
	c.judge()
}

// judge sees whether most miss now.
func (c *crowd) judge() {
	switch most := len(c.watched) >= fewest && 2*len(c.amiss) > len(c.watched); {
	case !most:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = time.Now()
	}
}

func less(count map[slipway.DeploymentID]int, d slipway.DeploymentID) {
	if count[d]--; count[d] <= 0 {
		delete(count, d)
	}
}
