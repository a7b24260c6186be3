package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// OwnRedis says how a Redis is run that a deployment has for itself. The driver
// runs it, as an instance beside those of agents; what keeps one running is the
// same as for them, and so is what ends it.
type OwnRedis interface {
	// Ready finds or brings what a server needs, or says why agents, which may be
	// in containers, can have none.
	Ready(ctx context.Context, contained bool) error
	// Workload is an attempt of a server.
	Workload(ctx context.Context, s slipway.RedisServer) (slipway.Workload, error)
	// URI is where agents, which may be in containers, find a server.
	URI(ctx context.Context, s slipway.RedisServer, contained bool) (string, error)
	// Ping says whether a server answers where agents, which may be in containers,
	// find it.
	Ping(ctx context.Context, s slipway.RedisServer, contained bool) error
}

// endings is how the Redis of a deployment has ended of late.
type endings struct {
	attempt int       // the last that was seen to have ended
	inARow  int       // without a settled run between
	retryAt time.Time // it is not started before

	revision slipway.RevisionID // that was being deployed
}

// redisEnded counts an end, once, and says whether it was new. The first is
// followed by a start at once: agents wait for it.
func (m *memory) redisEnded(o slipway.Observed) bool {
	if o.Phase != slipway.PhaseExited || o.Exit == nil || o.Attempt == m.redis.attempt {
		return false
	}
	if began, ok := m.started[o.Instance]; ok && o.Exit.At.Sub(began) > settled {
		m.redis.inARow = 0
	}
	delete(m.started, o.Instance)
	m.redis.attempt = o.Attempt
	m.redis.retryAt = o.Exit.At.Add(restartBackoff.After(m.redis.inARow))
	m.redis.inARow++
	return true
}

// redisAnew has it be started at once, and as if it had never ended, for each
// revision that is deployed: with that it may be another one.
func (m *memory) redisAnew(toGate *slipway.Revision) {
	if toGate != nil && toGate.ID != m.redis.revision {
		m.redis = endings{attempt: m.redis.attempt, revision: toGate.ID}
	}
}

// redisWanted says whether the deployment's own Redis is to run: for what serves
// or is to, and for what ends its work.
func (w world) redisWanted() bool {
	if w.RedisPort == 0 || w.Deployment.Deleting() {
		return false
	}
	if w.Active != nil && !w.asleep() && w.needs(w.Active).Redis || w.toGate() != nil && w.needs(w.toGate()).Redis {
		return true
	}
	return slices.ContainsFunc(w.Instances, func(i slipway.Instance) bool {
		r := w.Revision(i.Revision)
		return r == nil || w.needs(r).Redis
	})
}

// awaitsRedis says whether a revision can not start because its Redis does not
// run.
func (w world) awaitsRedis(r *slipway.Revision) bool {
	return w.RedisPort != 0 && w.needs(r).Redis && w.redis.Phase != slipway.PhaseRunning
}

// lacksRedis says whether what serves is without its Redis, or with one that may
// end again.
func (w world) lacksRedis() bool {
	return w.awaitsRedis(w.Active) || w.RedisPort != 0 && w.redisEnds.inARow > 0 && w.now.Before(w.redisSettles())
}

// redisFails says whether what serves is without its Redis for more than a
// moment.
func (w world) redisFails() bool {
	return w.awaitsRedis(w.Active) && w.redis.Exit != nil && w.redisEnds.inARow >= gateTries && !w.asleep()
}

// redisSettles is when the ends of what runs are forgotten.
func (w world) redisSettles() time.Time { return w.started[w.Deployment.ID.Redis()].Add(settled) }

// nextOfRedis has the deployment's own Redis run while it is wanted.
func nextOfRedis(w world) step {
	runs, wanted := w.redis.Phase == slipway.PhaseRunning, w.redisWanted()
	settles := w.redisSettles()
	switch r := w.toGate(); {
	case wanted && runs && w.redisEnds.inARow > 0 && w.now.Before(settles):
		return step{do: rest, at: settles, why: "its Redis may end again"}
	case wanted && runs:
		return step{do: rest, why: "its Redis runs"}
	case wanted && w.now.Before(w.redisEnds.retryAt) && w.redisEnds.inARow >= gateTries && r != nil && w.needs(r).Redis:
		return step{do: fail, revision: r, failure: redisFailure(slipway.PhaseDeploy, w.redis.Exit), why: "its Redis does not stay up"}
	case wanted && w.now.Before(w.redisEnds.retryAt):
		return step{do: rest, at: w.redisEnds.retryAt, why: "its Redis is started again after a while"}
	case wanted:
		return step{do: startRedis, why: "its Redis does not run"}
	case runs:
		return step{do: stopRedis, why: "nothing needs its Redis"}
	}
	return step{do: rest, why: "no Redis is wanted"}
}

func redisFailure(phase string, exit *slipway.Exit) *slipway.Failure {
	return &slipway.Failure{
		Phase: phase, Step: "database", Code: "redis_failed",
		Message: fmt.Sprintf("The Redis of this deployment %s, again and again. %s", describe(exit), lastWords(exit)),
		Hint:    "What it keeps may be more than it may hold (redis_memory_limit_mb), or damaged; docs/databases.md tells where it lies.",
	}
}

// startRedis has the driver run the next attempt of the deployment's own Redis.
func (w *worker) startRedis(ctx context.Context) error {
	d := w.a.Deployment.ID
	server, err := w.redisServer(ctx)
	if err != nil {
		return err
	}
	seen, err := w.driver.Inspect(ctx, d, d.Redis())
	if err != nil {
		return fmt.Errorf("look at Redis: %w", err)
	}
	workload, err := w.config.OwnRedis.Workload(ctx, server)
	if err == nil {
		workload.Attempt = seen.Attempt + 1
		_, err = w.driver.Apply(ctx, workload)
	}
	if err != nil {
		return w.redisNotStarted(ctx, err)
	}
	w.started[d.Redis()] = w.config.Now()
	w.followRedis(w.a)
	return nil
}

