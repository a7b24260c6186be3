package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/internal/startstop/startstoptest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// config is that of a server which runs no processes.
func config(data string) daemon.Config {
	return daemon.Config{
		Data: data, Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 20000, Last: 20009}, Logger: slog.New(slog.DiscardHandler),
		OpenDriver: func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
		},
	}
}

func start(c daemon.Config) startstoptest.Start {
	return func(ctx context.Context) (func() error, error) {
		s, err := daemon.Start(ctx, c)
		if err != nil {
			return nil, err
		}
		return s.Stop, nil
	}
}

func TestStartAndStop(t *testing.T) { startstoptest.Run(t, start(config(t.TempDir()))) }

func TestStartAndStopOnPostgreSQL(t *testing.T) {
	c := config(t.TempDir())
	c.Database = postgrestest.Empty(t)
	startstoptest.Run(t, start(c))
	if _, err := os.Stat(filepath.Join(c.Data, "slipway.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database in the folder: %v", err)
	}
}

// Servers that start at once on one empty database make one workspace and one
// key between them, and only the one that made the key has it.
func TestFirstStartTogether(t *testing.T) {
	url := postgrestest.Empty(t)
	const n = 4
	var dirs [n]string
	var servers [n]*daemon.Server
	var g sync.WaitGroup
	for i := range n {
		dirs[i] = t.TempDir()
		g.Go(func() {
			c := config(dirs[i])
			c.Database = url
			s, err := daemon.Start(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	g.Wait()
	var keys []string
	identities := map[string]bool{}
	for _, dir := range dirs {
		if key, err := os.ReadFile(daemon.AdminKeyFile(dir)); err == nil {
			keys = append(keys, string(key))
		}
		who, err := os.ReadFile(filepath.Join(dir, "identity"))
		if err != nil {
			t.Error(err)
		}
		identities[string(who)] = true
	}
	if len(keys) != 1 || len(identities) != n {
		t.Fatalf("%d keys, identities %v", len(keys), identities)
	}
	for _, s := range servers {
		if s == nil {
			continue
		}
		c := client.New(s.URL(), keys[0])
		if _, err := c.Deployments(t.Context(), client.Filter{}); err != nil {
			t.Errorf("with the key at every server: %v", err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// A folder keeps its name in leases.
func TestIdentityStays(t *testing.T) {
	dir := t.TempDir()
	var was []byte
	for range 2 {
		stop, err := start(config(dir))(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		now, err := os.ReadFile(filepath.Join(dir, "identity"))
		if err != nil || len(now) == 0 || was != nil && string(now) != string(was) {
			t.Errorf("identity %q, was %q, %v", now, was, err)
		}
		was = now
	}
}

func TestAdminKeyOnPostgreSQL(t *testing.T) {
	c := config(t.TempDir())
	c.Database = postgrestest.Empty(t)
	s, err := daemon.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	n := slipway.NewKey{Name: "again"}
	keep := func(token string) error { return daemon.WriteKey(daemon.AdminKeyFile(c.Data), token) }
	if err := daemon.NewAdminKey(t.Context(), c.Data, "", n, keep); err == nil {
		t.Error("a key for a database that is not there")
	}
	if err := daemon.NewAdminKey(t.Context(), c.Data, c.Database, n, keep); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(daemon.AdminKeyFile(c.Data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.New(s.URL(), string(key)).Deployments(t.Context(), client.Filter{}); err != nil {
		t.Error(err)
	}
}

// A server that stops lets WebSockets end too, though it does not count them among
// its connections.
func TestWebSocketsEndBeforeTheServerDoes(t *testing.T) {
	w := newWorld(t)
	w.serving("app")
	c, err := net.Dial("tcp", w.config.Listen)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(c, "GET /d/app/socket HTTP/1.1\r\nHost: h\r\nX-Api-Key: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", w.key)
	must(t, err)
	words := bufio.NewReader(c)
	if answer, err := http.ReadResponse(words, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", answer, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.server.Stop() }()
	testsignal.Until(t, "the server to take no more connections", func() bool {
		other, err := net.Dial("tcp", w.config.Listen)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	for n := range 1000 {
		_, err := fmt.Fprintln(c, n)
		must(t, err)
		if word, err := words.ReadString('\n'); err != nil || word != fmt.Sprintln(n) {
			t.Fatalf("word %d: %q %v", n, word, err)
		}
	}
	if len(stopped) > 0 {
		t.Error("it has not waited")
	}
	must(t, c.Close())
	must(t, <-stopped)
	if w.log.says("requests are cut") {
		t.Error("nothing was to be cut")
	}
}
