// Package backoff says how long to wait before trying again.
package backoff

import "time"

// Exponential doubles from First up to Most.
type Exponential struct{ First, Most time.Duration }

// After returns the wait that follows n failures in a row; none before any.
func (e Exponential) After(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	wait := e.First
	for range n - 1 {
		if wait *= 2; wait >= e.Most {
			return e.Most
		}
	}
	return min(wait, e.Most)
}
