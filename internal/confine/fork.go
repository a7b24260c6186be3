package confine

import (
	"math"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a system call of a thread on itself.
type call struct {
	doing  string
	number uintptr
	args   [3]uintptr
	path   *byte // in the place of the first argument, if it is one
}

//go:norace
//go:nosplit
func (c *call) make() syscall.Errno {
	if c.path != nil {
		_, _, errno := unix.RawSyscall(c.number, uintptr(unsafe.Pointer(c.path)), 0, 0)
		return errno
	}
	_, _, errno := unix.RawSyscall(c.number, c.args[0], c.args[1], c.args[2])
	return errno
}

// cloneArgs is clone_args of linux/sched.h.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, group uint64
}

// canBear says whether processes can be born into a group: the kernel has it from
// 5.7 on, and what contains us may forbid it. Only then it matters that the group
// is none; so nothing is born here.
var canBear = sync.OnceValue(func() bool {
	args := cloneArgs{
		flags:      unix.CLONE_INTO_CGROUP | unix.CLONE_VM | unix.CLONE_VFORK,
		exitSignal: uint64(unix.SIGCHLD), group: math.MaxInt32,
	}
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	return errno == unix.EBADF
})

// program is what a process becomes by its last calls.
type program struct {
	last      []call
	path      *byte
	argv, env []*byte
	starting  string
}

func (p *Policy) program() (*program, error) {
	last, err := p.prepare()
	if err != nil {
		return nil, err
	}
	path, err1 := syscall.BytePtrFromString(p.Args[0])
	argv, err2 := syscall.SlicePtrFromStrings(p.Args)
	env, err3 := syscall.SlicePtrFromStrings(p.Env)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, failed(p.starting(), err)
		}
	}
	return &program{last, path, argv, env, p.starting()}, nil
}

// What a process says that was forked: begun, and who it is. Should it not become
// the program, an error's number and what it was doing.
const (
	whoSaid = 1 + 4
	whySaid = whoSaid + 4
)

// fork has the program begin in a process of its own, born in a group if that is
// not -1. Its parent is that of this one.
//
// A copy of a Go program has one thread only: locks that others held are held for
// ever, and nobody schedules. It makes system calls, for which all is prepared,
// and nothing else. What it calls may not even ask for more stack, which is where
// Go gives way to others (nosplit).
//
//go:norace
func (b *program) fork(group, socket int) syscall.Errno {
	args := cloneArgs{flags: unix.CLONE_PARENT}
	if group >= 0 {
		args.flags, args.group = args.flags|unix.CLONE_INTO_CGROUP, uint64(group)
	}
	giveBackFiles()
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno != 0 || pid != 0 {
		return errno
	}
	b.run(uintptr(socket))
	return 0
}

// run is all that the process does. It does not return.
//
//go:norace
//go:nosplit
func (b *program) run(socket uintptr) {
	unix.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
	self, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	first, who := byte(begun), uint32(self)
	if say(socket, unsafe.Pointer(&first), 1) && say(socket, unsafe.Pointer(&who), 4) { // else nobody is there any more
		doing, errno := b.become()
		why := uint32(errno)
		say(socket, unsafe.Pointer(&why), 4)
		say(socket, unsafe.Pointer(unsafe.StringData(doing)), uintptr(len(doing)))
	}
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, exitNever, 0, 0)
	}
}

// become does not return, unless a call fails.
//
//go:norace
//go:nosplit
func (b *program) become() (doing string, errno syscall.Errno) {
	for i := range b.last {
		if errno := b.last[i].make(); errno != 0 {
			return b.last[i].doing, errno
		}
	}
	_, _, errno = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(b.path)), uintptr(unsafe.Pointer(&b.argv[0])), uintptr(unsafe.Pointer(&b.env[0])))
	return b.starting, errno
}

//go:norace
//go:nosplit
func say(socket uintptr, text unsafe.Pointer, length uintptr) bool {
	n, _, _ := unix.RawSyscall6(unix.SYS_SENDTO, socket, uintptr(text), length, unix.MSG_NOSIGNAL, 0, 0)
	return n == length
}

// giveBackFiles sets the limit of open files to what it was before Go raised it
// for itself. Only syscall.Exec knows what that was, and does so before it finds
// that there is no such program.
func giveBackFiles() { _ = syscall.Exec("", nil, nil) }
