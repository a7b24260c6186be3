package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

const password = "s3cret-of-the-administrator"

// as is the address of another role, made with options and removed again.
func as(t *testing.T, c *postgrestest.Cluster, role, options string) string {
	t.Helper()
	run(t, c, "CREATE ROLE "+role+" LOGIN PASSWORD '"+password+"' "+options)
	t.Cleanup(func() { run(t, c, "DROP OWNED BY "+role); run(t, c, "DROP ROLE "+role) })
	u, err := url.Parse(c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func request() slipway.DatabaseRequest {
	return slipway.DatabaseRequest{
		Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
		Login:      slipway.Login{Number: 1, Password: "s3cret-of-the-agent"},
	}
}

func TestRefusals(t *testing.T) {
	c := postgrestest.Shared(t)
	old := as(t, c, "old", "CREATEDB CREATEROLE")
	run(t, c, `CREATE SCHEMA past AUTHORIZATION old; ALTER ROLE old SET search_path = past, pg_catalog;
		SET ROLE old; CREATE FUNCTION past.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '120022' $$; RESET ROLE`)
	standby := as(t, c, "standby", "CREATEDB CREATEROLE")
	run(t, c, "ALTER ROLE standby SET default_transaction_read_only = on")
	for name, refusal := range map[string]struct{ admin, code, message string }{
		"a wrong password": {strings.Replace(as(t, c, "someone", "SUPERUSER"), password, "wr0ng", 1), "database_refused", "does not let Slipway in"},
		"no such database": {strings.Replace(c.URL("postgres"), "/postgres?", "/nowhere?", 1), "database_refused", `"nowhere" does not exist`},
		"no rights":        {as(t, c, "nobody", ""), "database_no_right", "The role nobody on the PostgreSQL at /"},
		"no roles":         {as(t, c, "halfway", "CREATEDB"), "database_no_right", "may not make databases and roles"},
		"too old":          {old, "database_too_old", "has version 12"},
		"a standby":        {standby, "database_read_only", "takes no changes"},
	} {
		_, err := open(t, given(t, refusal.admin)).Provide(t.Context(), request())
		f, ok := errors.AsType[*slipway.Failure](err)
		if !ok || f.Code != refusal.code || !strings.Contains(f.Message, refusal.message) || f.Hint == "" || f.Phase != slipway.PhaseDeploy {
			t.Errorf("%s: %+v", name, err)
			continue
		}
		secret(t, f.Message+f.Hint)
	}
}

// secret fails if a text holds a password.
func secret(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{password, "s3cret", "wr0ng", "SCRAM"} {
		if strings.Contains(text, s) {
			t.Errorf("%q tells a password", text)
		}
	}
}

// What passes is no failure, and says what goes on.
func TestWhatPasses(t *testing.T) {
	c := postgrestest.Shared(t)
	narrow := as(t, c, "narrow", "CREATEDB CREATEROLE CONNECTION LIMIT 0")
	for name, passing := range map[string]struct{ admin, message string }{
		"nobody listens": {"postgres://me:" + password + "@127.0.0.1:1/postgres", "127.0.0.1:1 can not be reached, which is tried again: dial tcp"},
		"no host":        {"postgres://me:" + password + "@nowhere.invalid/postgres", "can not be reached"},
		"no connection":  {narrow, "has no connection left: raise its max_connections"},
	} {
		_, err := open(t, given(t, passing.admin)).Provide(t.Context(), request())
		if _, final := errors.AsType[*slipway.Failure](err); final || err == nil || !strings.Contains(err.Error(), passing.message) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		secret(t, err.Error())
	}
}

// A server that was down is used again as soon as it is there.
func TestServerDown(t *testing.T) {
	c := postgrestest.Start(t)
	p := open(t, given(t, c.URL("postgres")))
	r := request()
	if _, err := p.Provide(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	var all []error
	_, err := p.Provide(t.Context(), r)
	all = append(all, err)
	_, err = p.Usage(t.Context(), r.Deployment)
	all = append(all, err)
	_, err = p.Remains(t.Context(), "")
	all = append(all, err, p.Purge(t.Context(), r.Deployment), p.Export(t.Context(), r.Deployment, io.Discard), p.Reach(t.Context()))
	for _, err := range all {
		if _, final := errors.AsType[*slipway.Failure](err); final || err == nil || errors.Is(err, slipway.ErrDatabaseGone) {
			t.Errorf("while it is down: %v", err)
		}
	}
	if err := c.Up(); err != nil {
		t.Fatal(err)
	}
	r.Made = true
	if _, err := p.Provide(t.Context(), r); err != nil {
		t.Errorf("once it is up: %v", err)
	}
}

func TestContained(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, c.URL("postgres")))
	r := request()
	r.Contained = true
	_, err := p.Provide(t.Context(), r)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "database_not_reached" {
		t.Errorf("%v", err)
	}
	if things, err := p.Remains(t.Context(), r.Deployment); err != nil || len(things) > 0 {
		t.Errorf("it was made: %v, %v", things, err)
	}
}

func TestConnectionLimit(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, c.URL("postgres")), func(c *database.Config) { c.Connections = 1 })
	r := request()
	uri := provide(t, p, r)
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = pgx.Connect(t.Context(), uri)
	if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "53300" {
		t.Errorf("a second connection: %v", err)
	}
}

