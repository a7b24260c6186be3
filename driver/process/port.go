package process

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
)

// checkPort refuses a port that somebody holds.
func checkPort(port int) error {
	err := tryPort(port)
	if errors.Is(err, unix.EADDRINUSE) {
		return portInUse(port)
	}
	return err
}

// tryPort binds, without listening, as the agent will: nobody can connect to it
// meanwhile. No other agent is being started then, since it would hold a copy of
// the socket until its exec.
func tryPort(port int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

func portInUse(port int) error {
	f := &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "start", Code: "port_in_use",
		Message: fmt.Sprintf("Port %d is in use", port),
		Hint:    "Stop what holds the port, or take it out of the range of ports for agents.",
	}
	inode, err := procfs.Listener(port)
	if err == nil && inode != 0 {
		if pid := procfs.Holder(inode); pid != 0 {
			f.Message += fmt.Sprintf(" by process %d (%s)", pid, procfs.Command(pid))
		}
	}
	f.Message += "."
	return f
}

// Listens says whether a connection to the instance's address would reach the
// instance itself.
func (d *Driver) Listens(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (bool, error) {
	in, err := d.find(id, i)
	if err != nil || in == nil || ctx.Err() != nil {
		return false, errors.Join(err, ctx.Err())
	}
	r := in.current()
	if r == nil {
		return false, nil
	}
	s := in.snapshot()
	if s.Socket {
		return in.listensOnSocket(ctx, r)
	}
	inode, err := procfs.Listener(s.Port)
	if err != nil || inode == 0 {
		return false, err
	}
	held, err := procfs.Holds(r.pid, inode)
	if held || err != nil && !errors.Is(err, procfs.ErrGone) {
		return held, err
	}
	return in.anyHolds(r, inode)
}

// anyHolds asks the other processes of an instance: workers may own the socket.
func (in *instance) anyHolds(r *run, inode uint64) (bool, error) {
	members, err := in.members(r)
	for _, c := range members {
		if held, _ := procfs.Holds(c.PID, inode); held {
			return true, nil
		}
	}
	return false, err
}
