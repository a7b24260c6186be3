package leftover_test

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/redistest"
	"github.com/slipwayhq/slipway/leftover"
)

// served is a PostgreSQL and a Redis with what two deployments have there, of
// which one is known, and what is like that of the other and nobody's.
type served struct {
	*testing.T
	cluster    *postgrestest.Cluster
	postgres   *database.Postgres
	redis      *redis.Shared
	kept, lost slipway.DeploymentID
	addresses  map[slipway.DeploymentID]*client.Client
	store      *store
}

func newServed(t *testing.T) *served {
	s := &served{T: t, cluster: postgrestest.Shared(t), addresses: map[slipway.DeploymentID]*client.Client{}}
	given, err := database.ParseGiven(s.cluster.URL("postgres"), "", "")
	must(t, err)
	s.postgres = database.New(database.Config{Owner: "here", Server: given, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { must(t, s.postgres.Close()) })
	s.redis, err = redis.New(redis.Config{Address: redistest.Start(t), Owner: "here"})
	must(t, err)
	s.kept, s.lost = s.provide(1), s.provide(2)
	s.store = &store{known: map[slipway.DeploymentID]bool{s.kept: true}}
	return s
}

func (s *served) provide(number int) slipway.DeploymentID {
	s.Helper()
	d := slipway.NewID[slipway.DeploymentID](time.Now())
	_, err := s.postgres.Provide(s.Context(), slipway.DatabaseRequest{Deployment: d, Login: slipway.Login{Number: 1, Password: "of-" + string(d)}})
	must(s, err)
	must(s, s.cluster.Exec(named(d), "CREATE TABLE threads AS SELECT 'said' AS text"))
	uri, err := s.redis.Provide(s.Context(), d, number, false)
	must(s, err)
	options, err := client.ParseURL(uri)
	must(s, err)
	s.addresses[d] = client.NewClient(options)
	s.Cleanup(func() { s.addresses[d].Close() })
	must(s, s.addresses[d].Set(s.Context(), "job", "said", 0).Err())
	return d
}

func named(d slipway.DeploymentID) string {
	return "slipway_" + strings.ReplaceAll(string(d), "-", "")
}

// says reads what is in a database, as somebody signs in.
func (s *served) says(name, login, password string) string {
	u, err := url.Parse(s.cluster.URL(name))
	must(s, err)
	if login != "" {
		u.User = url.UserPassword(login, password)
	}
	conn, err := pgx.Connect(s.Context(), u.String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close(context.Background())
	var text string
	if err := conn.QueryRow(s.Context(), "SELECT text FROM threads").Scan(&text); err != nil {
		return err.Error()
	}
	return text
}

// What nobody knows goes from a PostgreSQL and a Redis. What deployments have that
// are known stays, with its content, and so do databases, roles and keys of almost
// the same name, of nobody and of another installation.
func TestServers(t *testing.T) {
	s := newServed(t)
	strangers := []string{named(s.lost) + "_old", named(s.lost) + "x", "x" + named(s.lost)}
	for n, name := range strangers {
		must(t, s.cluster.Exec("postgres", "CREATE ROLE "+name+" LOGIN PASSWORD 'theirs'"))
		must(t, s.cluster.Exec("postgres", "CREATE DATABASE "+name+" OWNER "+name))
		must(t, s.cluster.Exec(name, "SET ROLE "+name+"; CREATE TABLE threads AS SELECT 'said' AS text"))
		if n == 1 {
			must(t, s.cluster.Exec("postgres", "COMMENT ON DATABASE "+name+" IS 'slipway deployment="+string(s.lost)+` installation="there" made=2026-01-01T00:00:00Z'`))
		}
	}
	elsewhere := client.NewClient(&client.Options{Network: "unix", Addr: s.addresses[s.lost].Options().Addr, DB: 3})
	t.Cleanup(func() { elsewhere.Close() })
	must(t, elsewhere.MSet(t.Context(), "slipway:deployment", "there/"+string(s.lost), "job", "said").Err())

	now := time.Now().Add(25 * time.Hour)
	scanner := leftover.New(s.store, leftover.Config{Owner: "here", Now: func() time.Time { return now }}, leftover.OfDatabases(s.postgres), leftover.OfRedis(s.redis))
	must(t, scanner.Scan(t.Context()))
	var told []string
	for _, l := range s.store.told {
		if l.Deployment != s.lost {
			t.Errorf("told of %+v", l)
		}
		told = append(told, string(l.Kind))
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"database", "database", "login", "redis"}) {
		t.Errorf("told of %v: %+v", told, s.store.told)
	}
	now = now.Add(25 * time.Hour) // what a Redis keeps has no age of its own
	must(t, scanner.Scan(t.Context()))
	if len(s.store.told) > 0 {
		t.Errorf("left: %+v", s.store.told)
	}
	if said := s.says(named(s.lost), "", ""); !strings.Contains(said, "does not exist") {
		t.Errorf("the database of what nobody knows: %s", said)
	}
	if n, err := s.addresses[s.lost].DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("its Redis has %d keys, %v", n, err)
	}
	if said := s.says(named(s.kept), named(s.kept)+"_1", "of-"+string(s.kept)); !strings.Contains(said, "permission denied for table threads") { // it is the administrator's
		t.Errorf("the neighbour's login is told %s", said)
	}
	if said := s.says(named(s.kept), "", ""); said != "said" || s.addresses[s.kept].Get(t.Context(), "job").Val() != "said" {
		t.Errorf("the neighbour's database says %s, its Redis %q", said, s.addresses[s.kept].Get(t.Context(), "job").Val())
	}
	for _, name := range strangers {
		if said := s.says(name, name, "theirs"); said != "said" {
			t.Errorf("the stranger %s: %s", name, said)
		}
	}
	if elsewhere.Get(t.Context(), "job").Val() != "said" || elsewhere.DBSize(t.Context()).Val() != 2 {
		t.Error("another installation's keys are gone")
	}
}