// followRedis has what a deployment's own Redis prints be read, while it runs: it is
// told with what the agents print that it runs for.
func (r *Reconciler) followRedis(a slipway.Assignment) {
	if of := cmp.Or(a.InProgress, a.Active); of != nil {
		r.outputs.Follow(slipway.Instance{ID: a.Deployment.ID.Redis(), Deployment: a.Deployment.ID, Revision: of.ID})
	}
}

// redisNotStarted moves a server from the port of a stranger as long as no agent
// was told it, and ends a revision that can not have one.
func (w *worker) redisNotStarted(ctx context.Context, err error) error {
	f, final := errors.AsType[*slipway.Failure](err)
	if final && f.Code == slipway.PortInUse && !slices.ContainsFunc(w.a.Instances, begun) {
		return w.reportPlan(ctx, w.a.InProgress, []slipway.Event{slipway.RedisPortRefused{Ports: w.config.Ports}})
	}
	if r := w.a.InProgress; final && r != nil && r.Status == slipway.Deploying {
		return w.failed(ctx, r, "start Redis", err)
	}
	return fmt.Errorf("start Redis: %w", err)
}

// begun says whether an instance may have been told something.
func begun(i slipway.Instance) bool {
	return i.State != slipway.InstancePlanned || i.Attempt > 1
}

// redisServer is the deployment's own Redis, with what it may use: what the
// revision says that is to run with it.
func (w *worker) redisServer(ctx context.Context) (slipway.RedisServer, error) {
	password, err := w.sync.RedisPassword(ctx, w.lease)
	if err != nil {
		return slipway.RedisServer{}, fmt.Errorf("read password of Redis: %w", err)
	}
	server := slipway.RedisServer{Deployment: w.a.Deployment.ID, Port: w.a.RedisPort, Password: password}
	if r := cmp.Or(w.a.InProgress, w.a.Active); r != nil && r.Config.Resources != nil {
		server.Share = r.Config.Resources.Redis
	}
	return server, nil
}

// ownRedis returns where agents find the deployment's own Redis, once that
// answers. Before anything is sent to its port, the port must be its own.
func (w *worker) ownRedis(ctx context.Context, contained bool) (string, error) {
	d := w.a.Deployment.ID
	listens, err := w.driver.Listens(ctx, d, d.Redis())
	if err != nil {
		return "", fmt.Errorf("look at the port of Redis: %w", err)
	}
	server, err := w.redisServer(ctx)
	if err != nil {
		return "", err
	}
	if !listens || w.config.OwnRedis.Ping(ctx, server, false) != nil {
		return "", errNotYet
	}
	if contained && !w.rebound && w.config.OwnRedis.Ping(ctx, server, true) != nil {
		w.log.Info("Redis is started anew, to listen where containers reach it")
		w.rebound = true // once: it may be that they do not at all
		return "", errors.Join(errNotYet, w.endRedis(ctx))
	}
	return w.config.OwnRedis.URI(ctx, server, contained)
}

// mayRunRedis says whether it is written down that the deployment's own Redis may
// run. With a deletion that ends, and a restore writes it again.
func (w *worker) mayRunRedis() bool {
	return slices.ContainsFunc(w.a.Items, func(i slipway.Item) bool {
		return i.Kind == slipway.ItemInstance && i.Ref == string(w.a.Deployment.ID.Redis()) && i.RemovedAt.IsZero()
	})
}

// endRedis ends the deployment's own Redis. What it keeps stays.
func (w *worker) endRedis(ctx context.Context) error {
	d := w.a.Deployment.ID
	if err := w.driver.Stop(ctx, d, d.Redis(), graceOfUnproved); err != nil {
		return err
	}
	w.outputs.Finish(ctx, d.Redis())
	return nil
}

// removeRedis removes it with what it keeps.
func (w *worker) removeRedis(ctx context.Context) error {
	if err := w.endRedis(ctx); err != nil {
		return err
	}
	d := w.a.Deployment.ID
	return w.driver.Delete(ctx, d, d.Redis())
}

// keptByRedis tells what a Redis keeps that does not run from one that does: a
// driver sees an instance in both.
func (w *worker) keptByRedis(ctx context.Context, things []slipway.Thing) ([]slipway.Thing, error) {
	d := w.a.Deployment.ID
	isRedis := func(t slipway.Thing) bool { return t.Kind == slipway.ItemInstance && t.Ref == string(d.Redis()) }
	if !slices.ContainsFunc(things, isRedis) {
		return things, nil
	}
	o, err := w.driver.Inspect(ctx, d, d.Redis())
	if err != nil || o.Phase == slipway.PhaseRunning {
		return things, err
	}
	for n, t := range things {
		if isRedis(t) {
			things[n].Kind = slipway.ItemRedis
		}
	}
	return things, nil
}

// noteRedis takes in how the deployment's own Redis was seen.
func (w *worker) noteRedis(ctx context.Context, seen *world) {
	o := seen.redis
	w.redisAnew(seen.toGate())
	if _, known := w.started[o.Instance]; o.Phase == slipway.PhaseRunning && !known {
		w.started[o.Instance] = seen.now
	}
	ended := w.redisEnded(o)
	if ended {
		w.outputs.Finish(ctx, o.Instance)
	}
	if ended && seen.redisWanted() {
		w.log.Warn("the Redis of the deployment has ended, it is started again", slog.Int("in_a_row", w.memory.redis.inARow), slog.String("reason", o.Exit.Reason))
	}
	seen.redisEnds = w.memory.redis
}
