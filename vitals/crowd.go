package vitals

import "sync"

// fewest is how many instances there must be for most of them to mean anything.
const fewest = 4

// crowd knows how many of those that are looked at miss their answers now.
type crowd struct {
	mu    sync.Mutex
	size  int
	amiss map[*watch]bool
}

func (c *crowd) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size++
}

func (c *crowd) leave(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size--
	delete(c.amiss, w)
}

func (c *crowd) well(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.amiss, w)
}

// missing notes a miss, and says whether most of the crowd misses.
func (c *crowd) missing(w *watch) (most bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.amiss == nil {
		c.amiss = map[*watch]bool{}
	}
	c.amiss[w] = true
	return c.size >= fewest && 2*len(c.amiss) > c.size
}
