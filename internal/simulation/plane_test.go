package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/listener"
	"github.com/slipwayhq/slipway/reconcile"
	"github.com/slipwayhq/slipway/vitals"
)

const (
	owner  = "local"
	settle = 10 * time.Minute
)

var ports = slipway.PortRange{First: 20000, Last: 20059}

// errDead is what the dead are told; nothing they ask for happens.
var errDead = errors.New("this process is dead")

// plane is one life of a data plane: a listener and all that dies with it.
type plane struct {
	w        *world
	listener *listener.Listener
	router   *router
	workers  *reconcile.Reconciler
	driver   *drivers
	died     chan struct{}

	mu    sync.Mutex
	calls []string // that were made of what outlives it
	doom  int      // the call at which it dies, 0 for none
	after bool     // it dies after that call rather than before
	dead  bool

	asleep time.Time                       // until then no lease is kept
	inside map[slipway.DeploymentID]string // what is being done to instances

	falling map[int]func() // who is told when it falls asleep
	fallers int
}

// start begins a life. With doom > 0 it ends at that call.
func (w *world) startPlane(doom int, after bool) *plane {
	p := &plane{w: w, died: make(chan struct{}), doom: doom, after: after, inside: map[slipway.DeploymentID]string{}, falling: map[int]func(){}}
	p.router = &router{w: w, routes: map[slipway.DeploymentID]slipway.Route{}, first: map[slipway.DeploymentID]slipway.RouteState{}}
	w.fake = w.fake.Reopen()
	p.driver = w.fake
	sync, driver := mortalSync{w.control, p}, mortalDriver{checked{p.driver, w, p.router}, p}
	outputs := listener.NewOutputs(sync, driver, w.log, time.Now)
	health := vitals.New(mortalRouter{p.router, p}, driver, vitals.Config{Logger: w.log})
	r := reconcile.New(sync, driver, mortalBuilder{w.builder, p}, mortalRouter{p.router, p}, outputs, reconcile.Config{
		Owner: owner, Ports: ports, Builds: 2, Settle: settle, Quiet: 3 * time.Second, Vitals: health, Logger: w.log, Now: time.Now,
		Databases: mortalDatabases{w.servers, p}, Redis: w.sharedRedis(p), OwnRedis: own{w, p}, Final: w.finalSnapshots(p),
	})
	p.workers = r
	p.listener = listener.New(sync, driver, r, outputs, listener.Config{Owner: owner, Batch: 10, Vitals: health, Logger: w.log})
	held := w.heldStill()
	if err := p.listener.Start(context.Background()); err != nil {
		p.kill() // a server that can not start exits
		return p
	}
	w.heldOver += len(held)
	for _, a := range held {
		if state := p.router.adopted(a.id); state != slipway.RouteServing {
			w.fault("%s: the old instance lives through the death of who held, and its route is %s", a.name, state)
		}
	}
	return p
}

// heldStill lists what a former life left holding before it had the old
// instance stop: that serves.
func (w *world) heldStill() (all []*app) {
	w.view(func(tx slipway.Tx) {
		for _, a := range w.known() {
			d, err := tx.Deployment(a.id)
			h := d.Running.Handover
			if err != nil || d.Deleting() || h == nil || h.Phase != slipway.HandoverHolding {
				continue
			}
			old, err := tx.Instance(h.From)
			seen, _ := w.fake.Inspect(context.Background(), a.id, h.From)
			if err == nil && old.State == slipway.InstanceServing && seen.Phase == slipway.PhaseRunning {
				all = append(all, a)
			}
		}
	})
	return all
}

// kill ends the life at once: no call of it has an effect from now on.
func (p *plane) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.die()
}

func (p *plane) die() {
	if !p.dead {
		p.dead = true
		close(p.died)
	}
}

// bury waits until nothing of a life is left.
func (p *plane) bury() {
	p.kill()
	p.listener.Stop()
	p.driver.Close()
}

