package confine

import "syscall"

// Policy is a program and what it may do.
type Policy struct {
	Args []string // the first is the program's path
	Env  []string
	Dir  string

	// User is who it becomes, without other groups; nil leaves it who starts it.
	User *User
	// Rights are taken from the program: none can be had back by set-user-ID
	// programs. Unless it is set, only what else is set here applies.
	NoNewPrivileges bool
	// Confined has Landlock deny all files but what Read and Write name, the
	// folders of the system (System) and harmless devices.
	Confined bool
	Read     []string // folders and files to read and execute; one that is not there is left out
	Write    []string // folders and files to do anything with
	// Hide are folders in whose place the program sees empty ones, in which only
	// what Read and Write name is there. It needs the right to mount.
	Hide []string

	Born   string   // folder of a control group of version 2 that it is started in; "" for none
	Join   []string // files of control groups of version 1 for it to join: tasks
	Limits Limits
	// Umask of the program, if it is not 0.
	Umask int
	// KillSignal, if it is not 0, is sent to the program when the thread that
	// started it ends.
	KillSignal syscall.Signal
	// Supervised leaves a process between the program and who starts it, which
	// kills all that the program started, wherever it hides, when the program
	// ends, when it is sent Stop, and when who started it ends. It is for where
	// neither a control group nor a user of its own holds the program together.
	Supervised bool
}

// order is what a child is told.
type order struct {
	Policy Policy
	Joins  int  // files to join groups by follow the socket
	Slay   bool // kill every process of the policy's user in place of running a program
}

// User is an identity of a process.
type User struct{ UID, GID int }

// Limits of each process. 0 is none.
type Limits struct {
	CPU       uint64 // seconds
	FileSize  uint64 // bytes, of each file
	Processes uint64 // of the user, threads included
	OpenFiles uint64
}

// Error says that a program was never begun.
type Error struct {
	Doing string // become user 60800, hide /var/lib/slipway, start /usr/bin/node
	Errno syscall.Errno
}

func (e *Error) Error() string { return e.Doing + ": " + e.Errno.Error() }

func (e *Error) Unwrap() error { return e.Errno }
