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

// Work at a turn goes on for breath, and then pauses for twice as long: a kernel
// lets whoever runs go on for some milliseconds, whatever came up meanwhile, unless
// it stops by itself.
const (
	breath = 150 * time.Microsecond
	rest   = 2 * breath
)

// Turns are places to work at.
type Turns struct {
	line   chan struct{} // who waits with patience, comes to be next here
	places chan struct{}
}

// New returns as many turns as there are processors: since work at each pauses most
// of the time, and waits for commits, which several share then, one of them idles
// mostly, and takes a request as soon as it arrives. Where the store is another
// program nothing pauses, but each statement is waited for.
func New() *Turns { return Of(runtime.GOMAXPROCS(0)) }

// Of returns turns at so many places.
func Of(places int) *Turns {
	return &Turns{line: make(chan struct{}, places), places: make(chan struct{}, places)}
}

// Turn is a place that is taken.
type Turn struct {
	at    *Turns
	given atomic.Bool // back
	limit *time.Timer
	// rested is when its work last paused, in nanoseconds since it began.
	began  time.Time
	rested atomic.Int64
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
	own := &Turn{at: t, began: time.Now()}
	own.limit = time.AfterFunc(Limit, own.leave)
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

// Breathe pauses if the last pause is so long ago that what waits for a processor
// should have one now. It is called between bits of work, by whoever does not keep
// others waiting then; also where the turn has been given back.
func (t *Turn) Breathe() {
	if t == nil || time.Since(t.began)-time.Duration(t.rested.Load()) < breath {
		return
	}
	time.Sleep(rest)
	t.rested.Store(int64(time.Since(t.began)))
}
