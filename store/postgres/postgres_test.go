package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/store"
	"github.com/slipwayhq/slipway/store/postgres"
	"github.com/slipwayhq/slipway/store/storetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) slipway.Store { return postgrestest.Open(t) })
}

func TestOpenAndClose(t *testing.T) {
	url := postgrestest.Database(t)
	startstoptest.Run(t, func(ctx context.Context) (func() error, error) {
		s, err := postgres.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func insert(id string) func(slipway.Tx) error {
	return func(tx slipway.Tx) error {
		return tx.InsertWorkspace(slipway.Workspace{ID: slipway.WorkspaceID(id), CreatedAt: now})
	}
}

func update(t testing.TB, s slipway.Store, fn func(slipway.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// stored returns the ids of the workspaces.
func stored(t testing.TB, s slipway.Store) (ids []string) {
	t.Helper()
	err := s.View(t.Context(), func(tx slipway.Tx) error {
		list, err := tx.ListWorkspaces()
		for _, w := range list {
			ids = append(ids, string(w.ID))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// Many servers start at once on a database without a schema.
func TestOpenTogether(t *testing.T) {
	url := postgrestest.Empty(t)
	var g sync.WaitGroup
	for i := range 5 {
		g.Go(func() {
			s, err := postgres.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			update(t, s, insert(fmt.Sprint(i)))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if ids := stored(t, open(t, url)); len(ids) != 5 {
		t.Errorf("stored %v", ids)
	}
}

func exec(t testing.TB, url, statement string) {
	t.Helper()
	pool, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchema(t *testing.T) {
	url := postgrestest.Empty(t)
	update(t, open(t, url), insert("kept"))
	exec(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (7000, true)")
	if _, err := postgres.Open(t.Context(), url); !errors.Is(err, store.ErrNewer) {
		t.Errorf("error is %v", err)
	}
}

// What one function has read and another changes meanwhile is read again: no
// order of the two would explain it otherwise.
func TestRunAgain(t *testing.T) {
	url := postgrestest.Database(t)
	here, there := open(t, url), open(t, url)
	runs := 0
	update(t, here, func(tx slipway.Tx) error {
		runs++
		list, err := tx.ListWorkspaces()
		if err != nil {
			return err
		}
		if runs == 1 {
			update(t, there, func(tx slipway.Tx) error {
				_, err := tx.ListWorkspaces()
				return errors.Join(err, insert("there")(tx))
			})
		}
		if len(list) == 0 {
			return insert("here")(tx)
		}
		return nil
	})
	if ids := stored(t, here); runs != 2 || len(ids) != 1 || ids[0] != "there" {
		t.Errorf("%d runs, stored %v", runs, ids)
	}
}

// An error of the function's own, after one of the engine that calls for another
// run, does not hide that.
func TestRunAgainAfterOwnError(t *testing.T) {
	url := postgrestest.Database(t)
	here, there := open(t, url), open(t, url)
	update(t, here, insert("w"))
	d := slipway.Deployment{ID: "d", Workspace: "w", Name: "app", CreatedAt: now}
	update(t, here, func(tx slipway.Tx) error { return tx.InsertDeployment(d) })
	runs := 0
	update(t, here, func(tx slipway.Tx) error {
		runs++
		mine, err := tx.Deployment("d")
		if err != nil {
			return err
		}
		if runs == 1 {
			theirs := mine
			update(t, there, func(tx slipway.Tx) error { return tx.UpdateDeployment(&theirs) })
		}
		if tx.UpdateDeployment(&mine) != nil {
			return errors.New("told in other words")
		}
		return nil
	})
	if runs != 2 {
		t.Errorf("%d runs", runs)
	}
}

// Several servers look for work on one database: each lease has one taker, and
// none is left.
func TestServersCompeteForLeases(t *testing.T) {
	url := postgrestest.Database(t)
	const servers, takers, deployments = 2, 4, 40
	first := open(t, url)
	update(t, first, insert("w"))
	for i := range deployments {
		id := slipway.DeploymentID(fmt.Sprintf("d%02d", i))
		update(t, first, func(tx slipway.Tx) error {
			d := slipway.Deployment{ID: id, Workspace: "w", Name: string(id), Slug: string(id), CreatedAt: now}
			return errors.Join(tx.InsertDeployment(d), tx.Wake(id, now))
		})
	}
	var mu sync.Mutex
	taken := map[slipway.DeploymentID]string{}
	var g sync.WaitGroup
	for n := range servers {
		s := open(t, url)
		for i := range takers {
			owner := fmt.Sprintf("server %d, %d", n, i)
			g.Go(func() {
				for {
					var leases []slipway.Lease
					err := s.Update(t.Context(), func(tx slipway.Tx) (err error) {
						leases, err = tx.TakeDue(owner, now, now.Add(time.Minute), 3)
						return err
					})
					if err != nil {
						t.Errorf("%s: %v", owner, err)
					}
					if len(leases) == 0 {
						return
					}
					mu.Lock()
					for _, l := range leases {
						if other := taken[l.Deployment]; other != "" || l.Term != 1 {
							t.Errorf("%s took %+v, %q had it", owner, l, other)
						}
						taken[l.Deployment] = owner
					}
					mu.Unlock()
				}
			})
		}
	}
	g.Wait()
	if len(taken) != deployments {
		t.Errorf("%d of %d were taken", len(taken), deployments)
	}
}

func TestClose(t *testing.T) {
	s := open(t, postgrestest.Database(t))
	begun, end := make(chan struct{}), make(chan struct{})
	lasting, closed := make(chan error), make(chan error)
	go func() {
		lasting <- s.Update(context.Background(), func(tx slipway.Tx) error {
			close(begun)
			<-end
			return insert("begun")(tx)
		})
	}()
	<-begun
	go func() { closed <- s.Close() }()
	nothing := func(slipway.Tx) error { return nil }
	for s.View(t.Context(), nothing) == nil { // until Close has begun
		runtime.Gosched()
	}
	for name, run := range map[string]func(context.Context, func(slipway.Tx) error) error{"Update": s.Update, "View": s.View} {
		if err := run(t.Context(), nothing); !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	select {
	case err := <-closed:
		t.Errorf("closed before what had begun ended: %v", err)
	default:
	}
	close(end)
	if err := errors.Join(<-lasting, <-closed); err != nil {
		t.Error(err)
	}
}

// From its turn on, a function's context does not stop it.
func TestCancelDuring(t *testing.T) {
	s := open(t, postgrestest.Database(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx slipway.Tx) error {
		cancel()
		return insert("done")(tx)
	})
	if ids := stored(t, s); err != nil || len(ids) != 1 {
		t.Errorf("error is %v, stored: %v", err, ids)
	}
}

// In a crowd of functions of which each reads what all others write, nobody is
// sent away.
func TestCrowd(t *testing.T) {
	s := open(t, postgrestest.Database(t))
	const callers, rounds = 30, 5
	var g sync.WaitGroup
	for c := range callers {
		g.Go(func() {
			for i := range rounds {
				err := s.Update(t.Context(), func(tx slipway.Tx) error {
					_, err := tx.ListWorkspaces()
					return errors.Join(err, insert(fmt.Sprintf("%d-%d", c, i))(tx))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if ids := stored(t, s); len(ids) != callers*rounds {
		t.Errorf("%d stored", len(ids))
	}
}
