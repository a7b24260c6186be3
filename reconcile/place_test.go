package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// book is an inventory that places are written into.
type book struct {
	slipway.Sync
	a slipway.Assignment
}

func (b *book) Report(_ context.Context, _ slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	b.a.Items = slices.Clone(b.a.Items)
	for _, e := range events {
		placed, ok := e.(slipway.ItemPlaced)
		if !ok {
			continue
		}
		i := slices.IndexFunc(b.a.Items, func(i slipway.Item) bool { return i.Kind == placed.Kind && i.Ref == placed.Ref })
		b.a.Items[i].Place = placed.Place
	}
	return b.a, nil
}

func (b *book) Login(context.Context, slipway.Lease) (slipway.Login, error) {
	return slipway.Login{Number: 1, Password: "p"}, nil
}

func (b *book) place(kind slipway.ItemKind) string {
	return b.a.Items[slices.IndexFunc(b.a.Items, func(i slipway.Item) bool { return i.Kind == kind })].Place
}

// postgresAt is a PostgreSQL at a place that notes what it is told.
type postgresAt struct {
	slipway.Databases
	where    string
	has      bool
	err      error // when it is reached
	reported []string
}

func (p *postgresAt) told(what string) { p.reported = append(p.reported, what) }
func (p *postgresAt) Where() string    { return p.where }

func (p *postgresAt) Reach(context.Context) error {
	return p.err
}

func (p *postgresAt) Remains(_ context.Context, d slipway.DeploymentID) (things []slipway.Thing, _ error) {
	if p.has {
		things = append(things, slipway.Thing{Kind: slipway.ItemDatabase, Ref: string(d), Deployment: d, What: "it"})
	}
	return things, nil
}

func (p *postgresAt) Provide(_ context.Context, r slipway.DatabaseRequest) (string, error) {
	p.told("provide")
	if r.Made && !p.has {
		return "", slipway.ErrDatabaseGone
	}
	return "postgresql://", nil
}

func (p *postgresAt) Retire(context.Context, slipway.DeploymentID, int) error {
	p.told("retire")
	return nil
}

func (p *postgresAt) Purge(context.Context, slipway.DeploymentID) error {
	p.told("purge")
	return nil
}

// keptAll keeps what there is of a database, which may be nothing.
type keptAll struct {
	FinalSnapshots
	server *postgresAt
}

func (k keptAll) Keep(context.Context, slipway.Deployment, *slipway.Revision) (string, error) {
	k.server.told("keep")
	return "", nil
}

// databaseWorker looks after a deployment whose database was made at a place.
func databaseWorker(b *book, config Config) *worker {
	config.Logger, config.Now = slog.New(slog.DiscardHandler), func() time.Time { return t0 }
	return newWorker(&Reconciler{sync: b, config: config}, slipway.Claim{Assignment: b.a}, func() {})
}

// A server that lacks the database of a deployment is believed where the database
// was made on it. On another it is neither gone, nor removed, nor made again, unless
// it has come along.
func TestAnotherPostgreSQL(t *testing.T) {
	login := slipway.Item{Kind: slipway.ItemLogin, Ref: "1"}
	calls := map[string]struct {
		call func(*worker) error
		told string
	}{
		"start":        {func(w *worker) error { _, err := w.postgres(t.Context(), false); return err }, "provide"},
		"end a login":  {func(w *worker) error { return w.removeDatabase(t.Context(), login) }, "retire"},
		"remove":       {func(w *worker) error { return w.removeDatabase(t.Context(), w.databaseItem()) }, "keep purge"},
		"keep a state": {func(w *worker) error { return w.keepState(t.Context()) }, "keep"},
		"look again": {func(w *worker) error {
			_, err := w.remainingDatabases(t.Context(), []slipway.Item{login})
			return err
		}, ""},
	}
	for name, c := range map[string]struct {
		was, is string
		has     bool
		refused bool
		gone    bool // to who starts
	}{
		"where it was":         {was: "a:1", is: "a:1", has: true},
		"dropped by hand":      {was: "a:1", is: "a:1", gone: true},
		"elsewhere":            {was: "a:1", is: "b:1", refused: true},
		"moved":                {was: "a:1", is: "b:1", has: true},
		"of before":            {is: "b:1", has: true},
		"of before, and gone":  {is: "b:1", gone: true},
		"our own, made by one": {was: "a:1", is: "Slipway's own", refused: true},
	} {
		for what, call := range calls {
			t.Run(name+"/"+what, func(t *testing.T) {
				server := &postgresAt{where: c.is, has: c.has}
				b := &book{a: slipway.Assignment{
					Deployment: slipway.Deployment{ID: "d", ProvidedAt: t0, Deletion: slipway.Deletion{At: t0, Purge: true}},
					Items:      []slipway.Item{login, {Kind: slipway.ItemDatabase, Ref: "d", Place: c.was}},
				}}
				err := call.call(databaseWorker(b, Config{Databases: server, Final: keptAll{server: server}}))
				if refused := errors.Is(err, errNoServer); refused != c.refused || refused && !strings.Contains(err.Error(), c.was+", and this is "+c.is) {
					t.Fatalf("it says %v", err)
				}
				if _, final := errors.AsType[*slipway.Failure](err); final != (c.gone && what == "start") {
					t.Fatalf("it says %v", err)
				}
				want, place := call.told, c.is
				if c.refused {
					want, place = "", c.was
				} else if c.was == "" && what != "start" {
					place = ""
				}
				if told := strings.Join(server.reported, " "); told != want {
					t.Errorf("it was told %q, want %q", told, want)
				}
				if got := b.place(slipway.ItemDatabase); got != place {
					t.Errorf("it is at %q, want %q", got, place)
				}
			})
		}
	}
}

