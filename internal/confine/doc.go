// Package confine starts programs that may do little.
//
// What a program may do is a Policy. It can not be applied by the process that
// starts it, which would confine itself, so a child applies it to itself and
// then becomes the program:
//
//	parent                     child: this binary again           the program
//	Start ── policy ─────────► joins control groups
//	                           hides folders, bounds resources
//	                           becomes the user, for good
//	                           Landlock
//	      ◄─ "begun" or why not
//	                           execve ───────────────────────────► runs
//	Wait  ◄─ why execve failed, if it did
//
// Where the time to start a child matters, one can stand by (Spare):
//
//	parent                     spare                              the program
//	StandBy ─────────────────► waits
//	Start ── policy, files ──► joins, hides, bounds
//	                           forks into its group ────────────► becomes the user
//	                           ends                               Landlock, execve
//	      ◄─ its number, and why not if it does not ───────────── runs
//
// See docs/adr/0010-a-spare-stands-by.md.
//
// The policy travels by a socket that the program does not inherit: neither
// arguments nor the environment of the child tell anything, and a variable that
// is meant for the program (LD_PRELOAD, GODEBUG) has no effect before it.
//
// The child is /proc/self/exe, told apart by its arguments. It is taken over in
// this package's init, which Go runs before those of most other packages: every
// binary that can start a confined program can be the child, and none, such as
// that of a test, can run amok by starting itself without knowing. See
// docs/adr/0004-the-shim-is-the-binary-again.md.
//
// A part of a policy that the machine can not keep is an error, never left out,
// with one exception: of Landlock, what the kernel has is used. Holds says
// beforehand what a machine keeps.
package confine
