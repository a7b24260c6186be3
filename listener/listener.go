// Package listener is a data plane: it claims work from a control plane, has it
// done, and looks after what runs. It dials; nobody dials it.
package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// pageOfAdoption is how many deployments are asked for together after a start,
	// adoptedAtOnce how many are looked at.
	pageOfAdoption = 200
	adoptedAtOnce  = 200
	// deletionsAtOnce is how many deletions are taken up together, and
	// deletionsEvery how often: that is as many as a small machine has time for
	// beside what serves, and more than people and programs delete.
	deletionsAtOnce = 4
	deletionsEvery  = 40 * time.Millisecond
)

// Reconciler does the work.
type Reconciler interface {
	Adopt(context.Context, slipway.Assignment) (work bool, err error)
	// Work begins to work off a claim, and returns at once.
	Work(context.Context, slipway.Claim)
	// Room waits until there is some for more deletions.
	Room(context.Context) error
	Wake(context.Context, slipway.DeploymentID) error
	Wait()
}

// Vitals finds out what serves and does not do its work. It runs until ctx ends.
type Vitals interface {
	Run(ctx context.Context, wake func(slipway.DeploymentID))
}

// Leftovers looks for what is left of deployments that nobody knows. It runs
// until ctx ends.
type Leftovers interface {
	Run(ctx context.Context)
}

// Config is what a listener decides.
type Config struct {
	Owner  string // names it in leases; the same after a restart
	Batch  int    // how many deployments it claims at once
	Vitals Vitals // nil for none
	// Leftovers are looked for once all that runs is adopted; nil for never.
	Leftovers Leftovers
	Logger    *slog.Logger
}

// Listener is one data plane.
type Listener struct {
	sync       slipway.Sync
	driver     slipway.Driver
	reconciler Reconciler
	outputs    *Outputs
	config     Config

	adopted atomic.Bool
	life    context.Context // ends with Stop
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // held over Start
	started bool
}

// errStopped is what a start gets that comes after the end.
var errStopped = errors.New("start listener: it was stopped")

// New returns a listener that Start sets to work.
func New(s slipway.Sync, driver slipway.Driver, reconciler Reconciler, outputs *Outputs, config Config) *Listener {
	l := &Listener{sync: s, driver: driver, reconciler: reconciler, outputs: outputs, config: config}
	l.life, l.stop = context.WithCancel(context.Background())
	return l
}

// Start adopts what runs, and returns when routes to it are set; then it claims
// work until Stop. A second start does nothing, one that failed may be repeated,
// and one after Stop is refused.
func (l *Listener) Start(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.life.Err() != nil:
		return errStopped
	case l.started:
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)()
	if err := l.sync.Attach(ctx, l.config.Owner); err != nil {
		return fmt.Errorf("start listener: %w", err)
	}
	wake, err := l.adopt(ctx)
	if err != nil {
		return fmt.Errorf("start listener: %w", err)
	}
	l.adopted.Store(true)
	l.started = true
	exits := l.driver.Exits(l.life)
	l.running.Go(func() { l.claim(l.life) })
	l.running.Go(func() { l.wakeAll(l.life, wake.living) })
	l.running.Go(func() { l.delete(l.life, wake.deleted) })
	l.running.Go(func() { l.watch(l.life, exits) })
	l.running.Go(func() { l.outputs.run(l.life) })
	if v := l.config.Vitals; v != nil {
		l.running.Go(func() { v.Run(l.life, func(id slipway.DeploymentID) { l.wake(l.life, id) }) })
	}
	if s := l.config.Leftovers; s != nil {
		l.running.Go(func() { s.Run(l.life) })
	}
	return nil
}

// Stop ends the work where it stands; what runs is not touched. It returns when
// nothing of the listener is left, a start that goes on included; again does
// nothing more.
func (l *Listener) Stop() {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running.Wait()
	l.reconciler.Wait()
}

