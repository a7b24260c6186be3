// Package procfs reads what Linux says of processes and listening sockets.
//
// A process that is not there is ErrGone. Every other error means that nothing
// is known: it must never be taken for an absence, or what runs would be
// started twice.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone means that there is no such process.
var ErrGone = errors.New("no such process")

// Process is one line of /proc/<pid>/stat, the part that tells it from others.
type Process struct {
	PID     int
	Session int
	State   byte
	Threads int
	Kernel  bool   // a thread of the kernel
	Start   uint64 // ticks after boot
	Exiting bool   // nothing of it runs any more, but it has not quite ended

	envEnd uint64 // where its variables end in its memory; 0 until they are there
}

// Ended says whether the process is a zombie: nothing of it runs any more. (A
// first thread that has ended before the others looks like one.)
func (p Process) Ended() bool { return (p.State == 'Z' || p.State == 'X') && p.Threads <= 1 }

// Stopped says whether the process was halted by a signal.
func (p Process) Stopped() bool { return p.State == 'T' }

// Since is when the process was made.
func (p Process) Since() time.Time {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}
	}
	boot := time.Now().Add(-time.Duration(up.Nano()))
	return boot.Add(time.Duration(p.Start) * time.Second / TicksPerSecond).UTC()
}

// TicksPerSecond is USER_HZ, which is the same on every Linux that Go runs on.
const TicksPerSecond = 100

// Boot identifies the boot of the machine.
func Boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// PIDs lists the processes that are there now.
func PIDs() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// Stat looks at one process.
func Stat(pid int) (Process, error) {
	var space [1024]byte
	line, err := read(path(pid, "stat"), space[:])
	if err != nil {
		return Process{}, gone(err)
	}
	// The name, in brackets, may hold anything.
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) < 49 {
		return Process{}, fmt.Errorf("process %d: strange stat %q", pid, line)
	}
	session, err1 := strconv.Atoi(string(fields[3]))
	flags, err2 := strconv.ParseUint(string(fields[6]), 10, 64)
	threads, err3 := strconv.Atoi(string(fields[17]))
	start, err4 := strconv.ParseUint(string(fields[19]), 10, 64)
	envEnd, err5 := strconv.ParseUint(string(fields[48]), 10, 64)
	return Process{
		PID: pid, Session: session, State: fields[0][0], Threads: threads, Start: start,
		Kernel: flags&kernelThread != 0, Exiting: flags&exiting != 0, envEnd: envEnd,
	}, errors.Join(err1, err2, err3, err4, err5)
}

// PF_KTHREAD and PF_EXITING of linux/sched.h.
const (
	kernelThread = 0x00200000
	exiting      = 0x00000004
)

// executes says whether the process is on its way from one program to another:
// it has left the memory of the old one, and the new one's is not filled yet.
func (p Process) executes() bool {
	return p.envEnd == 0 && !p.Kernel && !p.Exiting && p.State != 'Z' && p.State != 'X'
}

// Env is the variables of a process as the kernel keeps them: NAME=value, each
// ended by a zero byte.
type Env string

// execPatience bounds the wait for a program to be loaded, in looks of 100 µs.
const execPatience = 50_000

// Environ returns the variables that a process was given at its exec. One that
// is just being executed has none for a moment; Environ waits for that to pass:
// a process must not be missed for it. They are empty where we may not look:
// that process is not ours.
func Environ(pid int) (Env, error) {
	env, err := readEnviron(pid)
	if errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	for range execPatience {
		if env != "" || err != nil {
			return env, err
		}
		var before, after Process
		before, err = Stat(pid)
		if err == nil {
			env, err = readEnviron(pid)
		}
		if err == nil {
			after, err = Stat(pid)
		}
		if err == nil && env == "" && before.envEnd == after.envEnd && !after.executes() {
			return "", nil
		}
		if after.executes() {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return "", fmt.Errorf("process %d has been starting programs for too long", pid)
}

func readEnviron(pid int) (Env, error) {
	block, err := read(path(pid, "environ"), make([]byte, 8<<10))
	return Env(block), gone(err)
}

// Get returns a variable, "" if it is not set.
func (e Env) Get(name string) string {
	_, rest, found := strings.Cut("\x00"+string(e), "\x00"+name+"=")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\x00")
	return value
}

// All returns every variable as NAME=value.
func (e Env) All() []string {
	return strings.FieldsFunc(string(e), func(r rune) bool { return r == 0 })
}

// Stdout is the path of the file that a process writes its output to, "" if
// there is none or we may not look.
func Stdout(pid int) string {
	name, _ := os.Readlink(path(pid, "fd/1"))
	return strings.TrimSuffix(name, " (deleted)")
}

// Command is the name of a process, without its arguments.
func Command(pid int) string {
	name, _ := os.ReadFile(path(pid, "comm"))
	return strings.TrimSpace(string(name))
}

// read is os.ReadFile for files that are read by the hundred: with fewer calls.
func read(path string, space []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for size := 0; ; {
		n, err := unix.Read(fd, space[size:])
		switch size += max(n, 0); {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return space[:size], nil
		case size == len(space):
			space = append(space, make([]byte, size)...)
		}
	}
}

func path(pid int, file string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + file
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return ErrGone
	}
	return err
}
