// Package exits tells everybody who listens which deployments had an end.
package exits

import (
	"context"
	"slices"
	"sync"

	"github.com/slipwayhq/slipway"
)

// Exits holds nobody up who sends: what one that listens slowly has not taken
// yet is kept for him once.
type Exits struct {
	alive   context.Context
	relays  sync.WaitGroup
	mu      sync.Mutex
	heard   []*listener
	waiting bool // nobody may begin to listen any more
}

type listener struct {
	wake    chan struct{}
	pending []slipway.DeploymentID // guarded by Exits.mu
}

// Until returns what tells of exits until alive ends.
func Until(alive context.Context) *Exits { return &Exits{alive: alive} }

// Listen reports deployments with an ended instance until ctx ends or nothing
// is told any more; then the channel is closed.
func (e *Exits) Listen(ctx context.Context) <-chan slipway.DeploymentID {
	l := &listener{wake: make(chan struct{}, 1)}
	out := make(chan slipway.DeploymentID)
	if !e.add(l) {
		close(out)
		return out
	}
	go func() {
		defer e.relays.Done()
		defer close(out)
		defer e.remove(l)
		for e.relay(ctx, l, out) {
		}
	}()
	return out
}

// Wait returns, once nothing is told any more, when all channels are closed.
func (e *Exits) Wait() {
	e.mu.Lock()
	e.waiting = true
	e.mu.Unlock()
	e.relays.Wait()
}

// relay hands over what is pending, then waits for more. It returns false at
// the end.
func (e *Exits) relay(ctx context.Context, l *listener, out chan<- slipway.DeploymentID) bool {
	for _, id := range e.take(l) {
		select {
		case out <- id:
		case <-ctx.Done():
			return false
		case <-e.alive.Done():
			return false
		}
	}
	select {
	case <-l.wake:
		return true
	case <-ctx.Done():
		return false
	case <-e.alive.Done():
		return false
	}
}

func (e *Exits) add(l *listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting || e.alive.Err() != nil {
		return false
	}
	e.heard = append(e.heard, l)
	e.relays.Add(1)
	return true
}

func (e *Exits) remove(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = slices.DeleteFunc(e.heard, func(other *listener) bool { return other == l })
}

func (e *Exits) take(l *listener) []slipway.DeploymentID {
	e.mu.Lock()
	defer e.mu.Unlock()
	pending := l.pending
	l.pending = nil
	return pending
}

// Send says that an instance of a deployment has ended.
func (e *Exits) Send(id slipway.DeploymentID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.heard {
		if !slices.Contains(l.pending, id) {
			l.pending = append(l.pending, id)
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}
