package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// ownRedis gives the deployment a Redis of its own, which is seen so.
func (s *scene) ownRedis(phase slipway.Phase) *scene {
	s.RedisPort = 15000
	s.redis = slipway.Observed{Instance: s.Deployment.ID.Redis(), Phase: phase, Attempt: 1}
	if phase == exited {
		s.redis.Exit = &slipway.Exit{Code: 1, Reason: "last words"}
	}
	return s
}

// redisEnded has it have ended so often, and wait.
func (s *scene) redisEnded(inARow int, wait time.Duration) *scene {
	s.redisEnds = endings{attempt: 1, inARow: inARow, retryAt: t0.Add(wait)}
	return s
}

func TestNextOfRedis(t *testing.T) {
	deploys := func() *scene {
		return newScene().inProgress("r1", slipway.Deploying, "based").instance("i1", "r1", planned, absent)
	}
	serves := func() *scene { return newScene().active("r1", "based").instance("i1", "r1", serving, running) }
	for name, c := range map[string]struct {
		s    *scene
		do   verb
		of   string
		rest time.Duration
	}{
		"it is started before what needs it": {s: deploys().ownRedis(absent), do: startRedis},
		"and nothing starts before it runs":  {s: deploys().ownRedis(absent).putOff("start redis", time.Second), do: rest, rest: time.Second},
		"but then":                           {s: deploys().ownRedis(running), do: start, of: "i1"},
		"what has none does not wait for it": {s: deploys(), do: start, of: "i1"},
		"it is left alone":                   {s: serves().ownRedis(running), do: rest},
		"it has come back a moment ago": {
			s: serves().ownRedis(running).redisEnded(1, 0).startedAgo("d", 20*time.Second), do: rest, rest: 40 * time.Second,
		},
		"it has come back for good": {s: serves().ownRedis(running).redisEnded(1, 0).startedAgo("d", 2*time.Minute), do: rest},
		"it comes back":             {s: serves().ownRedis(exited).redisEnded(1, 0), do: startRedis},
		"less and less often":       {s: serves().blamed().ownRedis(exited).redisEnded(9, time.Minute), do: rest, rest: time.Minute},
		"a revision waits for it":   {s: deploys().ownRedis(exited).redisEnded(2, time.Second), do: rest, rest: time.Second},
		"and not for ever":          {s: deploys().ownRedis(exited).redisEnded(3, time.Second), do: fail, of: "r1"},
		"but as often as it may":    {s: deploys().ownRedis(exited).redisEnded(3, -time.Second), do: startRedis},
		"nobody else fails for it":  {s: serves().blamed().inProgress("r2", slipway.Deploying, "shared").instance("i2", "r2", planned, absent).ownRedis(exited).redisEnded(3, time.Second), do: start, of: "i2"},
		"what serves is told of it": {s: serves().ownRedis(exited).redisEnded(3, time.Minute), do: blame, of: "r1"},
		"once":                      {s: serves().blamed().ownRedis(exited).redisEnded(3, time.Minute), do: rest, rest: time.Minute},
		"and not at each end":       {s: serves().ownRedis(exited).redisEnded(2, time.Second), do: rest, rest: time.Second},
		"nor is it taken back before the Redis has come back for good": {
			s: serves().blamed().ownRedis(running).redisEnded(3, 0).startedAgo("d", 20*time.Second), do: rest, rest: 40 * time.Second,
		},
		"but then it is":              {s: serves().blamed().ownRedis(running).redisEnded(3, 0).startedAgo("d", 2*time.Minute), do: absolve, of: "r1"},
		"it sleeps with its agents":   {s: newScene().active("r1", "based").asleep().ownRedis(running), do: stopRedis},
		"but not before them":         {s: serves().asleep().ownRedis(running), do: lull, of: "i1"},
		"nor is it gone before them":  {s: serves().asleep().ownRedis(running).putOff("lull i1", time.Second), do: rest, rest: time.Second},
		"asleep":                      {s: newScene().active("r1", "based").asleep().ownRedis(exited), do: rest},
		"it wakes before them":        {s: newScene().active("r1", "based").instance("i1", "r1", planned, absent).ownRedis(exited), do: startRedis},
		"what takes over has it, too": {s: newScene().active("r1", "shared").instance("i1", "r1", serving, running).inProgress("r2", slipway.Deploying, "based").ownRedis(absent), do: startRedis},
		"who ends its work has it still": {
			s:  newScene().active("r2", "shared").instance("i2", "r2", serving, running).instance("i1", "r1", serving, running).ownRedis(running).putOff("drain i1", time.Second),
			do: rest, rest: time.Second,
		},
		"nobody needs it any more": {s: newScene().active("r2", "shared").instance("i2", "r2", serving, running).ownRedis(running), do: stopRedis},
		"deleted: it goes after its agents": {
			s: serves().ownRedis(running).deleting(slipway.ItemInstance, slipway.ItemRedis).putOff("drain i1", time.Second), do: rest, rest: time.Second,
		},
		"deleted: what runs goes before what it keeps": {s: newScene().ownRedis(running).deleting(slipway.ItemRedis, slipway.ItemInstance), do: removeItem, of: "instance"},
		"kept aside: what it keeps stays":              {s: newScene().ownRedis(exited).stopping(slipway.ItemRedis), do: rest},
	} {
		t.Run(name, func(t *testing.T) {
			got := next(c.s.world)
			if got.do != c.do || c.of != "" && c.of != subject(got) || got.why == "" {
				t.Fatalf("next = %s %s (%s), want %s %s", got.do, subject(got), got.why, c.do, c.of)
			}
			if c.do == rest && (c.rest == 0) != got.at.IsZero() || c.rest != 0 && !got.at.Equal(t0.Add(c.rest)) {
				t.Errorf("rests until %v, want in %v", got.at, c.rest)
			}
			if (c.do == fail || c.do == blame) && (got.failure.Code != "redis_failed" || got.failure.Hint == "") {
				t.Errorf("the failure is %+v", got.failure)
			}
		})
	}
}

