package postgres_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/trace/store/postgres"
	"github.com/slipwayhq/slipway/trace/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		pool := newPool(t)
		return storetest.Place{Open: func(t testing.TB) store.Engine { return open(t, pool) }, Blobs: blobs(t)}
	})
}

// newPool is of an empty database.
func newPool(t testing.TB) *sql.DB {
	t.Helper()
	pool, err := sql.Open("pgx", postgrestest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

func open(t testing.TB, pool *sql.DB) *postgres.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func blobs(t testing.TB) *blob.Folder {
	t.Helper()
	f, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}
