package registry

import (
	"context"
	"errors"
	"sync"

	"github.com/slipwayhq/slipway"
)

// errRemoved cuts requests that write below a prefix which is being removed.
var errRemoved = errors.New("the deployment is being deleted")

// visits knows who writes below which prefix. A prefix is removed once nobody
// does: else what came last would stay, and nobody would know of it.
type visits struct {
	mu sync.Mutex
	of map[slipway.DeploymentID]*visit
}

// visit is what those share who write below one prefix.
type visit struct {
	open   context.Context // ends when they have to leave
	cut    context.CancelFunc
	count  int
	closed bool
	left   chan struct{} // closed when it is, and the last one has left
}

// enter begins to write. The context ends, by errRemoved, when the prefix is to
// be removed; leave must be called after the last write.
func (v *visits) enter(ctx context.Context, d slipway.DeploymentID) (_ context.Context, leave func(), _ error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.at(d)
	if at.closed {
		return nil, nil, errRemoved
	}
	at.count++
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(at.open, func() { cancel(errRemoved) })
	return ctx, func() {
		stop()
		cancel(nil)
		v.leave(d, at)
	}, nil
}

// at is the visit of a prefix, a new one if there is none.
func (v *visits) at(d slipway.DeploymentID) *visit {
	at := v.of[d]
	if at == nil {
		at = &visit{left: make(chan struct{})}
		at.open, at.cut = context.WithCancel(context.Background())
		v.of[d] = at
	}
	return at
}

func (v *visits) leave(d slipway.DeploymentID, at *visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at.count--
	switch {
	case at.count > 0:
	case at.closed:
		close(at.left)
	default:
		at.cut()
		delete(v.of, d)
	}
}

// clear has everybody leave, and lets nobody enter until reopen is called. At
// most one at a time clears a prefix.
func (v *visits) clear(ctx context.Context, d slipway.DeploymentID) (reopen func(), _ error) {
	at, err := v.close(d)
	if err != nil {
		return nil, err
	}
	select {
	case <-at.left:
		return func() { v.reopen(d) }, nil
	case <-ctx.Done():
		go func() { <-at.left; v.reopen(d) }() // closed until the last one has left
		return nil, ctx.Err()
	}
}

func (v *visits) close(d slipway.DeploymentID) (*visit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.at(d)
	if at.closed {
		return nil, errors.New("somebody else is removing it")
	}
	at.closed = true
	at.cut()
	if at.count == 0 {
		close(at.left)
	}
	return at, nil
}

func (v *visits) reopen(d slipway.DeploymentID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.of, d)
}
