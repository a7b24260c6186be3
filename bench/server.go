package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/daemon"
)

const (
	// startLimit bounds the start of an agent, and that of a server.
	startLimit = 30 * time.Second
	// stopLimit is longer than a server takes to end what it has begun.
	stopLimit = 25 * time.Second
)

// server is a server at work, as a child.
type server struct {
	*client.Client
	key   string
	url   string // without a slash at its end
	data  string
	log   string // file
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// transport of all requests: with enough connections kept for all who ask at
// once.
var transport = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// slipwayServer starts the binary on a folder, and returns how long it took to
// be ready.
func (l *lab) slipwayServer(ctx context.Context, data string) (*server, time.Duration, error) {
	ports := fmt.Sprintf("%d-%d", agentPorts.First, agentPorts.Last)
	return l.server(ctx, data, l.slipway, "server", "--agent-ports", ports, "--rate-limit", "0", "--undo", "0")
}

// standInServer starts a server that knows stand-ins: it runs the program, or
// nothing for "".
func (l *lab) standInServer(ctx context.Context, program string) (*server, error) {
	data, err := l.folder("data")
	if err != nil {
		return nil, err
	}
	s, _, err := l.standInServerOn(ctx, data, program)
	return s, err
}

// standInServerOn starts one on a folder, and returns how long it took to be
// ready.
func (l *lab) standInServerOn(ctx context.Context, data, program string) (*server, time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	return l.server(ctx, data, self, serveCommand, "-stand-in", program, "-profiles", l.profiles)
}

// server starts one of ours, and reads its first key.
func (l *lab) server(ctx context.Context, data, program string, args ...string) (*server, time.Duration, error) {
	s, took, err := l.start(ctx, data, "/readyz", program, args...)
	if err != nil {
		return nil, 0, err
	}
	key, err := os.ReadFile(daemon.AdminKeyFile(data))
	s.key = strings.TrimSpace(string(key))
	s.Client = client.New(s.url, s.key, client.WithHTTPClient(transport))
	return s, took, err
}

// start starts any server as a child, and returns how long it took until a path
// of it answered.
func (l *lab) start(ctx context.Context, data, ready, program string, args ...string) (*server, time.Duration, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, 0, err
	}
	s := &server{url: "http://" + address, data: data, log: data + ".log", ended: make(chan struct{})}
	s.cmd = exec.Command(program, append(args, "--data", data, "--listen", address)...)
	begun := time.Now()
	if err := l.launch(ctx, s, ready); err != nil {
		return nil, 0, err
	}
	return s, time.Since(begun), nil
}

// launch starts a server's command, and returns when a path of it answers.
func (l *lab) launch(ctx context.Context, s *server, ready string) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	l.servers = append(l.servers, s)
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	if err := answers(ctx, s.url+ready, time.Millisecond, s.ended); err != nil {
		return fmt.Errorf("start server: %w\n%s", err, s.lastWords())
	}
	return nil
}

// freeAddress names a port that nothing listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// answers asks until the answer is 200, at most until the other side has ended.
func answers(ctx context.Context, url string, every time.Duration, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("%s did not answer within %v", url, startLimit))
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok(ctx, url) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func ok(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := transport.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the server; agents go on.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopLimit):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("the server did not end within %v", stopLimit)
	}
}

// kill ends the server where it stands; agents go on.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// end ends the server and its agents.
func (s *server) end() {
	_ = s.stop()
	killAgents(s.data)
}

// lastWords is the end of what the server printed.
func (s *server) lastWords() string {
	text, _ := os.ReadFile(s.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// removeAll removes a folder in which there may be some that are read-only.
func removeAll(folder string) {
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(folder)
}
