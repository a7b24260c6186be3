package database_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// mortal dies with its n-th statement: that is not begun, and its connection is
// lost.
type mortal struct {
	server database.Server
	left   int
}

func (m *mortal) Where() string { return m.server.Where() }

func (m *mortal) Endpoint(ctx context.Context, start bool) (database.Endpoint, error) {
	e, err := m.server.Endpoint(ctx, start)
	e.Admin = e.Admin.Copy()
	e.Admin.Tracer = m
	return e, err
}

func (m *mortal) Contained(ctx context.Context) (*url.URL, error) { return m.server.Contained(ctx) }

func (m *mortal) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if m.left--; m.left < 0 {
		conn.Close(ctx)
		dead, cancel := context.WithCancel(ctx)
		cancel()
		return dead
	}
	return ctx
}

func (m *mortal) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// In any order of calls, each of which dies somewhere and is made again or not,
// nothing is left after a purge.
func TestDeathsInAnyOrder(t *testing.T) {
	server := given(t, postgrestest.Shared(t).URL("postgres"))
	living := open(t, server)
	for range 3 {
		d := slipway.NewID[slipway.DeploymentID](time.Now())
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		for range 10 {
			number, again := 1+random.IntN(3), random.IntN(2) == 0
			call := []func(p *database.Postgres) error{
				func(p *database.Postgres) error {
					_, err := p.Provide(t.Context(), slipway.DatabaseRequest{Deployment: d, Login: slipway.Login{Number: number, Password: "p"}})
					return err
				},
				func(p *database.Postgres) error { return p.Retire(t.Context(), d, number) },
				func(p *database.Postgres) error { return p.Purge(t.Context(), d) },
			}[random.IntN(3)]
			_ = call(open(t, &mortal{server, random.IntN(20)}))
			if again {
				if err := call(living); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		}
		if err := living.Purge(t.Context(), d); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if things, err := living.Remains(t.Context(), d); err != nil || len(things) > 0 {
			t.Fatalf("seed %d: there remains %v, %v", seed, things, err)
		}
	}
}

// Whatever statement a call dies before, it can be made again, and nothing is left
// after a purge.
func TestDeaths(t *testing.T) {
	c := postgrestest.Shared(t)
	server := given(t, c.URL("postgres"))
	request := func(d slipway.DeploymentID, number int) slipway.DatabaseRequest {
		return slipway.DatabaseRequest{Deployment: d, Login: slipway.Login{Number: number, Password: "p"}}
	}
	var dump bytes.Buffer
	for name, call := range map[string]func(*database.Postgres, slipway.DeploymentID) error{
		"Provide": func(p *database.Postgres, d slipway.DeploymentID) error {
			_, err := p.Provide(context.Background(), request(d, 2))
			return err
		},
		"Retire": func(p *database.Postgres, d slipway.DeploymentID) error {
			return p.Retire(context.Background(), d, 1)
		},
		"Purge": func(p *database.Postgres, d slipway.DeploymentID) error {
			return p.Purge(context.Background(), d)
		},
		"Import": func(p *database.Postgres, d slipway.DeploymentID) error {
			return p.Import(context.Background(), d, bytes.NewReader(dump.Bytes()), func(context.Context) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			living := open(t, server)
			for n := 0; ; n++ {
				d := slipway.NewID[slipway.DeploymentID](time.Now())
				if name != "Provide" {
					if _, err := living.Provide(t.Context(), request(d, 1)); err != nil {
						t.Fatal(err)
					}
				}
				if dump.Len() == 0 && name == "Import" {
					if err := living.Export(t.Context(), d, &dump); err != nil {
						t.Fatal(err)
					}
				}
				m := &mortal{server, n}
				died := call(open(t, m), d)
				if n%2 == 0 || died == nil { // else what it left goes as it is
					if err := call(living, d); err != nil {
						t.Fatalf("again, after %d statements and %v: %v", n, died, err)
					}
				}
				if err := living.Purge(t.Context(), d); err != nil {
					t.Fatalf("after %d statements and %v: %v", n, died, err)
				}
				if things, err := living.Remains(t.Context(), d); err != nil || len(things) > 0 {
					t.Fatalf("after %d statements and %v there remains %v, %v", n, died, things, err)
				}
				if died == nil {
					if n < 5 {
						t.Errorf("it took %d statements only", n)
					}
					return
				}
				if _, final := errors.AsType[*slipway.Failure](died); final {
					t.Errorf("a death is no failure: %v", died)
				}
			}
		})
	}
}
