package meter

import (
	"context"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/rounds"
)

// deployment is what is known of one that is watched.
type deployment struct {
	id    slipway.DeploymentID
	looks *rounds.Visit

	mu        sync.Mutex
	row       slipway.Deployment
	instances map[slipway.InstanceID]*instance
	serving   []slipway.InstanceID
	restarts  int // since the last sample
	latest    slipway.Reading

	// What follows is the measuring visit's alone.
	before  slipway.Traffic // as it was at the last sample
	at      time.Time       // of the last sample, or when it was first watched
	lastUse time.Time

	measured time.Time              // its database
	usage    *slipway.DatabaseUsage // of its database, as it was then; nil if that is not known
	full     bool                   // its database takes no changes
}

// instance is what is known of one; the last two are the measuring visit's.
type instance struct {
	seen    slipway.Observed
	old     bool // it was there when its deployment was first watched
	attempt int  // that used was measured of
	used    time.Duration
}

func newDeployment(id slipway.DeploymentID, traffic slipway.Traffic) *deployment {
	return &deployment{id: id, before: traffic, at: time.Now(), lastUse: traffic.Last}
}

// see takes over what there is now. An attempt that follows another is a restart.
func (w *deployment) see(d slipway.Deployment, observed []slipway.Observed, serving []slipway.InstanceID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.instances == nil
	known := w.instances
	w.instances = make(map[slipway.InstanceID]*instance, len(observed))
	for _, o := range observed {
		i := known[o.Instance]
		if i == nil {
			i = &instance{old: first}
		} else if i.seen.Attempt > 0 && o.Instance != w.id.Redis() {
			w.restarts += max(0, o.Attempt-i.seen.Attempt)
			w.latest.Restarts += uint64(max(0, o.Attempt-i.seen.Attempt))
		}
		if o.Attempt == 0 {
			o.Attempt = i.seen.Attempt // the driver does not know it (yet, or any more)
		}
		i.seen = o
		w.instances[o.Instance] = i
	}
	w.row, w.serving = d, serving
}

// present is what there is at a moment.
type present struct {
	running, serving []*instance
	hasRedis         bool
	redis            []*instance // its own, if it runs
	restarts         int
}

// present is a copy of what there is now, for a sample that may take long.
func (w *deployment) present() (p present) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, i := range w.instances {
		runs := i.seen.Phase == slipway.PhaseRunning
		switch isRedis := id == w.id.Redis(); {
		case isRedis && runs:
			p.hasRedis, p.redis = true, []*instance{i}
		case isRedis:
			p.hasRedis = true
		case runs:
			p.running = append(p.running, i)
		}
	}
	for _, id := range w.serving {
		if i := w.instances[id]; i != nil {
			p.serving = append(p.serving, i)
		}
	}
	p.restarts, w.restarts = w.restarts, 0
	return p
}

func (w *deployment) observed(i *instance) slipway.Observed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return i.seen
}

// sample measures a deployment. It is none if ctx has ended meanwhile.
func (m *Meter) sample(ctx context.Context, w *deployment) (slipway.Sample, bool) {
	there := w.present()
	usage, used, known := m.usage(ctx, w, there.running)
	beside, spent, redisKnown := m.usage(ctx, w, there.redis)
	runs, told := m.runs(ctx, w, there.serving)
	if ctx.Err() != nil {
		return slipway.Sample{}, false
	}
	now := time.Now()
	traffic, seconds := m.gateway.Traffic(w.id), max(now.Sub(w.at).Seconds(), 0.001)
	s := slipway.Sample{
		Deployment: w.id, At: now, Over: now.Sub(w.at), Replicas: len(there.serving), Restarts: there.restarts,
		UsageKnown: known, Memory: usage.Memory, CPU: used.Seconds() / seconds,
		RunsKnown: told, Pending: runs.Pending, Running: runs.Running, Database: w.usage,
	}
	if there.hasRedis && redisKnown {
		s.Redis = &slipway.RedisUsage{CPU: spent.Seconds() / seconds, Memory: beside.Memory}
	}
	count(&s, w.before, traffic)
	if traffic.Last.After(w.lastUse) {
		w.lastUse = traffic.Last
	}
	if runs.Pending+runs.Running > 0 {
		w.lastUse = now
	}
	s.LastUse = w.lastUse
	w.before, w.at = traffic, now
	w.read(s, used, spent)
	return s, true
}

// count puts what came between two looks into a sample. A gateway that counts
// less than before has begun anew.
func count(s *slipway.Sample, before, now slipway.Traffic) {
	if now.Requests < before.Requests || now.Errors < before.Errors {
		before = slipway.Traffic{}
	}
	s.Requests, s.Errors = now.Requests-before.Requests, now.Errors-before.Errors
	for i, n := range now.Latency {
		s.Latency[i] = n - min(n, before.Latency[i])
	}
	s.InFlight, s.Waiting = now.InFlight, now.Waiting
}

// usage is what the running instances use together, and the CPU time since the
// last sample. It is known if the driver tells it of each.
func (m *Meter) usage(ctx context.Context, w *deployment, running []*instance) (all slipway.Usage, used time.Duration, known bool) {
	known = true
	for _, i := range running {
		o := w.observed(i)
		u, err := m.askUsage(ctx, o)
		if err != nil {
			known = false // one that has just ended is seen to by the next sample
			continue
		}
		all.Memory += u.Memory
		used += i.since(o.Attempt, u.CPU)
	}
	return all, used, known
}

func (m *Meter) askUsage(ctx context.Context, o slipway.Observed) (slipway.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return m.driver.Usage(ctx, o.Deployment, o.Instance)
}

// since is the CPU time that an attempt has used since it was measured last. Of
// an instance that was there before it was watched, it is not known how much of
// it is from before.
func (i *instance) since(attempt int, used time.Duration) time.Duration {
	before := i.used
	switch {
	case i.attempt == 0 && i.old:
		before = used
	case i.attempt != attempt || used < before:
		before = 0
	}
	i.attempt, i.used = attempt, used
	return used - before
}

// runs asks those that serve for their runs. They are told if each tells. What
// waits in a queue that they share each tells of, and a server that counts in a
// database that they share tells of all.
func (m *Meter) runs(ctx context.Context, w *deployment, serving []*instance) (all slipway.Runs, told bool) {
	told = true
	var shared slipway.Runs
	for _, i := range serving {
		r, err := m.askRuns(ctx, w.observed(i))
		if err != nil {
			told = false
			continue
		}
		if r.Shared || r.Whole {
			shared.Pending, r.Pending = max(shared.Pending, r.Pending), 0
		}
		if r.Whole {
			shared.Running, r.Running = max(shared.Running, r.Running), 0
		}
		all.Pending, all.Running = all.Pending+r.Pending, all.Running+r.Running
	}
	return slipway.Runs{Pending: all.Pending + shared.Pending, Running: all.Running + shared.Running}, told
}

func (m *Meter) askRuns(ctx context.Context, o slipway.Observed) (slipway.Runs, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return m.driver.Runs(ctx, o.Deployment, o.Instance)
}
