package reconcile

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// shelf is a Redis with these numbers free.
type shelf struct {
	Redis
	free []int
	err  error
}

func (s shelf) Free(context.Context) ([]int, error) { return s.free, s.err }

// given are databases that are given to whoever asks.
type given struct{ slipway.Databases }

// What is written down of databases is what a kind needs, its owner does not
// bring, and there is not; what it goes without is said in its deploy log.
func TestWantDatabases(t *testing.T) {
	down := errors.New("it does not answer")
	for name, c := range map[string]struct {
		kind   slipway.AgentKind
		redis  Redis
		brings slipway.Needs
		items  []slipway.Item
		want   string
		err    error
	}{
		"nothing":           {kind: shared, redis: shelf{}},
		"both":              {kind: based, redis: shelf{free: []int{4}}, want: "database redis"},
		"brought":           {kind: based, redis: shelf{err: down}, brings: slipway.Needs{Postgres: true, Redis: true}},
		"a number is there": {kind: based, redis: shelf{err: down}, items: []slipway.Item{{Kind: slipway.ItemRedis, Ref: "4"}}, want: "database"},
		"no Redis":          {kind: based, want: "database said"},
		"Redis is down":     {kind: based, redis: shelf{err: down}, err: down},
	} {
		t.Run(name, func(t *testing.T) {
			r := revision("r1", slipway.AwaitingDeploy, c.kind.Name)
			w := &worker{
				Reconciler: &Reconciler{config: Config{Databases: given{}, Redis: c.redis, Now: func() time.Time { return t0 }}},
				a: slipway.Assignment{
					Deployment: slipway.Deployment{ID: "d"}, Items: c.items, Brings: map[slipway.RevisionID]slipway.Needs{"r1": c.brings},
				},
			}
			events, err := w.wantDatabases(t.Context(), r, c.kind)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			got := ""
			for _, e := range events {
				switch e := e.(type) {
				case slipway.DatabaseWanted:
					got += " database"
				case slipway.RedisWanted:
					got += " redis"
				case slipway.Logged:
					got += " said"
					if l := e.Lines[0]; l.Kind != slipway.DeployLog || l.Revision != "r1" || l.Offset == 0 {
						t.Errorf("said in %+v", l)
					}
				}
			}
			if len(got) > 0 {
				got = got[1:]
			}
			if got != c.want {
				t.Errorf("written down: %q, want %q", got, c.want)
			}
		})
	}
}
