package simulation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/reconcile"
)

// paired has each deployment that needs one get a Redis of its own, in the place
// of a number.
func paired(w *world) { w.paired = true }

// sharedRedis is none where each has its own.
func (w *world) sharedRedis(p *plane) reconcile.Redis {
	if w.paired {
		return nil
	}
	return mortalRedis{numbers{w.servers}, p}
}

// own is how a Redis is run by the fake driver, as one life asks.
type own struct {
	w *world
	p *plane
}

func (o own) Ready(context.Context, bool) error {
	return do(o.p, "ReadyRedis", func() error { return nil })
}

func (o own) Workload(_ context.Context, s slipway.RedisServer) (slipway.Workload, error) {
	return live(o.p, "WorkloadOfRedis", func() (slipway.Workload, error) {
		if o.w.failing("redis") {
			return slipway.Workload{}, errDown
		}
		return slipway.Workload{
			Instance: s.Deployment.Redis(), Deployment: s.Deployment, Port: s.Port, Keeps: true,
			Args: []string{"/redis"}, Env: []slipway.EnvVar{{Name: "PASSWORD", Value: s.Password}},
		}, nil
	})
}

func (o own) URI(_ context.Context, s slipway.RedisServer, _ bool) (string, error) {
	return redisURI(s), nil
}

func redisURI(s slipway.RedisServer) string {
	return fmt.Sprintf("redis://:%s@127.0.0.1:%d", s.Password, s.Port)
}

// Ping: a Redis takes a moment to read what it kept.
func (o own) Ping(_ context.Context, s slipway.RedisServer, _ bool) error {
	return do(o.p, "PingRedis", func() error {
		a := o.w.agents
		a.mu.Lock()
		defer a.mu.Unlock()
		if time.Since(a.running[fmt.Sprintf("127.0.0.1:%d", s.Port)].began) < 50*time.Millisecond {
			return errors.New("LOADING")
		}
		return nil
	})
}

// isRedis says whether an instance is the Redis of its deployment.
func isRedis(d slipway.DeploymentID, i slipway.InstanceID) bool { return i == d.Redis() }

// crashRedis ends that of a deployment, if one runs.
func (w *world) crashRedis(a *app) {
	w.view(func(tx slipway.Tx) {
		if s, err := tx.RedisServer(a.id); err == nil {
			w.agents.crash(fmt.Sprintf("127.0.0.1:%d", s.Port))
		}
	})
}

// mayStopRedis: nobody runs who was told of it.
func (w *world) mayStopRedis(d slipway.DeploymentID) {
	all, _ := w.fake.List(context.Background())
	w.servers.mu.Lock()
	defer w.servers.mu.Unlock()
	for _, o := range all {
		if o.Deployment == d && o.Phase == slipway.PhaseRunning && w.servers.paired[o.Instance] {
			w.fault("the Redis of %s is stopped while %s runs with it", d, o.Instance)
		}
	}
}

// mayDeleteRedis: what it keeps goes with all that the deployment has.
func (w *world) mayDeleteRedis(d slipway.DeploymentID) {
	w.view(func(tx slipway.Tx) {
		if row, err := tx.Deployment(d); err == nil && !row.Deletion.Purge {
			w.fault("what the Redis of %s keeps is removed, and the deployment is %s", d, row.Status)
		}
	})
}

// onlyKept says whether a thing is a Redis that does not run.
func (w *world) onlyKept(d slipway.DeploymentID, t slipway.Thing) bool {
	o, err := w.fake.Inspect(context.Background(), d, d.Redis())
	return isRedis(d, slipway.InstanceID(t.Ref)) && err == nil && o.Phase == slipway.PhaseExited
}

// checkRedis: it runs while it is needed, and nobody else has its port.
func (w *world) checkRedis(tx slipway.Tx, a *app, d slipway.Deployment) {
	o, err := w.fake.Inspect(context.Background(), a.id, a.id.Redis())
	if err != nil {
		w.fault("look at the Redis of %s: %v", a.name, err)
	}
	needed := d.Active != "" && w.script(a.id, d.Active)["kind"] == "based" && !d.Running.Asleep
	if runs := o.Phase == slipway.PhaseRunning; w.paired && runs != needed {
		w.fault("%s: its Redis is %s, and is needed: %t", a.name, o.Phase, needed)
	}
	s, err := tx.RedisServer(a.id)
	if err != nil {
		return
	}
	instances, _ := tx.ListInstances(a.id)
	for _, i := range instances {
		if i.Port == s.Port {
			w.fault("%s: instance %s has the port of Redis", a.name, i.ID)
		}
	}
}