// An end is counted once, the first is followed by a start at once, and one that
// has run long begins anew.
func TestRedisEndings(t *testing.T) {
	m := newMemory()
	const id = slipway.InstanceID("d")
	ended := func(attempt int, at time.Duration) slipway.Observed {
		return slipway.Observed{Instance: id, Attempt: attempt, Phase: exited, Exit: &slipway.Exit{At: t0.Add(at)}}
	}
	for _, c := range []struct {
		attempt int
		ran, at time.Duration
		inARow  int
		wait    time.Duration
	}{
		{1, time.Second, 0, 1, 0},
		{2, time.Second, 10 * time.Second, 2, restartBackoff.After(1)},
		{3, time.Second, 20 * time.Second, 3, restartBackoff.After(2)},
		{4, 2 * time.Minute, 5 * time.Minute, 1, 0},
	} {
		m.started[id] = t0.Add(c.at - c.ran)
		if !m.redisEnded(ended(c.attempt, c.at)) || m.redisEnded(ended(c.attempt, c.at)) {
			t.Errorf("attempt %d is not counted once", c.attempt)
		}
		if wait := m.redis.retryAt.Sub(t0.Add(c.at)); m.redis.inARow != c.inARow || c.wait > 0 && wait != c.wait || c.wait == 0 && wait > 0 {
			t.Errorf("after attempt %d: %+v", c.attempt, m.redis)
		}
	}
	if m.redisEnded(slipway.Observed{Instance: id, Attempt: 5, Phase: running}) {
		t.Error("what runs has ended")
	}
}

// willing has a Redis for each deployment that asks, unless it has an error.
type willing struct {
	OwnRedis
	err error
}

func (w willing) Ready(context.Context, bool) error { return w.err }

