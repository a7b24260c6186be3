// Package systemd is a service's side of what systemd does for it: it opens
// sockets before the service starts and keeps them open while there is none, and
// is told when the service is ready and when it ends.
package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Service is what this process was given. Of one that systemd did not start, or
// that is no service, it is empty, and nobody is told anything.
type Service struct {
	Sockets []Socket
	notify  string // address of the socket where news are told
}

// Socket listens for TCP.
type Socket struct {
	Name string // FileDescriptorName= of its unit, "" if it is not known
	net.Listener
}

// firstSocket is the descriptor of the first one; the others follow.
const firstSocket = 3

// Take takes over what this process was given. Programs that it starts get
// neither the sockets nor the variables that tell of them.
func Take() (s Service, err error) {
	pid, count, names := take("LISTEN_PID"), take("LISTEN_FDS"), take("LISTEN_FDNAMES")
	s.notify = take("NOTIFY_SOCKET")
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil // they were meant for a process that started this one
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return s, fmt.Errorf("LISTEN_FDS is %q, want a number of sockets", count)
	}
	for i := range n {
		unix.CloseOnExec(firstSocket + i)
	}
	named := strings.Split(names, ":")
	for i := range n {
		socket := Socket{}
		if len(named) == n {
			socket.Name = named[i]
		}
		if socket.Listener, err = listen(firstSocket + i); err != nil {
			return s, errors.Join(fmt.Errorf("socket %d (%s) that systemd opened: %w", i+1, socket.Name, err), s.Close())
		}
		s.Sockets = append(s.Sockets, socket)
	}
	return s, nil
}

// take reads a variable that is not to be passed on.
func take(name string) string {
	value := os.Getenv(name)
	_ = os.Unsetenv(name)
	return value
}

func listen(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	if _, ok := l.Addr().(*net.TCPAddr); !ok {
		return nil, errors.Join(fmt.Errorf("%s is no address of TCP: give ListenStream= a port or host:port", l.Addr()), l.Close())
	}
	return l, nil
}

// Close gives the sockets back. They stay open where they were opened.
func (s Service) Close() error {
	var errs []error
	for _, socket := range s.Sockets {
		errs = append(errs, socket.Close())
	}
	return errors.Join(errs...)
}

// Ready tells that the service serves.
func (s Service) Ready() error { return s.tell("READY=1") }

// Stopping tells that it ends.
func (s Service) Stopping() error { return s.tell("STOPPING=1") }

func (s Service) tell(news string) error {
	if s.notify == "" {
		return nil
	}
	c, err := net.Dial("unixgram", s.notify)
	if err == nil {
		_, err = c.Write([]byte(news))
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		return fmt.Errorf("tell systemd %s: %w", news, err)
	}
	return nil
}