// doomAt has it die at the nth call from now; 0 spares it, in a call that goes on
// too.
func (p *plane) doomAt(n int, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doom, p.after = len(p.calls)+n, after
	if n == 0 {
		p.doom = 0
	}
}

// dieAfter ends the life after the call that it was doomed at, unless it was
// spared meanwhile.
func (p *plane) dieAfter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doom > 0 {
		p.die()
	}
}

// sleeps has no lease renewed for a while, as when the machine sleeps: others,
// or itself, may take what it works on.
func (p *plane) sleeps(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asleep = time.Now().Add(d)
	for _, fall := range p.falling {
		fall()
	}
}

// whenAsleep calls fn once the plane falls asleep, at once if it is.
func (p *plane) whenAsleep(fn func()) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fallers++
	id := p.fallers
	p.falling[id] = fn
	if time.Now().Before(p.asleep) {
		fn()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.falling, id)
	}
}

func (p *plane) isAsleep() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.asleep)
}

func (p *plane) made() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// begin counts a call, unless the life is over.
func (p *plane) begin(name string, args ...any) (doomed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, errDead
	}
	p.calls = append(p.calls, fmt.Sprint(append([]any{name}, args...)...))
	doomed = len(p.calls) == p.doom
	if doomed && !p.after {
		p.die()
		return false, errDead
	}
	return doomed, nil
}

func (p *plane) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// live makes a call, or dies of it.
func live[T any](p *plane, name string, fn func() (T, error), args ...any) (T, error) {
	var none T
	p.w.watch.pet(name)
	doomed, err := p.begin(name, args...)
	if err != nil {
		return none, err
	}
	answer, err := fn()
	if doomed {
		p.dieAfter()
	}
	if p.isDead() {
		return none, errDead
	}
	return answer, err
}

func do(p *plane, name string, fn func() error, args ...any) error {
	_, err := live(p, name, func() (struct{}, error) { return struct{}{}, fn() }, args...)
	return err
}

// mortalSync is the conversation of one life. What is long or only reads output
// is not counted: dying there is dying between other calls.
type mortalSync struct {
	*control
	p *plane
}

func (m mortalSync) Attach(ctx context.Context, owner string) error {
	return do(m.p, "Attach", func() error { return m.control.Attach(ctx, owner) })
}

func (m mortalSync) Claim(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	return m.claimed("Claim", func() ([]slipway.Claim, error) { return m.control.Claim(ctx, owner, limit) })
}

func (m mortalSync) ClaimDeletions(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	return m.claimed("ClaimDeletions", func() ([]slipway.Claim, error) { return m.control.ClaimDeletions(ctx, owner, limit) })
}

func (m mortalSync) claimed(name string, claim func() ([]slipway.Claim, error)) ([]slipway.Claim, error) {
	if m.p.isDead() {
		return nil, errDead
	}
	claims, err := claim()
	if err != nil {
		return nil, err
	}
	return live(m.p, name, func() ([]slipway.Claim, error) { return claims, nil })
}

func (m mortalSync) Acquire(ctx context.Context, owner string, id slipway.DeploymentID) (slipway.Claim, error) {
	return live(m.p, "Acquire", func() (slipway.Claim, error) { return m.control.Acquire(ctx, owner, id) })
}

