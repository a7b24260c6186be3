package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/disk"
)

const loopback = "127.0.0.1"

// Ports from which the first free one is taken where none is set: below those that
// the kernel gives to whoever connects, and those that agents get.
const (
	firstPort = 15432
	lastPort  = 15531
)

// policy of programs that work in some folders.
func (s *Server) policy(p programs.Programs, as *confine.User, write ...string) confine.Policy {
	policy := confine.Policy{
		Env: []string{"PATH=" + p.Bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/"}, Dir: "/", Umask: 0o077,
		User: as, NoNewPrivileges: true, Confined: true,
		Read: []string{p.Home, s.conf()}, Write: append(write, "/dev/shm"),
	}
	if as != nil {
		policy.Hide = append(confine.Closed(append(policy.Read, policy.Write...)...), s.config.Hide)
	}
	return policy
}

// unconfined says what to do where a program can not be kept from the rest.
func (s *Server) unconfined(err error) error {
	if _, ok := errors.AsType[*confine.Error](err); !ok {
		return err
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "postgres_not_confined",
		Message: fmt.Sprintf("PostgreSQL can not run as a user of its own: %v.", err),
		Hint:    "Let the server mount and change users (CAP_SYS_ADMIN, CAP_SETUID), run it as another user than root, or name a PostgreSQL.",
	}
}

// port returns where it is to listen: where it did before, unless another one is
// set. Before it has ever answered, that is the first free one.
func (s *Server) port() (int, error) {
	port := s.config.Port
	if port == 0 {
		var err error
		if port, err = s.keptPort(); err != nil {
			return 0, err
		}
	}
	if port != 0 {
		if tryPort(hereAt(port)) != nil {
			return 0, fmt.Errorf("port %d of %s, which is PostgreSQL's, is taken by another program: end that, or set another port, which agents get with their next revision", port, loopback)
		}
		return port, nil
	}
	for port := firstPort; port <= lastPort; port++ {
		if tryPort(hereAt(port)) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free for PostgreSQL: set one", firstPort, lastPort)
}

func hereAt(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// tryPort says why nobody could listen at an address. No process is forked
// meanwhile: until it executes, it would hold a copy of the socket.
func tryPort(address string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// start starts PostgreSQL, in a session of its own. What it says goes into a file.
func (s *Server) start(ctx context.Context, p programs.Programs) (*process, error) {
	port, err := s.port()
	if err != nil {
		return nil, err
	}
	listens := []string{loopback}
	if host := s.bridge(ctx); host != "" {
		listens = append(listens, host)
	}
	if err := s.prepare(port, listens); err != nil {
		return nil, s.full(err)
	}
	log, err := os.OpenFile(s.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if s.said, err = log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	policy := s.policy(p, s.config.User, s.data(), s.run())
	policy.Args = append([]string{p.Path(programs.Server)}, s.arguments()...)
	child, err := policy.Start(ctx, &exec.Cmd{Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return nil, s.unconfined(err)
	}
	started, err := hold(child.Process.Pid)
	if begun := child.Executed(); err == nil && begun != nil {
		err = begun
	}
	if err != nil || started == nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), child.Wait())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listens = listens
	return started, nil
}

// prepare makes what PostgreSQL is started with.
func (s *Server) prepare(port int, listens []string) error {
	for _, folder := range []string{s.run(), s.conf()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.conf(), 0o755); err != nil {
		return err
	}
	// The data is another user's after a change of who it runs as.
	return errors.Join(give(s.data(), s.config.User), give(s.run(), s.config.User), s.configure(port, listens))
}

// leastSpace is below what PostgreSQL writes at its start.
const leastSpace = 32 << 20

// full says of an error that the disk is full, if it is.
func (s *Server) full(err error) error {
	if err == nil {
		return nil
	}
	space, look := disk.SpaceOf(string(s.layout))
	if look == nil && space.Free < leastSpace || strings.Contains(err.Error(), "No space left on device") || errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk of %s is full, and PostgreSQL does not run without room: free some space: %w", s.layout, err)
	}
	return err
}
