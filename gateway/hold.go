package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
)

// places is a room for requests that wait.
type places struct{ taken atomic.Int64 }

// take finds a place if fewer than limit are taken.
func (p *places) take(limit int) bool {
	if p.taken.Add(1) <= int64(limit) {
		return true
	}
	p.free()
	return false
}

func (p *places) free() { p.taken.Add(-1) }

func (p *places) count() int { return int(p.taken.Load()) }

// wait waits for a change, or until it is worth looking again without one.
func wait(ctx context.Context, changed <-chan struct{}, again, limit <-chan time.Time) error {
	select {
	case <-changed:
		return nil
	case <-again:
		return nil
	case <-limit:
		return slipway.Errorf(slipway.CodeUnavailable, "The deployment did not become available in time. Try again in a moment; if it stays away, its status and its log say why: slipway status, slipway logs.")
	case <-ctx.Done():
		return slipway.Errorf(slipway.CodeUnavailable, "The request was given up.")
	}
}
