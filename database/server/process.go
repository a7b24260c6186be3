package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is held by a pidfd, so that no other can be taken for it.
type process struct {
	pid int
	fd  *os.File
}

// hold takes hold of a process; nil if there is none of that number.
func hold(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // waiting costs no thread
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &process{pid, os.NewFile(uintptr(fd), "pidfd")}, nil
}

func (p *process) close() { p.fd.Close() }

// wait returns true when the process has ended, false when the context has.
func (p *process) wait(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() { p.fd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(hasEnded) == nil
}

func hasEnded(fd uintptr) bool {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0
}

// ended looks without waiting.
func (p *process) ended() (ended bool) {
	if conn, err := p.fd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { ended = hasEnded(fd) })
	}
	return ended
}

func (p *process) signal(sig unix.Signal) (err error) {
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	if err := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// reap takes an ended child off the kernel's list; another's is not there.
func (p *process) reap() { _, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) }

// within lists the processes that work in a folder. Those of other users can not be
// asked, and are none of ours.
func within(folder string) ([]int, error) {
	want, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		cwd, err := os.Stat(entry + "/cwd")
		if err == nil && os.SameFile(cwd, want) {
			pid, _ := strconv.Atoi(filepath.Base(entry))
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// named is the process that a lock file of PostgreSQL's names, 0 if there is none.
func named(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return numberAt(string(text), 0), nil
}

// portLine is the line of PostgreSQL's lock file with its port.
const portLine = 3

// numberAt is the number in a line, 0 if it is just being written.
func numberAt(text string, line int) int {
	lines := strings.Split(text, "\n")
	if len(lines) <= line+1 {
		return 0
	}
	number, err := strconv.Atoi(strings.TrimSpace(lines[line]))
	if err != nil {
		return 0
	}
	return number
}
