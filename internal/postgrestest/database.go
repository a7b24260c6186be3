package postgrestest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/postgres"
)

const template = "slipway_template"

// shared is the cluster of this process; it ends with the process.
var shared = sync.OnceValues(start)

// migrated makes the database that those of tests are copies of.
var migrated = sync.OnceValue(func() error {
	c, err := shared()
	if err != nil {
		return err
	}
	if err := c.Exec("postgres", "CREATE DATABASE "+template); err != nil {
		return err
	}
	s, err := postgres.Open(context.Background(), c.URL(template))
	if err != nil {
		return err
	}
	return s.Close()
})

// free holds databases that tests have used and emptied: making one costs more
// than all that most tests do with it.
var free = make(chan string, 100)

var count atomic.Int64

// Open opens a store of its own for a test, closed when it ends.
func Open(t testing.TB) slipway.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), Database(t))
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

// Database returns the URL of a database for one test, with the schema but
// without a row.
func Database(t testing.TB) string {
	t.Helper()
	skipShort(t)
	if err := migrated(); err != nil {
		t.Fatal(err)
	}
	c, _ := shared()
	var name string
	select {
	case name = <-free:
	default:
		name = create(t, c, "TEMPLATE "+template)
	}
	t.Cleanup(func() {
		if err := c.Exec(name, empty); err != nil {
			t.Error(err)
			return
		}
		select {
		case free <- name:
		default:
		}
	})
	return c.URL(name)
}

// empty removes all rows but those that say which schema it is, without a look at
// what refers to them. TRUNCATE would make all files anew, which takes ten times as
// long.
const empty = `DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version' LOOP
        EXECUTE 'DELETE FROM ' || quote_ident(name);
    END LOOP;
END $$`

// Shared returns the cluster of this process, for tests that make databases and
// roles in it, and remove them.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	skipShort(t)
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Empty returns the URL of a database without a schema, for one test.
func Empty(t testing.TB) string {
	t.Helper()
	c := Shared(t)
	return c.URL(create(t, c, ""))
}

// skipShort leaves tests out of make test-fast, which needs no engine.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a PostgreSQL")
	}
}

func create(t testing.TB, c *Cluster, from string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", count.Add(1))
	if err := c.Exec("postgres", "CREATE DATABASE "+name+" "+from); err != nil {
		t.Fatal(err)
	}
	return name
}

// URL is where a database of the cluster is reached.
func (c *Cluster) URL(database string) string {
	return "postgres://postgres@/" + database + "?" + url.Values{"host": {c.dir}}.Encode()
}

// Exec runs a statement in a database of the cluster.
func (c *Cluster) Exec(database, statement string) error {
	pool, err := sql.Open("pgx", c.URL(database))
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
