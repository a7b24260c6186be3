package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// inletTest is an inlet that answers, and where it is to listen.
type inletTest struct {
	*inlet
	t       *testing.T
	at      string
	fails   error
	running sync.WaitGroup
}

func openInlet(t *testing.T, data string) *inletTest {
	i := &inletTest{t: t, at: "127.0.0.1"}
	s := &Server{config: Config{Data: data, Logger: slog.New(slog.DiscardHandler)}}
	i.inlet = s.newInlet("agents-test", func(context.Context) (string, error) { return i.at, i.fails }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	i.run = i.running.Go
	t.Cleanup(i.close)
	return i
}

func (i *inletTest) close() {
	_ = i.http.Close()
	i.running.Wait()
}

// opened is where the inlet answers.
func (i *inletTest) opened() string {
	i.t.Helper()
	url, err := i.url(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	i.answers(url)
	return url
}

func (i *inletTest) answers(url string) {
	i.t.Helper()
	answer, err := http.Get(url + "/x")
	if err != nil {
		i.t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "ok" {
		i.t.Errorf("%s answers %q, %v", url, body, err)
	}
}

// Agents that run find a server that has started again where they were told.
func TestAnInletStaysWhereItIs(t *testing.T) {
	data := t.TempDir()
	i := openInlet(t, data)
	url := i.opened()
	if again := i.opened(); again != url {
		t.Errorf("it moved from %s to %s", url, again)
	}
	i.at = "127.0.0.2"
	if other := i.opened(); other != strings.Replace(url, "127.0.0.1", "127.0.0.2", 1) {
		t.Errorf("at another address it is %s after %s", other, url)
	}
	i.answers(url)
	i.close()

	i = openInlet(t, data)
	i.keep(t.Context())
	i.answers(url)
	i.close()

	stranger, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	i = openInlet(t, data)
	moved := i.opened()
	if moved == url {
		t.Errorf("it is at %s, which is a stranger's", moved)
	}
	i.close()
	if again := openInlet(t, data).opened(); again != moved {
		t.Errorf("it moved from %s to %s", moved, again)
	}
}

// An inlet whose socket has ended is opened again by the next who needs it.
func TestAnInletThatEnded(t *testing.T) {
	i := openInlet(t, t.TempDir())
	url := i.opened()
	i.mu.Lock()
	socket := i.open["127.0.0.1"]
	i.mu.Unlock()
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	testsignal.Until(t, "it knows that it has ended", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		return len(i.open) == 0
	})
	if again := i.opened(); again != url {
		t.Errorf("it moved from %s to %s", url, again)
	}
}

func TestAnInletThatNobodyNeeds(t *testing.T) {
	i := openInlet(t, t.TempDir())
	i.keep(t.Context())
	if len(i.open) != 0 {
		t.Error("it was opened for nobody")
	}
	i.fails = errors.New("no bridge")
	if url, err := i.url(t.Context()); !errors.Is(err, i.fails) || url != "" {
		t.Errorf("%s, %v", url, err)
	}
	i.at, i.fails = "192.0.2.1", nil // nobody's
	if url, err := i.url(t.Context()); err == nil || i.kept() != 0 {
		t.Errorf("%s, %v, port %d", url, err, i.kept())
	}
}

// An agent reaches the server where it can, and is started where it can not.
func TestReach(t *testing.T) {
	s, err := Start(t.Context(), Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 20000, Last: 20009}, Logger: slog.New(slog.DiscardHandler),
		DockerHost: "unix:///nowhere.sock",
		OpenDriver: func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{} }), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if got := s.reach(t.Context(), false); got != s.URL() {
		t.Errorf("a process reaches it at %q, want %s", got, s.URL())
	}
	if got := s.reach(t.Context(), true); got != "" {
		t.Errorf("a container reaches it at %q, where there is no engine", got)
	}
	s.config.PublicURL = "https://slipway.example.com/"
	if got := s.reach(t.Context(), true); got != "https://slipway.example.com" {
		t.Errorf("a container reaches it at %q", got)
	}
}
