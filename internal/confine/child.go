package confine

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is the first argument of a child; the second is the number of its
// socket. A spare has a third.
const (
	marker = "__confined"
	spare  = "spare"
)

// IsChild says whether a process is a child that has not become its program yet.
func IsChild(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	args := strings.Split(string(line), "\x00")
	return err == nil && len(args) > 1 && args[1] == marker
}

// begun is what a child says before it becomes the program; what follows says
// why it could not.
const begun = '+'

// exitNever is how a child ends that did not become the program.
const exitNever = 126

// The thread that runs this is the process's first, and Go stays on it: what is
// set per thread is set for the program.
func init() {
	if len(os.Args) < 3 || os.Args[1] != marker {
		return
	}
	fd, err := strconv.Atoi(os.Args[2])
	if err != nil || fd < 3 {
		os.Exit(exitNever)
	}
	unix.CloseOnExec(fd)
	socket := os.NewFile(uintptr(fd), "policy")
	if len(os.Args) > 3 {
		err = standBy(socket)
	} else {
		err = become(socket)
	}
	tell(socket, err)
	os.Exit(exitNever)
}

// tell sends an error to the parent.
func tell(socket *os.File, err error) {
	reason, ok := errors.AsType[*Error](err)
	if !ok {
		reason = &Error{Doing: fmt.Sprintf("confine: %v", err), Errno: syscall.EINVAL}
	}
	fmt.Fprintf(socket, "%d %s", int(reason.Errno), reason.Doing)
}

// become applies a policy and does not return, unless that fails.
func become(socket *os.File) error {
	var o order
	if err := gob.NewDecoder(socket).Decode(&o); err != nil {
		return err
	}
	p := &o.Policy
	if p.Supervised {
		return supervise(socket, o)
	}
	if err := join(int(socket.Fd()), o.Joins); err != nil {
		return err
	}
	if err := p.apply(); err != nil {
		return err
	}
	switch {
	case o.Slay:
		return slay(socket)
	case len(p.Args) == 0: // it was only tried
		socket.Write([]byte{begun})
		os.Exit(0)
	}
	// Most of what keeps a program from being started is told in time.
	if err := unix.Faccessat(unix.AT_FDCWD, p.Args[0], unix.X_OK, unix.AT_EACCESS); err != nil {
		return failed(p.starting(), err)
	}
	socket.Write([]byte{begun})
	return failed(p.starting(), syscall.Exec(p.Args[0], p.Args, p.Env))
}

func (p *Policy) starting() string { return "start " + p.Args[0] }

// slay sends the signal to all that it may, but itself. The kernel lets nobody
// fork while it is sent; who is dead but not yet reaped counts as reached.
func slay(socket *os.File) error {
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && err != unix.ESRCH {
		return failed("kill", err)
	}
	socket.Write([]byte{begun})
	os.Exit(0)
	return nil
}

// apply goes from what takes the most rights to what takes the last.
func (p *Policy) apply() error {
	last, err := p.prepare()
	if err != nil {
		return err
	}
	for _, c := range last {
		if errno := c.make(); errno != 0 {
			return failed(c.doing, errno)
		}
	}
	return nil
}

// prepare does what takes rights, and returns the calls that take them away.
func (p *Policy) prepare() (last []call, err error) {
	for _, step := range []func() error{p.hide, p.limit, p.setUmask, p.closeFiles} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() ([]call, error){p.becomeUser, p.obeyParent, p.enter, p.giveUp, p.confine} {
		calls, err := step()
		if err != nil {
			return nil, err
		}
		last = append(last, calls...)
	}
	return last, nil
}

func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &Error{doing, errno}
}

// join has the process join groups by the open files that follow a descriptor.
func join(after, files int) error {
	for fd := after + 1; fd <= after+files; fd++ {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			return failed("join a control group", err)
		}
		unix.Close(fd)
	}
	return nil
}

func (p *Policy) limit() error {
	for _, l := range []struct {
		name  string
		which int
		value uint64
		grace uint64
	}{
		{"CPU time", unix.RLIMIT_CPU, p.Limits.CPU, 5},
		{"size of files", unix.RLIMIT_FSIZE, p.Limits.FileSize, 0},
		{"processes", unix.RLIMIT_NPROC, p.Limits.Processes, 0},
		{"open files", unix.RLIMIT_NOFILE, p.Limits.OpenFiles, 0},
	} {
		if l.value == 0 {
			continue
		}
		var had unix.Rlimit
		if err := unix.Getrlimit(l.which, &had); err != nil {
			return failed("read limit of "+l.name, err)
		}
		// To take less needs no right. The signal of the lower one tells more
		// than the death of the higher.
		limit := unix.Rlimit{Cur: min(l.value, had.Max), Max: min(l.value+l.grace, had.Max)}
		if err := unix.Setrlimit(l.which, &limit); err != nil {
			return failed("limit "+l.name, err)
		}
	}
	return nil
}

func (p *Policy) setUmask() error {
	if p.Umask != 0 {
		unix.Umask(p.Umask)
	}
	return nil
}

// closeFiles keeps what the parent may have left open from the program.
func (p *Policy) closeFiles() error {
	return failed("close files", unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC))
}

func (p *Policy) becomeUser() ([]call, error) {
	if p.User == nil {
		return nil, nil
	}
	doing := fmt.Sprintf("become user %d", p.User.UID)
	uid, gid := uintptr(p.User.UID), uintptr(p.User.GID)
	return []call{
		{doing: doing, number: unix.SYS_SETGROUPS},
		{doing: doing, number: unix.SYS_SETRESGID, args: [3]uintptr{gid, gid, gid}},
		{doing: doing, number: unix.SYS_SETRESUID, args: [3]uintptr{uid, uid, uid}},
	}, nil
}

// obeyParent comes after the change of user, which takes the signal back.
func (p *Policy) obeyParent() ([]call, error) {
	if p.KillSignal == 0 {
		return nil, nil
	}
	return []call{{doing: "ask for a signal", number: unix.SYS_PRCTL, args: [3]uintptr{unix.PR_SET_PDEATHSIG, uintptr(p.KillSignal)}}}, nil
}

func (p *Policy) enter() ([]call, error) {
	if p.Dir == "" {
		return nil, nil
	}
	path, err := syscall.BytePtrFromString(p.Dir)
	return []call{{doing: "enter " + p.Dir, number: unix.SYS_CHDIR, path: path}}, failed("enter "+p.Dir, err)
}

func (p *Policy) giveUp() ([]call, error) {
	if !p.NoNewPrivileges && !p.Confined {
		return nil, nil
	}
	return []call{{doing: "give up privileges", number: unix.SYS_PRCTL, args: [3]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}}}, nil
}
