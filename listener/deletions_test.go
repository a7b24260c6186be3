package listener_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/listener"
)

// busy is a control plane that has work.
type busy struct {
	quiet
	living, deleted chan slipway.Claim
	known           []slipway.Assignment
}

func (b busy) Claim(ctx context.Context, _ string, _ int) ([]slipway.Claim, error) {
	return next(ctx, b.living)
}

func (b busy) ClaimDeletions(ctx context.Context, _ string, _ int) ([]slipway.Claim, error) {
	return next(ctx, b.deleted)
}

func (b busy) Assignments(context.Context, slipway.DeploymentID, int) ([]slipway.Assignment, error) {
	return b.known, nil
}

func next(ctx context.Context, from <-chan slipway.Claim) ([]slipway.Claim, error) {
	select {
	case c := <-from:
		return []slipway.Claim{c}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// crowded is a reconciler that has room for as many deletions as it is given.
type crowded struct {
	still
	room         chan struct{}
	begun, woken chan slipway.DeploymentID
}

func (c crowded) Adopt(context.Context, slipway.Assignment) (bool, error) {
	return false, errors.New("not now")
}

func (c crowded) Work(_ context.Context, claim slipway.Claim) { c.begun <- claim.Lease.Deployment }

func (c crowded) Wake(_ context.Context, id slipway.DeploymentID) error {
	c.woken <- id
	return nil
}

func (c crowded) Room(ctx context.Context) error {
	select {
	case <-c.room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func claimOf(id slipway.DeploymentID) slipway.Claim {
	return slipway.Claim{Lease: slipway.Lease{Deployment: id}, Assignment: slipway.Assignment{Deployment: slipway.Deployment{ID: id}}}
}

func assigned(id slipway.DeploymentID, s slipway.DeploymentStatus) slipway.Assignment {
	return slipway.Assignment{Deployment: slipway.Deployment{ID: id, Status: s}}
}

// Deletions are taken up a few at a time, and not one group right after the other.
func TestDeletionsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		control := busy{deleted: make(chan slipway.Claim)}
		for i := range many {
			control.known = append(control.known, assigned(slipway.DeploymentID(fmt.Sprint(i)), slipway.AwaitingDelete))
		}
		work := crowded{room: make(chan struct{}), begun: make(chan slipway.DeploymentID, many), woken: make(chan slipway.DeploymentID, many)}
		close(work.room) // there is always some
		l := begin(t, control, work)
		defer l.Stop()
		begun := time.Now()
		for range many {
			<-work.woken
		}
		for range many {
			control.deleted <- claimOf("deleted") // alone
			<-work.begun
		}
		if took := time.Since(begun); took < 4*time.Second || took > 10*time.Second {
			t.Errorf("%d and %d by themselves were taken up within %v", many, many, took)
		}
	})
}

// begin starts a listener.
func begin(t *testing.T, control busy, work crowded) *listener.Listener {
	t.Helper()
	d := fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} })
	t.Cleanup(func() { d.Close() })
	log := slog.New(slog.DiscardHandler)
	l := listener.New(control, d, work, listener.NewOutputs(control, d, log, time.Now), listener.Config{Logger: log})
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// Where there is no room for another deletion, what lives is taken up all the
// same, both what comes due and what needed work at the start.
func TestNothingWaitsForDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control := busy{
			living: make(chan slipway.Claim), deleted: make(chan slipway.Claim),
			known: []slipway.Assignment{assigned("dying", slipway.AwaitingDelete), assigned("adopted", slipway.Ready)},
		}
		work := crowded{room: make(chan struct{}), begun: make(chan slipway.DeploymentID, 9), woken: make(chan slipway.DeploymentID, 9)}
		l := begin(t, control, work)
		defer l.Stop()
		if id := <-work.woken; id != "adopted" {
			t.Errorf("%s is woken first", id)
		}
		for _, id := range []slipway.DeploymentID{"one", "two"} {
			control.living <- claimOf(id)
			if got := <-work.begun; got != id {
				t.Errorf("%s is worked on, want %s", got, id)
			}
		}
		synctest.Wait()
		select {
		case control.deleted <- claimOf("deleted"):
			t.Error("a deletion is claimed without room for it")
		case id := <-work.woken:
			t.Errorf("%s is woken without room for it", id)
		default:
		}
		work.room <- struct{}{}
		if id := <-work.woken; id != "dying" {
			t.Errorf("%s is woken, want what was being deleted at the start", id)
		}
		work.room <- struct{}{}
		control.deleted <- claimOf("deleted")
		if id := <-work.begun; id != "deleted" {
			t.Errorf("%s is worked on, want what is deleted", id)
		}
	})
}