// Ready says whether routes to all that runs have been set.
func (l *Listener) Ready() bool { return l.adopted.Load() }

// unsettled are deployments that need work, as was seen at the start.
type unsettled struct{ living, deleted []slipway.DeploymentID }

func (u *unsettled) add(d slipway.Deployment) {
	if d.Deleting() {
		u.deleted = append(u.deleted, d.ID)
	} else {
		u.living = append(u.living, d.ID)
	}
}

// adopt looks at every deployment and returns those that need work. It looks at
// many at a time, so that those which it waits for are in nobody's way.
func (l *Listener) adopt(ctx context.Context) (wake unsettled, err error) {
	var looking sync.WaitGroup
	defer looking.Wait()
	var mu sync.Mutex
	places := make(chan struct{}, adoptedAtOnce)
	var after slipway.DeploymentID
	for {
		page, err := l.sync.Assignments(ctx, after, pageOfAdoption)
		if err != nil {
			return wake, err
		}
		for _, a := range page {
			after = a.Deployment.ID
			places <- struct{}{}
			looking.Go(func() {
				defer func() { <-places }()
				if l.adoptOne(ctx, a) {
					mu.Lock()
					defer mu.Unlock()
					wake.add(a.Deployment)
				}
			})
		}
		if len(page) < pageOfAdoption {
			looking.Wait()
			return wake, nil
		}
	}
}

// adoptOne says whether a deployment needs work.
func (l *Listener) adoptOne(ctx context.Context, a slipway.Assignment) bool {
	work, err := l.reconciler.Adopt(ctx, a)
	if err != nil {
		l.config.Logger.Warn("deployment not adopted, it is looked at again", slog.String("deployment", string(a.Deployment.ID)), slog.Any("error", err))
	}
	return work || err != nil
}

// claim takes work as it comes due.
func (l *Listener) claim(ctx context.Context) {
	for ctx.Err() == nil {
		l.work(ctx, max(l.config.Batch, 1), l.sync.Claim)
	}
}

// delete takes deletions up, first those that were found at the start, few at a
// time. It waits for them, which nobody else does.
func (l *Listener) delete(ctx context.Context, found []slipway.DeploymentID) {
	pace := time.NewTicker(deletionsEvery)
	defer pace.Stop()
	for l.reconciler.Room(ctx) == nil {
		if n := min(len(found), deletionsAtOnce); n > 0 {
			l.wakeAll(ctx, found[:n])
			found = found[n:]
		} else {
			l.work(ctx, deletionsAtOnce, l.sync.ClaimDeletions)
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}

// work claims once, and has what it gets worked off.
func (l *Listener) work(ctx context.Context, limit int, claim func(context.Context, string, int) ([]slipway.Claim, error)) {
	claims, err := claim(ctx, l.config.Owner, limit)
	if err != nil && ctx.Err() == nil {
		l.config.Logger.Error("no work claimed, it is tried again", slog.Any("error", err))
		sleep(ctx, time.Second)
	}
	for _, c := range claims {
		l.reconciler.Work(ctx, c)
	}
}

func (l *Listener) wakeAll(ctx context.Context, ids []slipway.DeploymentID) {
	for _, id := range ids {
		l.wake(ctx, id)
	}
}

// watch has a deployment looked at when one of its instances has ended.
func (l *Listener) watch(ctx context.Context, exits <-chan slipway.DeploymentID) {
	for id := range exits {
		l.wake(ctx, id)
	}
}

// wake tries until somebody looks: an exit that is missed now would be found
// only at the next start.
func (l *Listener) wake(ctx context.Context, id slipway.DeploymentID) {
	for ctx.Err() == nil {
		err := l.reconciler.Wake(ctx, id)
		if err == nil || ctx.Err() != nil {
			return
		}
		l.config.Logger.Error("deployment not woken, it is tried again", slog.String("deployment", string(id)), slog.Any("error", err))
		sleep(ctx, time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
