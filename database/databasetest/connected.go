package databasetest

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// connect signs in as an agent would.
func (p *place) connect(uri string) *pgx.Conn {
	p.Helper()
	conn, err := pgx.Connect(p.Context(), uri)
	if err != nil {
		p.Fatalf("connect: %v", err)
	}
	p.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (p *place) exec(conn *pgx.Conn, statement string) {
	p.Helper()
	if _, err := conn.Exec(p.Context(), statement); err != nil {
		p.Fatalf("%s: %v", statement, err)
	}
}

func text(p *place, conn *pgx.Conn, query string) (value string) {
	p.Helper()
	if err := conn.QueryRow(p.Context(), query).Scan(&value); err != nil {
		p.Fatalf("%s: %v", query, err)
	}
	return value
}

// wantRefused wants an error of PostgreSQL with one of these states.
func (p *place) wantRefused(what string, err error, states ...string) {
	p.Helper()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, s := range states {
			if e.Code == s {
				return
			}
		}
	}
	p.Errorf("%s: %v, want a refusal %v", what, err, states)
}

func signsIn(p *place) {
	l := login(1)
	uri := p.provide(p.id, l)
	conn := p.connect(uri)
	p.exec(conn, "CREATE TABLE threads (id int)")
	if got := text(p, conn, "SELECT session_user || ' ' || current_user"); strings.Count(got, strings.ReplaceAll(string(p.id), "-", "")) != 2 {
		p.Errorf("signed in as %s", got)
	}
	u, err := url.Parse(uri)
	if err != nil {
		p.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	_, err = pgx.Connect(p.Context(), u.String())
	p.wantRefused("a wrong password", err, "28P01")
}

func passwordAnew(p *place) {
	old := p.provide(p.id, login(1))
	p.connect(p.provide(p.id, login(1)))
	_, err := pgx.Connect(p.Context(), old)
	p.wantRefused("the old password", err, "28P01")
}

func ownership(p *place) {
	first := p.connect(p.provide(p.id, login(1)))
	p.exec(first, "CREATE TABLE made (n int)")
	p.exec(first, "RESET ROLE; CREATE TABLE strayed (n int)")
	p.exec(first, "SET ROLE NONE; CREATE SCHEMA own; CREATE TABLE own.strayed (n int)")
	second := p.connect(p.provide(p.id, login(2)))
	p.want("Retire", p.Retire(p.Context(), p.id, 1))
	for _, table := range []string{"made", "strayed", "own.strayed"} {
		p.exec(second, "INSERT INTO "+table+" VALUES (1)")
		p.exec(second, "ALTER TABLE "+table+" ADD more int")
	}
}

// agentComments has an agent write on its database what it likes, that of another
// installation too: it stays the deployment's.
func agentComments(p *place) {
	l := login(1)
	conn := p.connect(p.provide(p.id, l))
	database := text(p, conn, "SELECT current_database()")
	const commented = "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = current_database()"
	ours, _, _ := strings.Cut(text(p, conn, commented), " made=")
	for _, comment := range []string{"'app'", "NULL", "'" + strings.ReplaceAll(ours, "here", "there") + " made=2026-01-01T00:00:00Z'"} {
		p.exec(conn, "COMMENT ON DATABASE "+database+" IS "+comment)
		_, err := p.Usage(p.Context(), p.id)
		p.want("Usage", err)
		var dump bytes.Buffer
		p.want("Export", p.Export(p.Context(), p.id, &dump))
		p.wantThings(p, p.id, "database "+string(p.id), "login 1")
		_, err = p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: l, Made: true})
		p.want("Provide", err)
		if got := text(p, conn, commented); !strings.HasPrefix(got, ours+" made=") {
			p.Errorf("after %s the comment is %q, want one of %q", comment, got, ours)
		}
	}
	p.exec(conn, "COMMENT ON DATABASE "+database+" IS 'app'")
	p.want("Purge", p.Purge(p.Context(), p.id))
	p.wantThings(p, p.id)
}

func isolation(p *place) {
	mine := p.provide(p.id, login(1))
	neighbour := p.provide(newID(), login(1))
	u, err1 := url.Parse(mine)
	n, err2 := url.Parse(neighbour)
	if err := errors.Join(err1, err2); err != nil {
		p.Fatal(err)
	}
	u.Path = n.Path
	_, err := pgx.Connect(p.Context(), u.String())
	p.wantRefused("the neighbour's database", err, "42501", "28000")
	conn := p.connect(mine)
	role := strings.TrimPrefix(n.Path, "/")
	for what, statement := range map[string]string{
		"become the neighbour": "SET ROLE " + role,
		"change the neighbour": "ALTER ROLE " + role + "_1 PASSWORD 'mine'",
		"drop its database":    "DROP DATABASE " + role,
		"make a role":          "CREATE ROLE another",
		"make a database":      "CREATE DATABASE another",
		"more connections":     "ALTER ROLE " + u.User.Username() + " CONNECTION LIMIT 1000",
	} {
		_, err := conn.Exec(p.Context(), statement)
		p.wantRefused(what, err, "42501")
	}
}

// wantEnded waits until a connection has been cut.
func (p *place) wantEnded(conn *pgx.Conn) {
	p.Helper()
	testsignal.Until(p, "the end of a connection", func() bool { return conn.Ping(p.Context()) != nil })
}

