package confine

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stop is the signal that has a supervised program and all that it started
// killed.
const Stop = syscall.SIGTERM

// supervise runs a program as a child of this process, to whom whatever the
// program abandons comes back. At its end, or when told to stop, all of that is
// killed. It does not return, unless the program could not be started.
func supervise(socket *os.File, o order) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return failed("supervise", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, Stop)
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(Stop), 0, 0, 0); err != nil {
		return failed("supervise", err)
	}
	o.Policy.Supervised = false
	program := &exec.Cmd{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	c, err := o.start(context.Background(), program, nil)
	if err != nil {
		return err
	}
	socket.Write([]byte{begun})
	end := make(chan syscall.WaitStatus, 1)
	go func() { end <- reap(c.Process.Pid) }()
	var status syscall.WaitStatus
	select {
	case status = <-end:
	case <-stop:
		status = syscall.WaitStatus(unix.SIGKILL)
	}
	killDescendants()
	if said := told(strings.NewReader(string(c.arrived()))); said != nil {
		return said
	}
	endAs(status)
	return nil
}

// reap waits for a child, and for whoever else ends meanwhile.
func reap(child int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if pid == child || err != nil && err != syscall.EINTR {
			return status
		}
	}
}

// killDescendants returns when none is left: whoever loses its parent becomes a
// child of this process, so that without children there are none.
func killDescendants() {
	for {
		for _, pid := range family(os.Getpid()) {
			unix.Kill(pid, unix.SIGKILL)
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.ECHILD {
				return
			}
			if pid <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}

// family are the descendants of a process, by the short way where the kernel
// has it: a program that only ever hands on to its child must be overtaken.
func family(root int) []int {
	children, err := childrenOf(root)
	if err != nil {
		return Descendants(root)
	}
	all := children
	for _, child := range children {
		all = append(all, family(child)...)
	}
	return all
}

func childrenOf(pid int) ([]int, error) {
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil, nil // it has ended
	}
	var children []int
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + thread.Name() + "/children")
		if _, gone := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil && gone == nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children, nil
}

// endAs ends this process as the program did, as far as who waits for it can
// tell: a limit's signal becomes the code that a shell would give it.
func endAs(status syscall.WaitStatus) {
	switch {
	case status.Exited():
		os.Exit(status.ExitStatus())
	case status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGXFSZ:
		os.Exit(128 + int(status.Signal()))
	}
	unix.Kill(os.Getpid(), unix.SIGKILL)
}

// Descendants of a process, without it, that have not ended.
func Descendants(root int) []int {
	children := map[int][]int{}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, ok := parentOf(name); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all[1:]
}

// parentOf a process, by its number; false if it has ended.
func parentOf(pid string) (int, bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}
