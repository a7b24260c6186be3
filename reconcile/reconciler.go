package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
)

// Builder makes artefacts and knows how they are started.
type Builder interface {
	// Makes names the thing that a request comes to, before anything is done.
	Makes(slipway.BuildRequest) (slipway.ItemKind, string)
	// Build makes or fetches the artefact, or finds it made. A *slipway.Failure is
	// final.
	Build(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error)
	// Launch says how an artefact is started.
	Launch(ctx context.Context, a slipway.Artefact) (slipway.Launch, error)
	// Kinds lists the agent kinds by name.
	Kinds() map[string]slipway.AgentKind
	// RemoveUnless removes an artefact, unless shared says that it is needed
	// still; no build of the same artefact runs in between.
	RemoveUnless(ctx context.Context, kind slipway.ItemKind, ref string, shared func() (bool, error)) (removed bool, err error)
	// There looks for an artefact, by what Makes called it, and tells what there is
	// of it.
	There(ctx context.Context, kind slipway.ItemKind, ref string) ([]slipway.Thing, error)
}

// Outputs carries what instances print to the control plane.
type Outputs interface {
	// Follow begins to read what an instance prints, and names the revision that its
	// lines are of.
	Follow(slipway.Instance)
	// Finish reads what is left and forgets the instance.
	Finish(ctx context.Context, i slipway.InstanceID)
}

// Config is what a data plane decides.
type Config struct {
	Meter  Meter  // nil for none
	Owner  string // names the data plane in leases
	Ports  slipway.PortRange
	Builds int // how many run at once
	// Settle is how long a revision that has passed its gate is watched: one
	// that fails again and again meanwhile gives way to the last good one. 0 is
	// not at all.
	Settle time.Duration
	Vitals Vitals // nil for none
	// Final is where the state of a deployment is kept before it goes for good;
	// nil for nowhere.
	Final     FinalSnapshots
	Databases slipway.Databases // nil for none
	Redis     Redis             // that deployments share; nil for none
	OwnRedis  OwnRedis          // nil for none
	// Quiet is how long a hand-over of state waits for a moment without runs.
	Quiet time.Duration
	// DiskMB is how much an instance may keep on the disk; 0 for any number.
	DiskMB int
	// Reach says where an instance, a container or not, reaches the control
	// plane: http://host:port, or "" if it can not. nil says so of all.
	Reach func(ctx context.Context, container bool) string
	// Turns bound how many deletions are worked on at once; nil for the usual
	// number.
	Turns  *turn.Turns
	Logger *slog.Logger
	Now    func() time.Time
}

// Reconciler works on deployments, each in a worker of its own.
type Reconciler struct {
	sync    slipway.Sync
	driver  slipway.Driver
	builder Builder
	router  slipway.Router
	outputs Outputs
	kinds   map[string]slipway.AgentKind
	config  Config
	builds  chan struct{} // a place for each build that may run
	waiting chan struct{} // a place for each deletion that waits for its first turn

	mu       sync.Mutex
	workers  map[slipway.DeploymentID]*worker
	memories map[slipway.DeploymentID]*memory // of deployments that wait for a time
	idle     sync.WaitGroup

	routing sync.Mutex                     // held over every change of a route
	closed  map[slipway.DeploymentID]int64 // generation before which no route is believed
}

// New returns a reconciler. It does nothing by itself: give it claims.
func New(s slipway.Sync, driver slipway.Driver, builder Builder, router slipway.Router, outputs Outputs, config Config) *Reconciler {
	if config.Vitals == nil {
		config.Vitals = unwatched{}
	}
	if config.Turns == nil {
		config.Turns = turn.New()
	}
	if config.Reach == nil {
		config.Reach = func(context.Context, bool) string { return "" }
	}
	return &Reconciler{
		sync: s, driver: driver, builder: builder, router: router, outputs: outputs, kinds: builder.Kinds(), config: config,
		builds:  make(chan struct{}, max(config.Builds, 1)),
		waiting: make(chan struct{}, deletionsWaiting),
		workers: map[slipway.DeploymentID]*worker{}, memories: map[slipway.DeploymentID]*memory{}, closed: map[slipway.DeploymentID]int64{},
	}
}

// deletionsWaiting is how many deletions wait for their first turn before no more
// are to be claimed.
const deletionsWaiting = 4

