package daemon_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/reconcile"
)

// doom has its process die before or after a step, once it is armed: a commit, or
// a call that stops or removes something.
type doom struct {
	step        int64
	after       bool
	commitsOnly bool
	armed       atomic.Bool
	begun       atomic.Int64 // steps
}

// newDoom reads "3 before" or, to count commits alone, "3 after commits"; of
// anything else nobody dies.
func newDoom(data, death string) *doom {
	var when, what string
	d := &doom{}
	if n, _ := fmt.Sscan(death, &d.step, &when, &what); n < 2 {
		return nil
	}
	d.after, d.commitsOnly = when == "after", what == "commits"
	arm := make(chan os.Signal, 1)
	signal.Notify(arm, syscall.SIGUSR1)
	go func() {
		<-arm
		d.armed.Store(true)
		_ = os.WriteFile(filepath.Join(data, "armed"), nil, 0o600)
	}()
	return d
}

func (d *doom) take(step func() error) error {
	dies := d.armed.Load() && d.begun.Add(1) == d.step
	if dies && !d.after {
		d.die()
	}
	err := step()
	if dies {
		d.die()
	}
	return err
}

func (d *doom) die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (d *doom) store(s slipway.Store) slipway.Store { return doomedStore{s, d} }

func (d *doom) world(w daemon.World) daemon.World {
	if d.commitsOnly {
		return w
	}
	return daemon.World{Driver: doomedDriver{w.Driver, d}, Builder: doomedBuilder{w.Builder, d}, Databases: doomedDatabases{w.Databases, d}}
}

type doomedStore struct {
	slipway.Store
	doom *doom
}

func (s doomedStore) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return s.doom.take(func() error { return s.Store.Update(ctx, fn) })
}

type doomedDriver struct {
	slipway.Driver
	doom *doom
}

func (r doomedDriver) Stop(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return r.doom.take(func() error { return r.Driver.Stop(ctx, d, i, grace) })
}

func (r doomedDriver) Delete(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error {
	return r.doom.take(func() error { return r.Driver.Delete(ctx, d, i) })
}

func (r doomedDriver) Discard(ctx context.Context, d slipway.DeploymentID, name string) error {
	return r.doom.take(func() error { return r.Driver.Discard(ctx, d, name) })
}

func (r doomedDriver) Purge(ctx context.Context, d slipway.DeploymentID) error {
	return r.doom.take(func() error { return r.Driver.Purge(ctx, d) })
}

type doomedBuilder struct {
	reconcile.Builder
	doom *doom
}

func (b doomedBuilder) RemoveUnless(ctx context.Context, kind slipway.ItemKind, ref string, shared func() (bool, error)) (removed bool, err error) {
	err = b.doom.take(func() error {
		removed, err = b.Builder.RemoveUnless(ctx, kind, ref, shared)
		return err
	})
	return removed, err
}

type doomedDatabases struct {
	slipway.Databases
	doom *doom
}

func (b doomedDatabases) Retire(ctx context.Context, d slipway.DeploymentID, number int) error {
	return b.doom.take(func() error { return b.Databases.Retire(ctx, d, number) })
}

func (b doomedDatabases) Purge(ctx context.Context, d slipway.DeploymentID) error {
	return b.doom.take(func() error { return b.Databases.Purge(ctx, d) })
}
