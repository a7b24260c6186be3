package database_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// Over its quota a database takes no changes; below, it does again.
func TestQuota(t *testing.T) {
	c := postgrestest.Shared(t)
	with := func(quota int64) *database.Postgres {
		return open(t, given(t, c.URL("postgres")), func(c *database.Config) { c.Quota = quota })
	}
	r := request()
	small := with(1 << 20)
	uri := provide(t, small, r)
	do := func(statement string) error {
		conn, err := pgx.Connect(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(t.Context(), statement)
		return err
	}
	for _, step := range []struct {
		by    *database.Postgres
		full  bool
		takes string // an error's state, "" for none
	}{{with(0), false, ""}, {small, true, "25006"}, {small, true, "25006"}, {with(1 << 40), false, ""}, {small, true, "25006"}, {with(0), false, ""}} {
		u, err := step.by.Enforce(t.Context(), r.Deployment)
		if err != nil || u.Full != step.full || u.Bytes < 1<<20 {
			t.Fatalf("%+v, %v; want full %t", u, err, step.full)
		}
		err = do("CREATE TABLE IF NOT EXISTS t (n int)")
		if e, refused := errors.AsType[*pgconn.PgError](err); refused != (step.takes != "") || refused && e.Code != step.takes {
			t.Errorf("full %t, and a change: %v", u.Full, err)
		}
		if err := do("SELECT 1"); err != nil {
			t.Errorf("full %t, and a look: %v", u.Full, err)
		}
	}
}

// What is done about a database that takes no changes is none of the agent's: its
// logins come and go, and a dump is written.
func TestOverQuota(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, c.URL("postgres")), func(c *database.Config) { c.Quota, c.Extensions = 1, []string{"hstore"} })
	r := request()
	provide(t, p, r)
	if u, err := p.Enforce(t.Context(), r.Deployment); err != nil || !u.Full {
		t.Fatalf("%+v, %v", u, err)
	}
	r.Login.Number, r.Made = 2, true
	uri, err := p.Provide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, uri, "SHOW default_transaction_read_only"); got != "on" {
		t.Errorf("an agent has %s", got)
	}
	var dump bytes.Buffer
	if err := errors.Join(p.Retire(t.Context(), r.Deployment, 1), p.Export(t.Context(), r.Deployment, &dump)); err != nil || dump.Len() == 0 {
		t.Errorf("%d bytes, %v", dump.Len(), err)
	}
}