// Room waits until few deletions wait for their first turn: more of them at once
// would only be in the way of what serves.
func (r *Reconciler) Room(ctx context.Context) error {
	select {
	case r.waiting <- struct{}{}:
		<-r.waiting
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Work begins to work off a claim and returns at once. The worker ends, and gives
// the lease back, when there is nothing to do or ctx ends. One that works on the
// deployment still, under a lease that ran out, is ended before.
func (r *Reconciler) Work(ctx context.Context, c slipway.Claim) {
	own, end := context.WithCancel(ctx)
	w := newWorker(r, c, end)
	if c.Assignment.Deployment.Deleting() {
		select {
		case r.waiting <- struct{}{}:
			w.waits = true
		default: // enough do
		}
	}
	r.mu.Lock()
	w.before = r.workers[c.Lease.Deployment]
	r.workers[c.Lease.Deployment] = w
	r.mu.Unlock()
	r.idle.Go(func() {
		w.run(own)
		end()
		again := r.leave(w)
		for again && ctx.Err() == nil {
			if err := r.Wake(ctx, c.Lease.Deployment); err == nil {
				break
			}
			pause(ctx, time.Second) // nobody else would come to see what happened
		}
	})
}

// leave ends a worker's time, and says whether somebody nudged it too late.
func (r *Reconciler) leave(w *worker) (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(w.done)
	if r.workers[w.lease.Deployment] != w {
		return false // there is another, who looks in any case
	}
	delete(r.workers, w.lease.Deployment)
	if w.comesBack {
		r.memories[w.lease.Deployment] = w.memory
	}
	return len(w.wake) > 0
}

// recall takes what the last worker left.
func (r *Reconciler) recall(id slipway.DeploymentID) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.memories[id]
	delete(r.memories, id)
	if m == nil {
		return newMemory()
	}
	return m
}

// Wake has a deployment looked at because something happened to it here.
func (r *Reconciler) Wake(ctx context.Context, id slipway.DeploymentID) error {
	r.mu.Lock()
	w := r.workers[id]
	if w != nil {
		w.nudge()
	}
	r.mu.Unlock()
	if w != nil {
		return nil
	}
	claim, err := r.sync.Acquire(ctx, r.config.Owner, id)
	switch {
	case errors.Is(err, slipway.ErrLeased), errors.Is(err, slipway.ErrNoRow):
		return nil // somebody is there already, or nobody needs to be
	case err != nil:
		return fmt.Errorf("wake deployment %s: %w", id, err)
	}
	r.Work(ctx, claim)
	return nil
}

// adoptWithin is how long a start waits for the sight of a deployment: an engine
// that says nothing keeps nobody else from being adopted.
const adoptWithin = 5 * time.Second

// Adopt looks at a deployment after a start, without writing anything: it sets
// the route and says whether there is work.
func (r *Reconciler) Adopt(ctx context.Context, a slipway.Assignment) (work bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adoptWithin)
	defer cancel()
	w, err := r.observe(ctx, a)
	if err != nil {
		r.routeUnseen(w)
		return false, err
	}
	if route, ok := routeFor(w); ok {
		r.route(route, a.Deployment.Generation)
	}
	r.watch(w)
	return next(w).do != rest, nil
}

// Wait returns when all workers have ended.
func (r *Reconciler) Wait() { r.idle.Wait() }

// observe looks at the instances of an assignment. The worker adds what it
// alone knows. On an error the world has what was seen until then.
func (r *Reconciler) observe(ctx context.Context, a slipway.Assignment) (world, error) {
	w := world{
		Assignment: a, kinds: r.kinds, now: r.config.Now(),
		seen: make(map[slipway.InstanceID]slipway.Observed, len(a.Instances)), deaf: map[slipway.InstanceID]bool{},
		sick: map[slipway.InstanceID]*slipway.Failure{}, settle: r.config.Settle,
	}
	if d := a.Deployment.ID; a.RedisPort != 0 {
		var err error
		if w.redis, err = r.driver.Inspect(ctx, d, d.Redis()); err != nil {
			return w, fmt.Errorf("inspect Redis: %w", err)
		}
		if w.redis.Phase == slipway.PhaseRunning {
			r.followRedis(a)
		}
	}
	for _, i := range a.Instances {
		r.outputs.Follow(i)
		o, err := r.driver.Inspect(ctx, i.Deployment, i.ID)
		if err != nil {
			return w, fmt.Errorf("inspect instance %s: %w", i.ID, err)
		}
		w.seen[i.ID] = o
		if o.Phase != slipway.PhaseRunning || i.State != slipway.InstanceServing || a.Deployment.Deleting() {
			continue
		}
		w.deaf[i.ID] = true // until it is known better
		listens, err := r.driver.Listens(ctx, i.Deployment, i.ID)
		if err != nil {
			return w, fmt.Errorf("look at the port of instance %s: %w", i.ID, err)
		}
		w.deaf[i.ID] = !listens
		w.sick[i.ID] = r.config.Vitals.Sick(i.Deployment, i.ID, i.Attempt)
	}
	return w, nil
}
