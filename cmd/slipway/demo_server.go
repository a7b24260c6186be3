package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/client"
)

// stopTimeout is longer than a server takes to finish what it has begun.
const stopTimeout = 25 * time.Second

// serverProcess is 'slipway server' as a child.
type serverProcess struct {
	cmd   *exec.Cmd
	log   string        // path of what it prints
	ended chan struct{} // closed when it has ended
}

// startServer starts this same binary. The child has a process group of its
// own: Ctrl-C is for the demo, which stops the server when it has cleaned up.
func startServer(data, listen string) (*serverProcess, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	s := &serverProcess{log: filepath.Join(data, "demo-server.log"), ended: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	s.cmd = exec.Command(binary, "server", "--data", data, "--listen", listen)
	s.cmd.Env = append(os.Environ(), databaseVariable+"=") // a demo keeps to its folder
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // how it ended is read from ProcessState
	}()
	return s, nil
}

// waitReady asks until the server is ready.
func (s *serverProcess) waitReady(ctx context.Context, c *client.Client, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the server was not ready within %v", limit))
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if c.Ready(ctx) == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-s.ended:
			return fmt.Errorf("the server ended at once: %v", s.cmd.ProcessState)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// over says whether the server has ended.
func (s *serverProcess) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// stop asks the server to end, and makes it end when it takes too long.
func (s *serverProcess) stop(ctx context.Context) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the server: %w", err)
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-s.ended:
		if !stopped(s.cmd.ProcessState) {
			return fmt.Errorf("the server did not stop cleanly: %v", s.cmd.ProcessState)
		}
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = s.cmd.Process.Kill() // it may have ended meanwhile
	<-s.ended
	return errors.New("the server did not stop when told to, and was killed")
}

// stopped says whether a server ended as it was told: in order, or by the signal
// itself where that came before it was listened for.
func stopped(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return s.Success() || ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// freeAddress returns the address, or one with a free port where that is taken.
func freeAddress(listen string) (address string, taken bool, err error) {
	if address, err = tryListen(listen); !errors.Is(err, syscall.EADDRINUSE) {
		return address, false, err
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return "", true, err
	}
	address, err = tryListen(net.JoinHostPort(host, "0"))
	return address, true, err
}

func tryListen(listen string) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("can not listen on %s: %w", listen, err)
	}
	address := l.Addr().String()
	return address, l.Close()
}

// baseURL is where a server that listens there is reached from this machine.
func baseURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + listen
}
