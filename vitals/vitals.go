package vitals

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/beat"
	"github.com/slipwayhq/slipway/internal/rounds"
)

// Prober is the gateway as it is used here.
type Prober interface {
	// Probe asks an instance for a path through it, and returns the status.
	Probe(ctx context.Context, r slipway.Route, path string) (int, error)
	// Heard is when an instance last began to answer a client, zero if that is not
	// known.
	Heard(r slipway.Route) time.Time
}

// Teller asks an instance for its runs; slipway.ErrUntold if it can not say.
type Teller interface {
	Runs(ctx context.Context, d slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error)
}

// Config is how closely is looked. What is unset has its default.
type Config struct {
	Every   time.Duration // from one look at an instance to the next, about; 15 s
	Timeout time.Duration // that an answer may take; 10 s
	Misses  int           // in a row, after which it is sick; 4
	Pending time.Duration // that a run may wait while none runs; 5 min
	Logger  *slog.Logger
}

func (c Config) withDefaults() Config {
	for field, value := range map[*time.Duration]time.Duration{&c.Every: 15 * time.Second, &c.Timeout: 10 * time.Second, &c.Pending: 5 * time.Minute} {
		if *field <= 0 {
			*field = value
		}
	}
	if c.Misses <= 0 {
		c.Misses = 4
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Vitals looks after instances. It looks while it runs, and may be told before
// what to look at.
type Vitals struct {
	prober Prober
	teller Teller
	config Config

	mu      sync.Mutex
	watched map[slipway.DeploymentID]map[slipway.InstanceID]*watch
	wake    func(slipway.DeploymentID) // of Run
	rounds  *rounds.Rounds
	crowd   crowd
}

// New returns vitals that Run sets to work.
func New(prober Prober, teller Teller, config Config) *Vitals {
	return &Vitals{
		prober: prober, teller: teller, config: config.withDefaults(), rounds: rounds.New(),
		watched: map[slipway.DeploymentID]map[slipway.InstanceID]*watch{},
	}
}

// watch is an instance that is looked at. Its look alone uses what is not
// guarded.
type watch struct {
	slipway.Served
	looks *rounds.Visit
	sick  *slipway.Failure // guarded

	misses int  // in a row
	amiss  bool // it missed the last answer; the crowd's
	silent bool // it does not tell of its runs in any way
	asked  time.Time
	still  int // looks in a row that found runs to wait and none to run
}

// Run looks until ctx ends, and returns when nobody looks any more. Wake is told
// of each deployment of which an instance is found sick.
func (v *Vitals) Run(ctx context.Context, wake func(slipway.DeploymentID)) {
	v.mu.Lock()
	v.wake = wake
	v.mu.Unlock()
	v.rounds.Run(ctx)
}

// Watch replaces the instances of a deployment that are looked after. What is
// looked after already, in the same attempt, goes on to be.
func (v *Vitals) Watch(d slipway.DeploymentID, serving []slipway.Served) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept := make(map[slipway.InstanceID]*watch, len(serving))
	for _, s := range serving {
		if w := v.watched[d][s.Instance]; w != nil && w.same(s) {
			kept[s.Instance] = w
			delete(v.watched[d], s.Instance)
			continue
		}
		kept[s.Instance] = &watch{Served: s}
		v.look(kept[s.Instance])
	}
	for _, w := range v.watched[d] {
		w.looks.End()
	}
	if v.watched[d] = kept; len(kept) == 0 {
		delete(v.watched, d)
	}
}

func (w *watch) same(s slipway.Served) bool {
	return w.Attempt == s.Attempt && w.Probe == s.Probe && w.Route.Addresses[0] == s.Route.Addresses[0]
}

// Sick says why an attempt of an instance does not do its work, nil if it does as
// far as is known.
func (v *Vitals) Sick(d slipway.DeploymentID, i slipway.InstanceID, attempt int) *slipway.Failure {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.watched[d][i]; w != nil && w.Attempt == attempt {
		return w.sick
	}
	return nil
}

// look has an instance looked at again and again, until it is sick or not watched any
// more. The first look comes at any time of the first interval, so that what was
// adopted together is not asked together; and the others are spread a little.
func (v *Vitals) look(w *watch) {
	v.crowd.join(w)
	w.looks = v.rounds.Add(after(rand.N(v.config.Every)), func(ctx context.Context) time.Time {
		began := time.Now()
		if f := v.examine(ctx, w); f != nil && ctx.Err() == nil {
			v.found(w, f)
			return time.Time{}
		}
		spread := v.config.Every*9/10 + rand.N(v.config.Every/5+1)
		return after(max(0, spread-time.Since(began)))
	}, func() { v.crowd.leave(w) })
}

// after is the first beat that is at least so far away.
func after(d time.Duration) time.Time {
	now := time.Now()
	return now.Add(beat.Wait(now, d))
}

// examine is one look.
func (v *Vitals) examine(ctx context.Context, w *watch) *slipway.Failure {
	if f := v.alive(ctx, w); f != nil || ctx.Err() != nil {
		return f
	}
	return v.working(ctx, w)
}

// found remembers why an instance is sick, and has its deployment looked at.
func (v *Vitals) found(w *watch, f *slipway.Failure) {
	v.mu.Lock()
	w.sick = f
	wake := v.wake
	v.mu.Unlock()
	v.config.Logger.Warn("instance is sick", slog.String("deployment", string(w.Route.Deployment)), slog.String("instance", string(w.Instance)),
		slog.String("code", f.Code), slog.String("reason", f.Message))
	wake(w.Route.Deployment)
}
