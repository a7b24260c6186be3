package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/internal/backoff"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Ports of inlets. They lie outside of what the kernel gives to connections, so
// that none of those is in the way when a server starts again.
const firstInletPort, lastInletPort = 18124, 18223

var inletBackoff = backoff.Exponential{First: time.Second, Most: time.Minute}

// inlet is a way in for agents alone, over plain HTTP at an address that only
// this machine and its containers have. It is opened when an agent first needs
// it, and from then on as soon as a server starts: its port is written down,
// since agents that run have been told.
type inlet struct {
	file string                                    // of the port
	host func(ctx context.Context) (string, error) // where to listen
	http *http.Server
	run  func(func()) // has a function run until the server has stopped
	log  *slog.Logger

	mu   sync.Mutex
	port int
	open map[string]net.Listener // by host
}

func (s *Server) newInlet(name string, host func(context.Context) (string, error), handler http.Handler) *inlet {
	return &inlet{
		file: filepath.Join(s.config.Data, name+".port"), host: host, run: s.running.Go, log: s.config.Logger, open: map[string]net.Listener{},
		http: &http.Server{Handler: handler, ReadHeaderTimeout: headerWithin, IdleTimeout: idleFor},
	}
}

// url opens the inlet, unless it is open, and says where agents find it.
func (i *inlet) url(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	host, err := i.host(ctx)
	if err != nil {
		return "", err
	}
	if i.open[host] == nil {
		if err := i.listen(ctx, host); err != nil {
			return "", err
		}
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(i.port)), nil
}

func (i *inlet) listen(ctx context.Context, host string) error {
	if i.port == 0 {
		i.port = i.kept()
	}
	socket, err := i.bind(ctx, host)
	if err != nil {
		return err
	}
	i.open[host] = socket
	i.run(func() {
		if err := i.http.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			i.log.Error("agents can not reach this server until the next one starts", slog.String("address", socket.Addr().String()), slog.Any("error", err))
			i.mu.Lock()
			defer i.mu.Unlock()
			delete(i.open, host)
		}
	})
	return nil
}

// bind takes the port that was written down; another one, and writes that down,
// if there was none or a stranger has it.
func (i *inlet) bind(ctx context.Context, host string) (net.Listener, error) {
	listen := func(port int) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	}
	if i.port != 0 {
		socket, err := listen(i.port)
		if !errors.Is(err, syscall.EADDRINUSE) || len(i.open) > 0 {
			return socket, err
		}
		i.log.Warn("agents that run do not reach this server until they are started anew: another program has its port for them", slog.Int("port", i.port))
	}
	for port := firstInletPort; port <= lastInletPort; port++ {
		socket, err := listen(port)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			continue
		case err != nil:
			return nil, err
		}
		if err := WriteKey(i.file, strconv.Itoa(port)); err != nil {
			return nil, errors.Join(fmt.Errorf("keep port: %w", err), socket.Close())
		}
		i.port = port
		return socket, nil
	}
	return nil, fmt.Errorf("no port between %d and %d is free at %s", firstInletPort, lastInletPort, host)
}

// kept is the port that was written down, 0 for none.
func (i *inlet) kept() int {
	text, _ := os.ReadFile(i.file)
	port, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return port
}

// keep opens an inlet of which agents were told before this server started.
func (i *inlet) keep(ctx context.Context) {
	if i.kept() == 0 {
		return
	}
	for n := 1; ; n++ {
		_, err := i.url(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		i.log.Debug("agents that run do not reach this server yet", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(inletBackoff.After(n)):
		}
	}
}

// bridgeOf returns the address that the machine has in the network of an engine
// that every bridge leads to.
func bridgeOf(e *engine.Engine) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		found, err := e.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
		if err != nil {
			return "", fmt.Errorf("inspect the engine's bridge: %w", e.Explain(err))
		}
		for _, c := range found.Network.IPAM.Config {
			if c.Gateway.IsValid() {
				return c.Gateway.String(), nil
			}
		}
		return "", errors.New("the engine's bridge has no address of this machine")
	}
}

// inlets are where agents reach a server whose own door is not for them: nil for
// those that do.
type inlets struct {
	here   *inlet // for processes
	bridge *inlet // for containers
}

func (s *Server) openInlets(handler http.Handler) {
	if s.config.TLS.on() { // its certificate is for names, and may be one that nobody trusts
		s.inlets.here = s.newInlet("agents-here", func(context.Context) (string, error) { return "127.0.0.1", nil }, handler)
	}
	if s.engine != nil {
		s.inlets.bridge = s.newInlet("agents-bridge", bridgeOf(s.engine), handler)
	}
}

func (i inlets) all() (made []*inlet) {
	for _, one := range []*inlet{i.here, i.bridge} {
		if one != nil {
			made = append(made, one)
		}
	}
	return made
}

// reach says where an agent reaches this server, "" if it can not. That is no
// reason not to start it.
func (s *Server) reach(ctx context.Context, container bool) string {
	way := s.inlets.here
	if container {
		way = s.inlets.bridge
	}
	if way == nil {
		if container {
			return ""
		}
		return "http://" + s.doors.main.address()
	}
	url, err := way.url(ctx)
	switch {
	case err == nil:
		return url
	case s.config.PublicURL != "":
		return strings.TrimRight(s.config.PublicURL, "/")
	case ctx.Err() == nil:
		s.config.Logger.Warn("an agent is started that can not reach this server: it traces nothing. Give the server's --public-url if agents reach that", slog.Any("error", err))
	}
	return ""
}
