package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
)

// calls is a control plane that hands out one deployment of which nothing is
// wanted.
type calls struct {
	slipway.Sync
	releasing func()
	released  chan error // how the context of a Release was
	term      int64
}

func (c *calls) Keep(ctx context.Context, _ slipway.Lease, _ int64) (int64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (c *calls) Acquire(context.Context, string, slipway.DeploymentID) (slipway.Claim, error) {
	c.term++
	return claimed(c.term), nil
}

func (c *calls) Release(ctx context.Context, _ slipway.Lease, _ int64, _ time.Time) error {
	if c.releasing != nil {
		c.releasing()
		c.releasing = nil
	}
	c.released <- ctx.Err()
	return ctx.Err()
}

type noRoutes struct{ slipway.Router }

func (noRoutes) Unroute(slipway.DeploymentID) {}

func claimed(term int64) slipway.Claim {
	d := slipway.Deployment{ID: "d", Status: slipway.Ready}
	return slipway.Claim{Lease: slipway.Lease{Deployment: d.ID, Term: term}, Assignment: slipway.Assignment{Deployment: d}}
}

// Of many deletions few wait for a turn: there is no room for the next before one
// has come to its own. To begin work waits for nothing.
func TestFewDeletionsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sync := &calls{released: make(chan error, 20)}
		turns := turn.Of(1, turn.Limit)
		r := &Reconciler{
			sync: sync, router: noRoutes{}, config: Config{Now: time.Now, Vitals: unwatched{}, Turns: turns, Logger: slog.New(slog.DiscardHandler)},
			workers: map[slipway.DeploymentID]*worker{}, memories: map[slipway.DeploymentID]*memory{}, waiting: make(chan struct{}, deletionsWaiting),
		}
		held, err := turns.TakeFirst(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var begun atomic.Int64
		go func() {
			for n := 0; n < 10 && r.Room(t.Context()) == nil; n++ {
				c := claimed(int64(n))
				c.Lease.Deployment = slipway.DeploymentID(fmt.Sprint(n))
				c.Assignment.Deployment = slipway.Deployment{ID: c.Lease.Deployment, Status: slipway.AwaitingDelete, Deletion: slipway.Deletion{Purge: true}}
				r.Work(t.Context(), c)
				begun.Add(1)
			}
		}()
		synctest.Wait()
		if n := begun.Load(); n != deletionsWaiting {
			t.Errorf("%d are begun while none has a turn", n)
		}
		more := claimed(0)
		more.Lease.Deployment, more.Assignment.Deployment.Status = "more", slipway.AwaitingDelete
		r.Work(t.Context(), claimed(0)) // returns
		r.Work(t.Context(), more)       // so does one more
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Room(impatient); err == nil {
			t.Error("there is room")
		}
		held.Give()
		synctest.Wait()
		if n := begun.Load(); n != 10 {
			t.Errorf("%d are begun, want all", n)
		}
		r.Wait()
	})
}

// A nudge that comes while the lease is given back has another worker look,
// which outlives the first and gives its own lease back.
func TestNudgeWhileTheLeaseIsGivenBack(t *testing.T) {
	sync := &calls{released: make(chan error, 2)}
	r := &Reconciler{
		sync: sync, router: noRoutes{}, config: Config{Now: time.Now, Vitals: unwatched{}, Logger: slog.New(slog.DiscardHandler)},
		workers: map[slipway.DeploymentID]*worker{}, memories: map[slipway.DeploymentID]*memory{},
	}
	sync.releasing = func() {
		if err := r.Wake(t.Context(), "d"); err != nil {
			t.Error(err)
		}
	}
	r.Work(t.Context(), claimed(0))
	r.Wait()
	for range 2 {
		select {
		case err := <-sync.released:
			if err != nil {
				t.Errorf("a lease is given back under a context that has ended: %v", err)
			}
		default:
			t.Fatal("a lease was not given back")
		}
	}
}

// asking is a control plane that notes when it is asked whether a lease holds, and
// says that it does not.
type asking struct {
	calls
	asked chan time.Time
}

func (a *asking) Keep(context.Context, slipway.Lease, int64) (int64, error) {
	a.asked <- time.Now()
	return 0, slipway.ErrLeaseLost
}

// Whoever works on a deletion hears within a second that something else is wanted,
// and asks nobody before, since most are over by then; also while it waits.
func TestWhenADeletionIsAskedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sync := &asking{asked: make(chan time.Time, 1)}
		r := &Reconciler{
			sync: sync, router: noRoutes{}, config: Config{Now: time.Now, Vitals: unwatched{}, Turns: turn.Of(0, turn.Limit), Logger: slog.New(slog.DiscardHandler)},
			workers: map[slipway.DeploymentID]*worker{}, memories: map[slipway.DeploymentID]*memory{}, waiting: make(chan struct{}, deletionsWaiting),
		}
		c := claimed(0)
		c.Assignment.Deployment.Status = slipway.AwaitingDelete
		begun := time.Now()
		r.Work(t.Context(), c)
		r.Wait() // it ends with its lease
		if after := (<-sync.asked).Sub(begun); after <= 0 || after > time.Second {
			t.Errorf("asked after %v", after)
		}
	})
}
