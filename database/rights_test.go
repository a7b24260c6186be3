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

// A deletion by a role that has lost its rights says so, and is done once it has them
// again.
func TestRightsLost(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, as(t, c, "demoted", "CREATEDB CREATEROLE")))
	r := request()
	if _, err := p.Provide(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	n := name(r.Deployment)
	for _, rights := range []struct{ lost, given string }{
		{"ALTER ROLE demoted NOCREATEDB NOCREATEROLE", "ALTER ROLE demoted CREATEDB CREATEROLE"},
		{"REVOKE " + n + " FROM demoted", "GRANT " + n + " TO demoted"},
		{"ALTER ROLE demoted PASSWORD 'an0ther'", "ALTER ROLE demoted PASSWORD '" + password + "'"},
		{"ALTER ROLE demoted NOLOGIN", "ALTER ROLE demoted LOGIN"},
	} {
		run(t, c, rights.lost)
		again := open(t, given(t, strings.Replace(c.URL("postgres"), "postgres@", "demoted:"+password+"@", 1))) // what is connected stays so
		err := again.Purge(t.Context(), r.Deployment)
		f, ok := errors.AsType[*slipway.Failure](err)
		if !ok || f.Code != "database_no_right" && f.Code != "database_refused" || f.Hint == "" {
			t.Errorf("%s: %v", rights.lost, err)
		} else {
			secret(t, f.Message+f.Hint)
		}
		run(t, c, rights.given)
		if things, err := again.Remains(t.Context(), r.Deployment); err != nil || len(things) == 0 {
			t.Errorf("after %s there are %v, %v", rights.lost, things, err)
		}
	}
	if err := p.Purge(t.Context(), r.Deployment); err != nil {
		t.Fatal(err)
	}
	if things, err := p.Remains(t.Context(), r.Deployment); err != nil || len(things) > 0 {
		t.Errorf("there remain %v, %v", things, err)
	}
}