func retireDisconnects(p *place) {
	first := p.connect(p.provide(p.id, login(1)))
	second := p.connect(p.provide(p.id, login(2)))
	p.want("Retire", p.Retire(p.Context(), p.id, 1))
	p.wantEnded(first)
	p.want("another login", second.Ping(p.Context()))
}

func purgeDisconnects(p *place) {
	conn := p.connect(p.provide(p.id, login(1)))
	p.exec(conn, "BEGIN; CREATE TABLE t (n int)")
	p.want("Purge", p.Purge(p.Context(), p.id))
	p.wantEnded(conn)
	p.wantThings(p, p.id)
}

func usage(p *place) {
	uri := p.provide(p.id, login(1))
	before, err := p.Usage(p.Context(), p.id)
	p.want("Usage", err)
	conn := p.connect(uri)
	p.exec(conn, "CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
	after, err := p.Usage(p.Context(), p.id)
	if err != nil || after.Bytes < before.Bytes+1_000_000 || after.Connections != 1 {
		p.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

func dumpBringsBack(p *place) {
	uri := p.provide(p.id, login(1))
	conn := p.connect(uri)
	p.exec(conn, `CREATE SCHEMA app; CREATE TABLE app.threads (id int PRIMARY KEY, said text); COMMENT ON TABLE app.threads IS 'kept';
		INSERT INTO app.threads VALUES (1, 'hello'); CREATE VIEW latest AS SELECT max(id) FROM app.threads`)
	var dump bytes.Buffer
	p.want("Export", p.Export(p.Context(), p.id, &dump))
	p.exec(conn, "UPDATE app.threads SET said = 'changed'; CREATE TABLE later (n int)")
	for range 2 {
		p.want("Import", p.Import(p.Context(), p.id, bytes.NewReader(dump.Bytes()), agrees))
		p.wantEnded(conn)
		conn = p.connect(uri)
		if said := text(p, conn, "SELECT said FROM app.threads"); said != "hello" {
			p.Errorf("it says %q", said)
		}
		if later := text(p, conn, "SELECT to_regclass('later') IS NULL || ''"); later != "true" {
			p.Error("what was made later is still there")
		}
		p.exec(conn, "ALTER TABLE app.threads ADD more int; DROP VIEW latest") // it is the owner's
	}
	p.wantThings(p, p.id, "database "+string(p.id), "login 1")
}

// dumpIsTrap has a function run, while the dump is read, that would use the rights
// of who reads it.
func dumpIsTrap(p *place) {
	conn := p.connect(p.provide(p.id, login(1)))
	p.exec(conn, `CREATE FUNCTION spring() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
			RESET ROLE;
			IF (SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = session_user) THEN
				CREATE ROLE trap_was_sprung SUPERUSER;
			END IF;
			RETURN true;
		END $$;
		CREATE TABLE trap (n int CHECK (public.spring())); INSERT INTO trap VALUES (1)`)
	var dump bytes.Buffer
	p.want("Export", p.Export(p.Context(), p.id, &dump))
	p.want("Import", p.Import(p.Context(), p.id, &dump, agrees))
	conn = p.connect(p.provide(p.id, login(1)))
	if got := text(p, conn, "SELECT count(*) || '' FROM pg_roles WHERE rolname = 'trap_was_sprung'"); got != "0" {
		p.Error("what an agent left ran with the rights of an administrator")
	}
}

func badDump(p *place) {
	conn := p.connect(p.provide(p.id, login(1)))
	p.exec(conn, "CREATE TABLE kept AS SELECT repeat(md5(n::text), 100) AS text FROM generate_series(1, 5000) n")
	var dump bytes.Buffer
	p.want("Export", p.Export(p.Context(), p.id, &dump))
	for what, content := range map[string][]byte{"nonsense": []byte("this is no dump"), "nothing": nil, "half of one": dump.Bytes()[:dump.Len()/2]} {
		err := p.Import(p.Context(), p.id, bytes.NewReader(content), agrees)
		if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "dump_refused" || !strings.Contains(f.Message, "as it was") {
			p.Errorf("%s: %v", what, err)
		}
	}
	refused, asked := errors.New("it was cancelled"), 0
	err := p.Import(p.Context(), p.id, bytes.NewReader(dump.Bytes()), func(context.Context) error {
		asked++
		return refused
	})
	if !errors.Is(err, refused) || asked != 1 {
		p.Errorf("asked %d times whether it is to be replaced: %v", asked, err)
	}
	if n := text(p, conn, "SELECT count(*) || '' FROM kept"); n != "5000" {
		p.Errorf("%s rows are left", n)
	}
	p.wantThings(p, p.id, "database "+string(p.id), "login 1")
}

func dumpOfAnother(p *place) {
	other := newID()
	conn := p.connect(p.provide(other, login(1)))
	p.exec(conn, "CREATE TABLE theirs AS SELECT 1 AS n")
	uri := p.provide(p.id, login(1))
	var dump bytes.Buffer
	p.want("Export", p.Export(p.Context(), other, &dump))
	p.want("Import", p.Import(p.Context(), p.id, &dump, agrees))
	conn = p.connect(uri)
	p.exec(conn, "ALTER TABLE theirs ADD more int")
	p.want("Purge of the other", p.Purge(p.Context(), other))
	p.exec(conn, "INSERT INTO theirs VALUES (2, 2)")
}