func provide(t *testing.T, p *database.Postgres, r slipway.DatabaseRequest) string {
	t.Helper()
	uri, err := p.Provide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Purge(context.Background(), r.Deployment); err != nil {
			t.Error(err)
		}
	})
	return uri
}

// What can not be made keeps nothing from being made that can, and is made at the
// next look once it can be.
func TestExtensions(t *testing.T) {
	c := postgrestest.Shared(t)
	var said bytes.Buffer
	p := open(t, given(t, as(t, c, "modest", "CREATEDB CREATEROLE")), func(c *database.Config) {
		c.Extensions = []string{"hstore", "pageinspect", "of_no_one"}
		c.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	const extensions = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"
	r := request()
	uri := provide(t, p, r)
	got := ask(t, uri, extensions)
	if got != "hstore plpgsql" || !strings.Contains(said.String(), "extension=pageinspect") || strings.Contains(said.String(), "of_no_one") {
		t.Errorf("there are %s; it said %s", got, &said)
	}
	run(t, c, "ALTER ROLE modest SUPERUSER")
	again := r
	again.Made = true
	provide(t, p, again)
	if got = ask(t, uri, extensions); got != "hstore pageinspect plpgsql" {
		t.Errorf("with more rights there are %s", got)
	}
}

func TestNoPrograms(t *testing.T) {
	c := postgrestest.Shared(t)
	p := open(t, given(t, c.URL("postgres")), func(c *database.Config) { c.Programs.Search = func() []string { return nil } })
	r := request()
	provide(t, p, r)
	err := p.Export(t.Context(), r.Deployment, io.Discard)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "postgres_missing" || !strings.Contains(f.Hint, "postgresql") {
		t.Errorf("%v", err)
	}
}

// A program gets the password by a file without a name, and by nothing else.
func TestProgramsAreToldInSecret(t *testing.T) {
	c := postgrestest.Shared(t)
	bin := t.TempDir()
	told := filepath.Join(t.TempDir(), "told")
	for _, name := range []string{programs.Dump, programs.Restore} {
		script := `#!/bin/sh
			[ "$1" = --version ] && { echo "x (PostgreSQL) 99.1"; exit; }
			{ echo "$@"; env; } > ` + told + `; cat "$PGPASSFILE" > ` + told + `.secret; stat -L -c %a "$PGPASSFILE" >> ` + told
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, given(t, c.URL("postgres")), func(c *database.Config) { c.Programs.Search = func() []string { return []string{bin} } })
	r := request()
	provide(t, p, r)
	if err := p.Export(t.Context(), r.Deployment, io.Discard); err != nil {
		t.Fatal(err)
	}
	line, err1 := os.ReadFile(told + ".secret")
	rest, err2 := os.ReadFile(told)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	secret, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "*:*:*:*:")
	if !ok || len(secret) < 20 || strings.Contains(string(rest), secret) || !strings.Contains(string(rest), "--dbname=postgresql://"+name(r.Deployment)+"_keeper@") || !strings.HasSuffix(strings.TrimSpace(string(rest)), "600") {
		t.Errorf("told %q, and in secret %q", rest, line)
	}
}

// No password is in what the server logs.
func TestServersLog(t *testing.T) {
	c := postgrestest.Start(t)
	run(t, c, "ALTER SYSTEM SET log_statement = 'all'")
	run(t, c, "SELECT pg_reload_conf()")
	p := open(t, given(t, c.URL("postgres")))
	r := request()
	uri := provide(t, p, r)
	ask(t, uri, "SELECT 'here is the end'")
	said := c.Log(t)
	if strings.Contains(said, r.Login.Password) || !strings.Contains(said, "here is the end") || !strings.Contains(said, "CREATE ROLE") {
		t.Error("the server's log tells the password, or nothing")
	}
}
