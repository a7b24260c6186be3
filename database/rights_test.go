package database_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// Only a superuser can cut a superuser: that is said, and what is to go goes when
// they have signed off.
func TestASuperuserInside(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, as(t, c, "small", "CREATEDB CREATEROLE")))
	r := request()
	if _, err := p.Provide(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := p.Export(t.Context(), r.Deployment, &dump); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), c.URL(name(r.Deployment)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for what, call := range map[string]func() error{
		"a restore": func() error {
			return p.Import(t.Context(), r.Deployment, bytes.NewReader(dump.Bytes()), func(context.Context) error { return nil })
		},
		"a purge": func() error { return p.Purge(t.Context(), r.Deployment) },
	} {
		err := call()
		if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || !strings.Contains(err.Error(), "the superuser postgres is connected to "+name(r.Deployment)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	testsignal.Until(t, "a purge, once they have signed off", func() bool { return p.Purge(t.Context(), r.Deployment) == nil })
}