// Where a database is made is written down before that, and nothing of a server
// that was never reached: with a better address it is made there.
func TestAPlaceThatWasNeverReached(t *testing.T) {
	down := errors.New("no such host")
	b := &book{a: slipway.Assignment{Deployment: slipway.Deployment{ID: "d"}, Items: []slipway.Item{{Kind: slipway.ItemDatabase, Ref: "d"}}}}
	for _, server := range []*postgresAt{{where: "slip:1", err: down}, {where: "db:1"}, {where: "slip:1", err: down}} {
		_, err := databaseWorker(b, Config{Databases: server}).postgres(t.Context(), false)
		if told := len(server.reported) > 0; told != (err == nil) {
			t.Errorf("%s: told %q, and %v", server.where, server.reported, err)
		}
	}
	if got := b.place(slipway.ItemDatabase); got != "db:1" {
		t.Errorf("it is at %q", got)
	}
}

// redisAt is a Redis at a place.
type redisAt struct {
	Redis
	where    string
	has      bool  // a mark of the deployment's
	err      error // of what is not marked
	reported []string
}

func (r *redisAt) Where() string { return r.where }

func (r *redisAt) Remains(_ context.Context, d slipway.DeploymentID) (things []slipway.Thing, _ error) {
	if r.has {
		things = append(things, slipway.Thing{Kind: slipway.ItemRedis, Ref: "3", Deployment: d, What: "it"})
	}
	return things, nil
}

func (r *redisAt) Provide(_ context.Context, _ slipway.DeploymentID, number int, _ bool) (string, error) {
	r.reported = append(r.reported, fmt.Sprint("provide ", number))
	return "redis://", r.err
}

func (r *redisAt) Purge(_ context.Context, _ slipway.DeploymentID, number int) error {
	r.reported = append(r.reported, fmt.Sprint("purge ", number))
	return r.err
}

// So it is with a number on a Redis. Keys that nobody has marked are another's, if
// the number was never marked for the deployment; if it was, who can tell.
func TestAnotherRedis(t *testing.T) {
	unmarked := fmt.Errorf("database 3 has 7 keys: %w", slipway.ErrUnmarked)
	for name, c := range map[string]struct {
		was, is       string
		has           bool
		says          error
		start, remove error
		place         string // after a start
	}{
		"where it was":        {was: "a:1", is: "a:1", has: true, place: "a:1"},
		"elsewhere":           {was: "a:1", is: "b:1", start: errNoServer, remove: errNoServer, place: "a:1"},
		"moved":               {was: "a:1", is: "b:1", has: true, place: "b:1"},
		"never given":         {is: "b:1", place: "b:1"},
		"another was faster":  {is: "b:1", says: unmarked, start: unmarked},
		"it lost what it had": {was: "b:1", is: "b:1", says: unmarked, start: unmarked, remove: unmarked, place: "b:1"},
	} {
		t.Run(name, func(t *testing.T) {
			worker := func() (*book, *worker) {
				b := &book{a: slipway.Assignment{Deployment: slipway.Deployment{ID: "d"}, Items: []slipway.Item{{Kind: slipway.ItemRedis, Ref: "3", Place: c.was}}}}
				return b, databaseWorker(b, Config{Redis: &redisAt{where: c.is, has: c.has, err: c.says}})
			}
			b, w := worker()
			if _, err := w.redis(t.Context(), false); !errors.Is(err, c.start) {
				t.Errorf("to a start it says %v, want %v", err, c.start)
			}
			if got := b.place(slipway.ItemRedis); got != c.place {
				t.Errorf("it is at %q, want %q", got, c.place)
			}
			_, w = worker()
			if err := w.removeDatabase(t.Context(), w.numberItem()); !errors.Is(err, c.remove) {
				t.Errorf("to a removal it says %v, want %v", err, c.remove)
			}
			if _, err := w.remainingDatabases(t.Context(), b.a.Items); errors.Is(err, errNoServer) != (c.remove == errNoServer) {
				t.Errorf("to a look it says %v", err)
			}
		})
	}
}
