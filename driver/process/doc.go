// Package process runs instances as plain Linux processes, without an engine.
//
// # Promises
//
//   - At most one process tree of an instance runs, whatever dies when.
//   - Agents outlive us. Each has its own session, no pipe to us and no death
//     signal; Close and kill -9 leave them alone, and the next Open adopts them.
//   - A process is ours only by proof: boot, pid and start time as recorded, or
//     a marker that it got from us (SLIPWAY_FOLDER in its variables, or the
//     instance's log as its standard output). Nothing else is ever signalled.
//   - SIGTERM is sent once to an attempt, by Yield or Stop, and again only where the
//     server died as it sent it. After its grace, or when its main process ends by itself, everything else of it gets
//     SIGKILL. What has yielded has its state closed for good, and may run on
//     until then.
//   - No variable of ours reaches an agent, and no value of an agent's reaches
//     the disk, except what an agent itself prints into its log.
//
// # Folders
//
//	<root>/lock                          held by the one driver of this root
//	<root>/<deployment>/state/           of kinds with state; gone with Purge
//	<root>/<deployment>/snapshots/       copies of it; likewise
//	<root>/<deployment>/instances/<instance>/
//	    state.json    attempt, phase, boot, pid, start time, port or socket, exit
//	    output.log    what all attempts wrote, only appended to
//	    work/  tmp/   working folder and HOME; TMPDIR
//	    keep/         of one that keeps something: lives as long as the instance
//	    tmp/control.sock   where the agent may listen for us, see control.go
//	    door/http.sock     where it listens for requests, if it can
//
// # States of an instance
//
//	            intent            recorded           noticed, swept, recorded
//	(nothing) ─────────► starting ────────► running ─────────────────────────► exited
//	    ▲                   │  ▲                                                 │
//	    │                   │  └──────────── higher attempt ─────────────────────┤
//	    └───── Delete ──────┴────────────────────────────────────────────────────┘
//
// # Who may die when
//
// The server may die at any instruction (the names are those of [Steps]):
//
//   - before the intent: nothing ran, Apply starts over. (Neither the intent nor
//     the record waits for the disk: when the machine dies, so does the process.)
//   - between intent and record: Open looks for a process with the marker. It
//     adopts one that it finds. If there is none, but the log has grown, the
//     attempt ran and ended unseen. Else it never ran, and Apply starts it. (An
//     attempt that ran, wrote nothing and ended within these few milliseconds is
//     run again; never two at once.)
//   - inside fork and exec: until exec, the child holds a copy of the lock of
//     the root, so Open waits for it; from its standard output on it has a marker.
//     One that puts up its walls, and was not told all of them, ends: its attempt
//     is reported as one that nobody saw end, and the next one starts it. A spare
//     gets the lock with its policy, and keeps it until the agent has a marker;
//   - between the record of a stop and the next, that its SIGTERM was sent: the
//     agent may have heard of it or not. Who stops it next asks it again, and its
//     grace begins anew. Agent servers of ours pass over a second SIGTERM; one that
//     did not drain would lose what it has begun;
//   - while an exit is being swept or recorded: Open finds the process gone,
//     ends what is left of it, and says that the exit code is unknown.
//
// Not seen after such a death, where there are no control groups: a process that
// left the marker's variables, the log and the tree behind, all three.
//
// # Walls
//
// A child of ours becomes the agent ([confine]), or a spare that stands by forks
// it: without new privileges, under
// Landlock, and if we are root as a user that its deployment has for good, who
// sees nothing of the data folder but the deployment's own. That user owns the
// working folder, TMPDIR and the state; what we write beside them is ours. A
// control group named for the instance bounds and measures all of its processes,
// from before the child becomes the agent, and is killed as a whole; where there
// is none, memory is watched. Agents of an earlier version have none of this, and
// are adopted, stopped and deleted alike.
//
// Landlock's rules for ports are left alone: they list what is allowed, and an
// agent may connect to any port in the world but its neighbours'.
//
// # Where an agent listens
//
// On a socket in a folder that only its user and we get into, if it can
// (Socket of the workload); else at its port on 127.0.0.1, which every program of
// the machine can reach. What counts is how the attempt was started: one that
// listens at a port is adopted there. Before anything is sent, who listens has to
// be of the instance: of a socket the kernel tells the process, of a port the
// inode that a process has open. The port is the instance's in either case: an
// app may call itself there.
//
// # Output
//
// An agent writes into its log itself. What the caller has stored it trims; of
// what nobody reads, the last 16 MiB are kept once there are more than 64.
// Offsets never change. See driver/internal/journal.
//
// # What a caller must know
//
// Calls for one instance should come from one owner at a time; they are safe,
// but a Stop also ends what an Apply starts under it. Ports are the caller's to
// choose. Values to be masked in Exit.Reason are known from Apply, and from the
// process itself after adoption; an exit that nobody saw is quoted unmasked, as
// it stands in the log. Linux 5.4 or later.
package process
