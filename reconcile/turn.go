package reconcile

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// turnFor is how long a deletion keeps its turn: what takes longer waits for
// something else than this machine's processors, and must not have the others
// wait too.
const turnFor = 100 * time.Millisecond

// turns bound how many deletions are worked on at once. Half of the processors are
// left to what serves: only where one idles is a request taken as soon as it
// arrives. What a deletion waits for, such as a commit, keeps the other half from
// being lost on it.
type turns chan struct{}

func newTurns() turns { return make(turns, max(1, runtime.GOMAXPROCS(0)/2)) }

// turn is a place among those that are worked on.
type turn struct {
	places turns
	given  atomic.Bool // back
	limit  *time.Timer
}

func (t turns) take(ctx context.Context) (*turn, error) {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	own := &turn{places: t}
	own.limit = time.AfterFunc(turnFor, own.leave)
	return own, nil
}

func (t *turn) leave() {
	if t.given.CompareAndSwap(false, true) {
		<-t.places
	}
}

// give gives a turn back, if there is one.
func (t *turn) give() {
	if t != nil {
		t.limit.Stop()
		t.leave()
	}
}

func (t *turn) held() bool { return t != nil && !t.given.Load() }
