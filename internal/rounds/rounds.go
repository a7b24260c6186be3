// Package rounds has many things looked at now and then: each when it is due, and
// what is due together one after another, since at once they would keep what serves
// from the processors. What is not due costs no goroutine.
package rounds

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/slipwayhq/slipway/internal/turn"
)

// patience is how long a visit keeps those after it waiting at most. One that takes
// longer waits for somebody's answer; it goes on beside them.
const patience = 5 * time.Millisecond

// Rounds is a set of visits. The zero value is not ready: see New.
type Rounds struct {
	turns *turn.Turns
	going sync.WaitGroup

	mu     sync.Mutex
	queue  queue
	sooner chan struct{} // holds one: something is due before what was first
}

// Visit is what is done at one place, again and again until it ends.
type Visit struct {
	rounds *Rounds
	do     func(context.Context) time.Time
	done   func()

	// The lock of the rounds guards the rest.
	at     time.Time
	place  int                // in the queue, -1 while it is not there
	cancel context.CancelFunc // of the one that is being made, nil for none
	ended  bool
}

// New returns rounds without visits. Run makes them.
func New() *Rounds {
	return &Rounds{turns: turn.Of(1, patience), sooner: make(chan struct{}, 1)}
}

// Add has do be called at a time, and then whenever it says, until it says zero. Its
// context ends with the visit's End, and with that of Run. After the last call done
// is called, unless it is nil or Run has ended.
func (r *Rounds) Add(at time.Time, do func(context.Context) (next time.Time), done func()) *Visit {
	v := &Visit{rounds: r, do: do, done: done, at: at, place: -1}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.push(v)
	return v
}

// End has no more calls be made, and cancels the one that is being made, for which it
// does not wait. Again does nothing.
func (v *Visit) End() {
	if v.leave() && v.done != nil {
		v.done()
	}
}

// leave says whether it was the last, and is over.
func (v *Visit) leave() bool {
	r := v.rounds
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.ended {
		return false
	}
	v.ended = true
	if v.cancel != nil {
		v.cancel()
		return false // who makes it sees to the rest
	}
	heap.Remove(&r.queue, v.place)
	return true
}

// Run makes visits until ctx ends, and returns when none is being made any more.
func (r *Rounds) Run(ctx context.Context) {
	defer r.going.Wait()
	for ctx.Err() == nil {
		own, err := r.turns.Take(ctx)
		if err != nil {
			return
		}
		v, visiting, wait := r.due(ctx)
		if v == nil {
			own.Give()
			r.wait(ctx, wait)
			continue
		}
		r.going.Go(func() {
			defer own.Give()
			r.finish(v, v.do(visiting))
		})
	}
}

// due takes the visit that is due; if none is, it says how long to wait, less than
// zero for ever.
func (r *Rounds) due(ctx context.Context) (v *Visit, visiting context.Context, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return nil, nil, -1
	}
	if wait = time.Until(r.queue[0].at); wait > 0 {
		return nil, nil, wait
	}
	v = heap.Pop(&r.queue).(*Visit)
	visiting, v.cancel = context.WithCancel(ctx)
	return v, visiting, 0
}

func (r *Rounds) wait(ctx context.Context, d time.Duration) {
	var due <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-r.sooner:
	}
}

// finish ends a call of a visit.
func (r *Rounds) finish(v *Visit, next time.Time) {
	r.mu.Lock()
	v.cancel()
	v.cancel = nil
	v.ended = v.ended || next.IsZero()
	if !v.ended {
		v.at = next
		r.push(v)
	}
	over := v.ended
	r.mu.Unlock()
	if over && v.done != nil {
		v.done()
	}
}

// push puts a visit into the queue. The lock is held.
func (r *Rounds) push(v *Visit) {
	heap.Push(&r.queue, v)
	if v.place != 0 {
		return
	}
	select {
	case r.sooner <- struct{}{}:
	default:
	}
}

// queue has the visit first that is due first.
type queue []*Visit

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(v any) {
	v.(*Visit).place = len(*q)
	*q = append(*q, v.(*Visit))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	(*q)[last], v.place = nil, -1
	*q = (*q)[:last]
	return v
}
