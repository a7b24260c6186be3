// Package turn bounds how much of the machine work takes that nobody waits for, so
// that what serves finds a processor idle.
package turn

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Limit is how long a turn is kept: what takes longer waits for something else
// than this machine's processors, and must not have the others wait too.
const Limit = 100 * time.Millisecond

// Turns are places to work at.
type Turns struct {
	line   chan struct{} // who waits with patience, comes to be next here
	places chan struct{}
	limit  time.Duration
}

// New returns turns at half of the processors, so that the others take a request as
// soon as it arrives. A kernel may put what was woken beside the work that woke it all
// the same, which is why that pauses besides (Pace).
func New() *Turns { return Of(max(1, runtime.GOMAXPROCS(0)/2), Limit) }

// Of returns turns at so many places, each for so long at most.
func Of(places int, limit time.Duration) *Turns {
	return &Turns{line: make(chan struct{}, places), places: make(chan struct{}, places), limit: limit}
}

// Turn is a place that is taken.
type Turn struct {
	at    *Turns
	given atomic.Bool // back
	limit *time.Timer
	pace  *Pace
}

// Take waits in line for a turn.
func (t *Turns) Take(ctx context.Context) (*Turn, error) {
	if err := enter(ctx, t.line); err != nil {
		return nil, err
	}
	defer func() { <-t.line }()
	return t.TakeFirst(ctx)
}

// TakeFirst waits for a turn before all that wait in line. It is for one that
// others wait for.
func (t *Turns) TakeFirst(ctx context.Context) (*Turn, error) {
	if err := enter(ctx, t.places); err != nil {
		return nil, err
	}
	own := &Turn{at: t, pace: Begin()}
	own.limit = time.AfterFunc(t.limit, own.leave)
	return own, nil
}

func enter(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Turn) leave() {
	if t.given.CompareAndSwap(false, true) {
		<-t.at.places
	}
}

// Give gives a turn back, if there is one.
func (t *Turn) Give() {
	if t != nil {
		t.limit.Stop()
		t.leave()
	}
}

// Held says whether there is a turn, and it was not given back.
func (t *Turn) Held() bool { return t != nil && !t.given.Load() }

type key struct{}

// Paced returns a context for the work at a turn, by which At finds it; ctx itself
// if there is no turn.
func (t *Turn) Paced(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, t)
}

// At returns the turn of a context of Paced, nil if it is of none: others wait for
// what is done then, and it makes no pauses.
func At(ctx context.Context) *Turn {
	t, _ := ctx.Value(key{}).(*Turn)
	return t
}

// Breathe pauses like Pace.Breathe, if there is a turn; also where that has been
// given back. It is called by whoever does not keep others waiting then.
func (t *Turn) Breathe() {
	if t != nil {
		t.pace.Breathe()
	}
}

// Rest pauses like Pace.Rest.
func (t *Turn) Rest() {
	if t != nil {
		t.pace.Rest()
	}
}
