package process

import (
	"context"
	"slices"
	"sync"

	"github.com/slipwayhq/slipway"
)

// exits tells everybody who listens which deployments had an end. Nobody who
// listens slowly holds it up: what he has not taken yet is kept once.
type exits struct {
	mu        sync.Mutex
	listeners []*listener
}

type listener struct {
	wake    chan struct{}
	pending []slipway.DeploymentID // guarded by exits.mu
}

// Exits reports deployments with an ended instance until ctx ends or the driver
// is closed; then the channel is closed.
func (d *Driver) Exits(ctx context.Context) <-chan slipway.DeploymentID {
	l := &listener{wake: make(chan struct{}, 1)}
	out := make(chan slipway.DeploymentID)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.alive.Err() != nil {
		close(out)
		return out
	}
	d.exits.add(l)
	d.watchers.Go(func() {
		defer close(out)
		defer d.exits.remove(l)
		for d.relay(ctx, l, out) {
		}
	})
	return out
}

// relay hands over what is pending, then waits for more. It returns false at
// the end.
func (d *Driver) relay(ctx context.Context, l *listener, out chan<- slipway.DeploymentID) bool {
	for _, id := range d.exits.take(l) {
		select {
		case out <- id:
		case <-ctx.Done():
			return false
		case <-d.alive.Done():
			return false
		}
	}
	select {
	case <-l.wake:
		return true
	case <-ctx.Done():
		return false
	case <-d.alive.Done():
		return false
	}
}

func (e *exits) add(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = append(e.listeners, l)
}

func (e *exits) remove(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = slices.DeleteFunc(e.listeners, func(other *listener) bool { return other == l })
}

func (e *exits) take(l *listener) []slipway.DeploymentID {
	e.mu.Lock()
	defer e.mu.Unlock()
	pending := l.pending
	l.pending = nil
	return pending
}

func (e *exits) send(id slipway.DeploymentID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.listeners {
		if !slices.Contains(l.pending, id) {
			l.pending = append(l.pending, id)
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}
