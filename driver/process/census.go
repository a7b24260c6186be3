package process

import "sync"

// census lets many who ask what runs share a look at all processes: who asks
// gets one that began after he did.
type census[T any] struct {
	turn sync.Mutex // held while somebody looks

	mu   sync.Mutex
	next func() (T, error) // has not begun
}

func (c *census[T]) take(look func() (T, error)) (T, error) {
	c.mu.Lock()
	shared := c.next
	if shared == nil {
		shared = sync.OnceValues(func() (T, error) {
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
