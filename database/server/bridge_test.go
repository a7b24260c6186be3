package server_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/server"
)

// bridge is where containers are, as an engine tells.
type bridge struct {
	mu   sync.Mutex
	host string
	err  error
}

func (b *bridge) is(host string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.host, b.err = host, err
}

func (b *bridge) ask(context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.host, b.err
}

// contained expects that somebody with a login gets in where containers are told.
func contained(t *testing.T, s *server.Server, want string) {
	t.Helper()
	to, err := s.Contained(t.Context())
	if err != nil || to.Hostname() != want {
		t.Fatalf("containers are told %v, %v; want %s", to, err, want)
	}
	conn, err := pgx.Connect(t.Context(), "postgresql://someone:p@"+to.Host+"/postgres")
	if stateOf(err) != "42501" { // it gets as far as its missing right to that database
		t.Errorf("somebody at %s: %v, %v", to, conn, err)
	}
}

// unreached expects that containers do not get there, and why, and that nothing was
// started again for it.
func unreached(t *testing.T, s *server.Server, folder, why string) {
	t.Helper()
	before := first(t, folder)
	to, err := s.Contained(t.Context())
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("containers are told %v, %v; want %q", to, err, why)
	}
	if _, final := errors.AsType[*slipway.Failure](err); final {
		t.Errorf("that may pass: %v", err)
	}
	reach(t, s)
	if now := first(t, folder); now != before {
		t.Errorf("%d was started for nothing, after %d", now, before)
	}
}

// Containers reach a server that was there before their engine, and whose bridge
// has moved. What can not be helped by a start is none.
func TestContained(t *testing.T) {
	t.Parallel()
	folder := ranBefore(t)
	b := &bridge{err: errors.New("no engine")}
	c := config(folder)
	c.Bridge = b.ask
	s := open(t, c)
	conn := connect(t, reach(t, s))
	if _, err := conn.Exec(t.Context(), "CREATE ROLE someone LOGIN PASSWORD 'p'"); err != nil {
		t.Fatal(err)
	}
	unreached(t, s, folder, "no engine")

	b.is("127.0.0.2", nil)
	pid := first(t, folder)
	var asking sync.WaitGroup
	for range 5 {
		asking.Go(func() {
			if _, err := s.Contained(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	again := first(t, folder)
	if contained(t, s, "127.0.0.2"); again == pid || first(t, folder) != again {
		t.Errorf("%d was %d when five had asked, and %d before", first(t, folder), again, pid)
	}
	s.Close()
	s = open(t, c) // adopted, it listens there
	if contained(t, s, "127.0.0.2"); first(t, folder) != again {
		t.Error("it was started again, and listened there")
	}

	port := reach(t, s).Agents.Port()
	stranger, err := net.Listen("tcp", net.JoinHostPort("127.0.0.3", port))
	if err != nil {
		t.Fatal(err)
	}
	b.is("127.0.0.3", nil)
	unreached(t, s, folder, "another program has that port")
	stranger.Close()
	contained(t, s, "127.0.0.3")
	b.is("192.0.2.1", nil)
	unreached(t, s, folder, "does not have that address")

	write(t, filepath.Join(folder, "conf", "custom.conf"), hasty+"listen_addresses = '127.0.0.1'\n")
	b.is("127.0.0.4", nil)
	if _, err := s.Contained(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer there") {
		t.Errorf("where it may not listen: %v", err)
	}
	unreached(t, s, folder, "look for listen_addresses in custom.conf")
}

// Without an engine there are no containers.
func TestContainedByNoEngine(t *testing.T) {
	t.Parallel()
	s := open(t, config(ranBefore(t)))
	reach(t, s)
	_, err := s.Contained(t.Context())
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "database_not_reached" {
		t.Errorf("%v", err)
	}
	if _, err := open(t, config(newFolder(t))).Contained(t.Context()); !errors.Is(err, database.ErrNoServer) {
		t.Errorf("before there is a server: %v", err)
	}
}