func TestWantRedis(t *testing.T) {
	missing, gone := errors.New("there is no program"), slipway.Item{Kind: slipway.ItemInstance, Ref: "d", RemovedAt: t0}
	has := slipway.Item{Kind: slipway.ItemInstance, Ref: "d"}
	for name, c := range map[string]struct {
		numbers Redis
		own     OwnRedis
		status  slipway.RevisionStatus
		port    int
		items   []slipway.Item
		want    []string
	}{
		"one of its own":                         {own: willing{}, want: []string{"server"}},
		"numbers come first":                     {numbers: shelf{free: []int{1}}, own: willing{}, want: []string{"number"}},
		"it has one":                             {own: willing{err: missing}, port: 1, items: []slipway.Item{has}},
		"it keeps the one that it has":           {numbers: shelf{free: []int{1}}, own: willing{}, port: 1, items: []slipway.Item{has}},
		"a restore":                              {own: willing{err: missing}, port: 1, items: []slipway.Item{gone}, want: []string{"server"}},
		"no program":                             {own: willing{err: missing}, want: []string{"said"}},
		"what goes without does so for its life": {own: willing{}, status: slipway.Deployed},
		"its number's server is not known":       {own: willing{}, items: []slipway.Item{{Kind: slipway.ItemRedis, Ref: "3"}}, want: []string{"server"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &worker{
				Reconciler: &Reconciler{config: Config{Redis: c.numbers, OwnRedis: c.own, Now: func() time.Time { return t0 }}},
				a:          slipway.Assignment{Deployment: slipway.Deployment{ID: "d"}, Items: c.items, RedisPort: c.port},
				log:        slog.New(slog.DiscardHandler),
			}
			events, err := w.wantRedis(t.Context(), revision("r1", cmp.Or(c.status, slipway.AwaitingDeploy), "based"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range events {
				switch e.(type) {
				case slipway.RedisServerWanted:
					got = append(got, "server")
				case slipway.RedisWanted:
					got = append(got, "number")
				case slipway.Logged:
					got = append(got, "said")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("written down: %q, want %q", got, c.want)
			}
		})
	}
}

// room is a driver with one Redis, which listens.
type room struct {
	slipway.Driver
	stopped int
}

func (*room) Listens(context.Context, slipway.DeploymentID, slipway.InstanceID) (bool, error) {
	return true, nil
}

func (r *room) Stop(context.Context, slipway.DeploymentID, slipway.InstanceID, time.Duration) error {
	r.stopped++
	return nil
}

// reached is a Redis that answers where these say.
type reached struct {
	OwnRedis
	inside, outside error
}

func (r reached) Ping(_ context.Context, _ slipway.RedisServer, contained bool) error {
	if contained {
		return r.inside
	}
	return r.outside
}

func (r reached) URI(_ context.Context, _ slipway.RedisServer, contained bool) (string, error) {
	return fmt.Sprint("redis, contained: ", contained), nil
}

// knows has the password.
type knows struct{ slipway.Sync }

func (knows) RedisPassword(context.Context, slipway.Lease) (string, error) { return "secret", nil }

// Nobody is told of a Redis before it answers; one that containers do not reach is
// started anew, once.
func TestOwnRedisIsReached(t *testing.T) {
	silent := errors.New("nobody answers")
	for name, c := range map[string]struct {
		redis     reached
		contained bool
		tries     []string // what each is told
		stopped   int
	}{
		"it answers":              {reached{}, false, []string{"redis, contained: false"}, 0},
		"not yet":                 {reached{outside: silent}, true, []string{"", ""}, 0},
		"a container reaches it":  {reached{}, true, []string{"redis, contained: true"}, 0},
		"no container reaches it": {reached{inside: silent}, true, []string{"", "redis, contained: true"}, 1},
		"a process need not mind": {reached{inside: silent}, false, []string{"redis, contained: false"}, 0},
	} {
		driver := &room{}
		w := &worker{
			Reconciler: &Reconciler{sync: knows{}, driver: driver, outputs: deaf{}, config: Config{OwnRedis: c.redis}}, memory: newMemory(),
			a: slipway.Assignment{Deployment: slipway.Deployment{ID: "d"}, RedisPort: 1}, log: slog.New(slog.DiscardHandler),
		}
		for n, want := range c.tries {
			uri, err := w.ownRedis(t.Context(), c.contained)
			if uri != want || (want == "") != errors.Is(err, errNotYet) {
				t.Errorf("%s: try %d: %q, %v", name, n, uri, err)
			}
		}
		if driver.stopped != c.stopped {
			t.Errorf("%s: stopped %d times", name, driver.stopped)
		}
	}
}
