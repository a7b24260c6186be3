// Package enginetest runs the tests of a package once on each engine of the
// store: a package's TestMain calls Main, its tests call Open.
package enginetest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/sqlitetest"
)

// engine opens a store of one kind for a test, and closes it when the test ends.
type engine struct {
	name string
	open func(testing.TB) slipway.Store
}

var engines = []engine{{"SQLite", func(t testing.TB) slipway.Store { return sqlitetest.Open(t) }}, {"PostgreSQL", postgrestest.Open}}

// current is the one that the tests run on.
var current = engines[0]

// Main runs all tests on one engine after the other, and ends the process. With
// -short there is only the one that needs no program beside.
func Main(m *testing.M) {
	flag.Parse()
	code := 0
	for _, current = range engines {
		if testing.Short() && current.name != engines[0].name {
			break
		}
		if c := m.Run(); c != 0 {
			fmt.Fprintf(os.Stderr, "failed on %s\n", current.name)
			code = c
		}
	}
	os.Exit(code)
}

// Open opens an empty store on the current engine.
func Open(t testing.TB) slipway.Store {
	t.Helper()
	t.Log("on " + current.name)
	return current.open(t)
}
