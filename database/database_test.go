package database_test

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/databasetest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

func name(d slipway.DeploymentID) string {
	return "slipway_" + strings.ReplaceAll(string(d), "-", "")
}

func given(t testing.TB, admin string) *database.Given {
	t.Helper()
	g, err := database.ParseGiven(admin, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// open opens the databases of an installation, with changes of their settings.
func open(t testing.TB, server database.Server, change ...func(*database.Config)) *database.Postgres {
	t.Helper()
	config := database.Config{Owner: "here-abcdef", Server: server, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&config)
	}
	p := database.New(config)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// run runs a statement of the administrator's.
func run(t testing.TB, c *postgrestest.Cluster, statement string) {
	t.Helper()
	if err := c.Exec("postgres", statement); err != nil {
		t.Fatal(err)
	}
}

func ask(t testing.TB, uri, query string) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// world is one cluster with an administrator.
func world(t *testing.T, c *postgrestest.Cluster, admin string) databasetest.World {
	return databasetest.World{
		Open: func(t testing.TB, installation string) slipway.Databases {
			return open(t, given(t, admin), func(c *database.Config) { c.Owner = installation })
		},
		Drop:      func(t testing.TB, d slipway.DeploymentID) { run(t, c, "DROP DATABASE "+name(d)+" WITH (FORCE)") },
		Orders:    4,
		Connects:  true,
		Strangers: func(t testing.TB, like slipway.DeploymentID) func() { return strangers(t, c, like) },
	}
}

// strangers have the names of ours, one with a comment of another installation, one
// with none.
func strangers(t testing.TB, c *postgrestest.Cluster, like slipway.DeploymentID) (intact func()) {
	n := name(like)
	run(t, c, "CREATE ROLE "+n+"_1 LOGIN PASSWORD 'theirs'")
	run(t, c, "CREATE DATABASE "+n)
	run(t, c, "COMMENT ON DATABASE "+n+" IS 'slipway deployment="+string(like)+` installation="there" made=2026-01-01T00:00:00Z'`)
	t.Cleanup(func() {
		run(t, c, "DROP DATABASE "+n)
		run(t, c, "DROP ROLE "+n+"_1")
	})
	u, err := url.Parse(c.URL(n))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(n+"_1", "theirs")
	return func() {
		if got := ask(t, u.String(), "SELECT current_user || ''"); got != n+"_1" {
			t.Errorf("a stranger is %q now", got)
		}
	}
}

func TestDatabases(t *testing.T) {
	c := postgrestest.Shared(t)
	databasetest.Run(t, func(t *testing.T) databasetest.World { return world(t, c, c.URL("postgres")) })
}

// An administrator need not be a superuser.
func TestDatabasesByNoSuperuser(t *testing.T) {
	c := postgrestest.Shared(t)
	run(t, c, "CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'k'")
	u, err := url.Parse(c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("keeper", "k")
	databasetest.Run(t, func(t *testing.T) databasetest.World { return world(t, c, u.String()) })
}