// What a Redis of its own has to live through, and a data plane beside it.
var pairedStories = map[string]story{
	"first deploy":           {change: pushed(based), want: "DEPLOYED"},
	"a Redis later":          {before: pushed(good), change: pushed(based), want: "DEPLOYED DEPLOYED"},
	"after state":            {before: pushed(state), change: pushed(based), want: "DEPLOYED DEPLOYED"},
	"none any more":          {before: pushed(based), change: pushed(good), want: "DEPLOYED DEPLOYED"},
	"state in its place":     {before: pushed(based), change: pushed(state), want: "DEPLOYED DEPLOYED"},
	"a replacement":          {before: pushed(based), change: pushed(based), want: "DEPLOYED DEPLOYED"},
	"a failure beside it":    {before: pushed(based), change: pushed("kind=based build=ok agent=refuse"), want: "DEPLOYED DEPLOY_FAILED"},
	"more replicas":          {before: pushed(based), change: func(w *world, a *app) { w.scale(a, 3) }, want: "DEPLOYED", left: 3},
	"it crashes":             {before: pushed(based), change: (*world).crashRedis, want: "DEPLOYED"},
	"it crashes in a deploy": {before: pushed(based), change: func(w *world, a *app) { w.push(a, based); time.Sleep(3100 * time.Millisecond); w.crashRedis(a) }, want: "DEPLOYED DEPLOYED"},
	"it comes late": {change: func(w *world, a *app) {
		w.fail("redis", true)
		w.push(a, based)
		time.Sleep(time.Minute)
		w.mend()
	}, want: "DEPLOYED"},
	"falling asleep":         {before: replicated(based, 2), change: (*world).lull, want: "DEPLOYED", left: -1},
	"waking":                 {before: sleeping(based), change: (*world).ask, want: "DEPLOYED"},
	"rotation":               {before: pushed(based), change: (*world).rotate, want: "DEPLOYED DEPLOYED"},
	"deletion":               {before: pushed(based), change: func(w *world, a *app) { w.delete(a) }},
	"deletion of a sleeper":  {before: sleeping(based), change: func(w *world, a *app) { w.delete(a) }},
	"deletion after a crash": {before: pushed(based), change: func(w *world, a *app) { w.crashRedis(a); w.delete(a) }},
	"deletion in a deploy": {change: func(w *world, a *app) {
		w.push(a, based)
		time.Sleep(3100 * time.Millisecond)
		w.delete(a)
	}},
	"putting aside":        {before: pushed(based), change: func(w *world, a *app) { w.putAside(a) }, want: "DEPLOYED", left: -1},
	"restore":              {before: aside(based), change: (*world).restore, want: "DEPLOYED"},
	"restore of a sleeper": {before: asideAfter(sleeping(based)), change: (*world).restore, want: "DEPLOYED"},
	"purge":                {before: aside(based), change: func(w *world, a *app) { w.delete(a) }},
	"force": {before: pushed(based), change: func(w *world, a *app) {
		w.delete(a)
		w.force(a)
	}},
}

func TestDeathAtEachCallBesideARedis(t *testing.T) { dieInEach(t, pairedStories, paired) }

// A Redis that does not stay up ends what is being deployed, with its own words.
// What serves goes on, and says what it lacks until that is back for good.
func TestARedisThatDoesNotStayUp(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.push(a, based)
		w.settle()
		w.agents.spoil(true)
		w.crashRedis(a)
		r := w.push(a, based)
		time.Sleep(time.Minute)
		w.view(func(tx slipway.Tx) {
			failed, err := tx.Revision(a.id, r)
			if err != nil || failed.Failure == nil || failed.Failure.Code != "redis_failed" || !strings.Contains(failed.Message, "its file is damaged") {
				w.fault("the revision is %+v, %v", failed, err)
			}
		})
		if h := w.health(a); h.State != slipway.Unhealthy || !strings.Contains(h.Reason, "The Redis of this deployment") {
			w.fault("its health is %+v", h)
		}
		if !w.isServing(a)() {
			w.fault("what served does not")
		}
		w.agents.spoil(false)
		w.within(5*time.Minute, "its health", func() bool { return w.health(a).State == slipway.Healthy })
		w.push(a, based)
		w.settle()
		if got := w.statuses(a); got != "DEPLOYED DEPLOY_FAILED DEPLOYED" {
			w.fault("the end is %q", got)
		}
		w.clear()
	}, paired)
}

// A Redis is given another port than a stranger's as long as nobody was told.
func TestARedisMovesFromAStrangersPort(t *testing.T) {
	in(t, func(w *world) {
		a := w.create("app")
		w.agents.occupy(3)
		w.push(a, based)
		w.settle()
		if got := w.statuses(a); got != "DEPLOYED" {
			w.fault("the end is %q", got)
		}
		w.clear()
	}, paired)
}
