package process

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/cgroup"
)

// run is the main process of an attempt, held by a pidfd so that no other
// process can be taken for it.
type run struct {
	pid   int
	start uint64
	fd    *os.File
	group *cgroup.Group // nil if it has none
	ended chan struct{} // closed once its end is recorded
}

func newRun(pid int, start uint64, fd int) (*run, error) {
	// Nonblocking, so that waiting costs a goroutine but no thread.
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &run{pid: pid, start: start, fd: os.NewFile(uintptr(fd), "pidfd"), ended: make(chan struct{})}, nil
}

// hold takes hold of a recorded process. It is nil if that process is gone.
func hold(pid int, start uint64) (*run, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil // nobody, or a thread, has that number
	}
	if err != nil {
		return nil, err
	}
	p, err := procfs.Stat(pid)
	if err == nil && p.Start == start {
		return newRun(pid, start, fd)
	}
	unix.Close(fd)
	if err == nil || errors.Is(err, procfs.ErrGone) {
		return nil, nil
	}
	return nil, err
}

// wait returns true when the process has ended, false when it was let go.
func (r *run) wait() bool {
	conn, err := r.fd.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(hasEnded) == nil
}

func (r *run) hasEnded() bool {
	ended := false
	_ = r.control(func(fd int) error { ended = hasEnded(uintptr(fd)); return nil })
	return ended
}

func hasEnded(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(poll, 0)
	return n > 0
}

// signal reaches the main process only.
func (r *run) signal(sig unix.Signal) error {
	return r.control(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
}

// kill ends the whole process group, and its leader wherever it is.
func (r *run) kill() {
	// As long as the leader is not reaped, the group can only be its own.
	if p, err := procfs.Stat(r.pid); err == nil && p.Start == r.start {
		_ = unix.Kill(-r.pid, unix.SIGKILL)
	}
	_ = r.signal(unix.SIGKILL)
}

// reap collects how the process ended; not ok if it was never our child or
// somebody was faster.
func (r *run) reap() (status syscall.WaitStatus, ok bool) {
	err := r.control(func(fd int) error {
		// Only looks: the process remains, so its number stays its own.
		return unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	})
	if err != nil {
		return 0, false
	}
	pid, err := syscall.Wait4(r.pid, &status, syscall.WNOHANG, nil)
	return status, err == nil && pid == r.pid
}

func (r *run) control(do func(fd int) error) error {
	conn, err := r.fd.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = do(int(fd)) }); err != nil {
		return err
	}
	return result
}

func (r *run) close() { r.fd.Close() }
