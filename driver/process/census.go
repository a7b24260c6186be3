package process

import "sync"

// census lets many who ask what runs share a look at all processes: who asks
// gets one that began after he did.
type census struct {
	turn sync.Mutex // held while somebody looks

	mu   sync.Mutex
	next func() ([]claim, error) // has not begun
}

func (c *census) take(look func() ([]claim, error)) ([]claim, error) {
	c.mu.Lock()
	shared := c.next
	if shared == nil {
		shared = sync.OnceValues(func() ([]claim, error) {
			c.turn.Lock()
			defer c.turn.Unlock()
			c.mu.Lock()
			c.next = nil
			c.mu.Unlock()
			return look()
		})
		c.next = shared
	}
	c.mu.Unlock()
	return shared()
}