func (m mortalSync) Keep(ctx context.Context, l slipway.Lease, seen int64) (int64, error) {
	if m.p.isDead() {
		return 0, errDead
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := m.p.whenAsleep(cancel)
	defer stop()
	generation, err := m.control.Keep(ctx, l, seen)
	if m.p.isAsleep() {
		return 0, errLost
	}
	return generation, err
}

func (m mortalSync) Report(ctx context.Context, l slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	return live(m.p, "Report", func() (slipway.Assignment, error) { return m.control.Report(ctx, l, events...) }, types(events)...)
}

func types(events []slipway.Event) []any {
	var names []any
	for _, e := range events {
		names = append(names, fmt.Sprintf(" %T", e))
	}
	return names
}

func (m mortalSync) Release(ctx context.Context, l slipway.Lease, seen int64, next time.Time) error {
	return do(m.p, "Release", func() error { return m.control.Release(ctx, l, seen, next) })
}

func (m mortalSync) Assignments(ctx context.Context, after slipway.DeploymentID, limit int) ([]slipway.Assignment, error) {
	return live(m.p, "Assignments", func() ([]slipway.Assignment, error) { return m.control.Assignments(ctx, after, limit) })
}

func (m mortalSync) Environment(ctx context.Context, l slipway.Lease, r slipway.RevisionID, reach string) ([]slipway.EnvVar, error) {
	return live(m.p, "Environment", func() ([]slipway.EnvVar, error) { return m.control.Environment(ctx, l, r, reach) })
}

func (m mortalSync) Login(ctx context.Context, l slipway.Lease) (slipway.Login, error) {
	return live(m.p, "Login", func() (slipway.Login, error) { return m.control.Login(ctx, l) })
}

func (m mortalSync) RedisPassword(ctx context.Context, l slipway.Lease) (string, error) {
	return live(m.p, "RedisPassword", func() (string, error) { return m.control.RedisPassword(ctx, l) })
}

func (m mortalSync) Confidential(ctx context.Context, l slipway.Lease, r slipway.RevisionID) ([]string, error) {
	return live(m.p, "Confidential", func() ([]string, error) { return m.control.Confidential(ctx, l, r) })
}

func (m mortalSync) BuildSecrets(ctx context.Context, l slipway.Lease, r slipway.RevisionID) ([]slipway.EnvVar, error) {
	return live(m.p, "BuildSecrets", func() ([]slipway.EnvVar, error) { return m.control.BuildSecrets(ctx, l, r) })
}

func (m mortalSync) RegistryAuth(ctx context.Context, l slipway.Lease, r slipway.RevisionID) (slipway.RegistryAuth, error) {
	return live(m.p, "RegistryAuth", func() (slipway.RegistryAuth, error) { return m.control.RegistryAuth(ctx, l, r) })
}

func (m mortalSync) Source(ctx context.Context, l slipway.Lease, r slipway.RevisionID) (io.ReadCloser, error) {
	return live(m.p, "Source", func() (io.ReadCloser, error) { return m.control.Source(ctx, l, r) })
}

func (m mortalSync) Disown(ctx context.Context, l slipway.Lease, kind slipway.ItemKind, ref string) (bool, error) {
	return live(m.p, "Disown", func() (bool, error) { return m.control.Disown(ctx, l, kind, ref) })
}

func (m mortalSync) Rouse(ctx context.Context, d slipway.DeploymentID) error {
	return do(m.p, "Rouse", func() error { return m.control.Rouse(ctx, d) })
}

func (m mortalSync) Unknown(ctx context.Context, things []slipway.Thing) ([]slipway.Thing, error) {
	return live(m.p, "Unknown", func() ([]slipway.Thing, error) { return m.control.Unknown(ctx, things) })
}

func (m mortalSync) Found(ctx context.Context, owner string, leftovers []slipway.Leftover) error {
	return do(m.p, "Found", func() error { return m.control.Found(ctx, owner, leftovers) })
}

func (m mortalSync) Measured(ctx context.Context, owner string, samples []slipway.Sample) error {
	return do(m.p, "Measured", func() error { return m.control.Measured(ctx, owner, samples) })
}

func (m mortalSync) Log(ctx context.Context, lines []slipway.LogLine) error {
	if m.p.isDead() {
		return errDead
	}
	return m.control.Log(ctx, lines)
}

type mortalDriver struct {
	checked
	p *plane
}

// alone makes a call that changes a deployment: no two go on at once, for one
// worker at a time works on it.
func (m mortalDriver) alone(name string, d slipway.DeploymentID, fn func() error) error {
	return do(m.p, name, func() error {
		if other := m.p.enter(d, name); other != "" {
			m.p.w.fault("%s and %s of one deployment go on at once", name, other)
		}
		defer m.p.enter(d, "")
		return fn()
	})
}

// enter says what is being done to a deployment, and returns what was.
func (p *plane) enter(d slipway.DeploymentID, what string) (was string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was = p.inside[d]
	p.inside[d] = what
	return was
}

func (m mortalDriver) Apply(ctx context.Context, l slipway.Workload) (slipway.Observed, error) {
	var o slipway.Observed
	err := m.alone("Apply", l.Deployment, func() (err error) {
		o, err = m.checked.Apply(ctx, l)
		return err
	})
	return o, err
}

func (m mortalDriver) Inspect(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) (slipway.Observed, error) {
	return live(m.p, "Inspect", func() (slipway.Observed, error) { return m.checked.Inspect(ctx, d, i) })
}

func (m mortalDriver) Listens(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) (bool, error) {
	return live(m.p, "Listens", func() (bool, error) { return m.checked.Listens(ctx, d, i) })
}

func (m mortalDriver) Release(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error {
	return m.alone("Release", d, func() error { return m.checked.Release(ctx, d, i) })
}

func (m mortalDriver) Snapshot(ctx context.Context, d slipway.DeploymentID, name string) error {
	return m.alone("Snapshot", d, func() error { return m.checked.Snapshot(ctx, d, name) })
}

func (m mortalDriver) Restore(ctx context.Context, d slipway.DeploymentID, name string) error {
	return m.alone("Restore", d, func() error { return m.checked.Restore(ctx, d, name) })
}

func (m mortalDriver) Import(ctx context.Context, d slipway.DeploymentID, name string, contained bool, r io.Reader) error {
	return m.alone("Import", d, func() error { return m.checked.Import(ctx, d, name, contained, r) })
}

func (m mortalDriver) Discard(ctx context.Context, d slipway.DeploymentID, name string) error {
	return m.alone("Discard", d, func() error { return m.checked.Discard(ctx, d, name) })
}

func (m mortalDriver) Stop(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	return m.alone("Stop", d, func() error { return m.checked.Stop(ctx, d, i, grace) })
}

func (m mortalDriver) Delete(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) error {
	return m.alone("Delete", d, func() error { return m.checked.Delete(ctx, d, i) })
}

func (m mortalDriver) Purge(ctx context.Context, d slipway.DeploymentID) error {
	return m.alone("Purge", d, func() error { return m.checked.Purge(ctx, d) })
}

func (m mortalDriver) Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error) {
	return live(m.p, "Remains", func() ([]slipway.Thing, error) { return m.checked.Remains(ctx, d) })
}

type mortalBuilder struct {
	*builder
	p *plane
}

func (m mortalBuilder) Build(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	return live(m.p, "Build", func() (slipway.Artefact, error) { return m.builder.Build(ctx, r, log) })
}

func (m mortalBuilder) Launch(ctx context.Context, a slipway.Artefact) (slipway.Launch, error) {
	return live(m.p, "Launch", func() (slipway.Launch, error) { return m.builder.Launch(ctx, a) })
}

func (m mortalBuilder) RemoveUnless(ctx context.Context, kind slipway.ItemKind, key string, shared func() (bool, error)) (bool, error) {
	return live(m.p, "RemoveUnless", func() (bool, error) { return m.builder.RemoveUnless(ctx, kind, key, shared) })
}

func (m mortalBuilder) There(ctx context.Context, kind slipway.ItemKind, ref string) ([]slipway.Thing, error) {
	return live(m.p, "There", func() ([]slipway.Thing, error) { return m.builder.There(ctx, kind, ref) })
}

type mortalRouter struct {
	*router
	p *plane
}

func (m mortalRouter) Answered(ctx context.Context, d slipway.DeploymentID) error {
	return do(m.p, "Answered", func() error { return m.router.Answered(ctx, d) })
}

func (m mortalRouter) Drained(ctx context.Context, d slipway.DeploymentID) error {
	return do(m.p, "Drained", func() error { return m.router.Drained(ctx, d) })
}

func (m mortalRouter) Probe(ctx context.Context, r slipway.Route, path string) (int, error) {
	return live(m.p, "Probe", func() (int, error) { return m.router.Probe(ctx, r, path) })
}
