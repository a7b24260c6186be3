package slipway

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Instance is one place where a revision runs. It keeps its identity, folder
// and port over restarts; Attempt counts them.
type Instance struct {
	ID         InstanceID
	Deployment DeploymentID
	Revision   RevisionID
	State      InstanceState
	Attempt    int
	Port       int       // reserved for it alone until it is verified gone
	Crashes    int       // in a row, without a settled run between
	StartedAt  time.Time // of this attempt
	RetryAt    time.Time // not started before
	Exit       *Exit     // how the last attempt ended
	CreatedAt  time.Time
}

// InstanceState is what the control plane last heard.
type InstanceState string

const (
	InstancePlanned  InstanceState = "planned"  // written down, perhaps begun
	InstanceRunning  InstanceState = "running"  // the driver took it
	InstanceServing  InstanceState = "serving"  // it passed its gate
	InstanceCrashed  InstanceState = "crashed"  // it ended by itself; RetryAt says when it is tried again
	InstanceStopping InstanceState = "stopping" // it is being drained and stopped for good
)

// Exit is how an instance ended.
type Exit struct {
	Code   int    // exit code, -1 if unknown
	Signal string // signal that ended it, "" if none
	Reason string // last lines of its output, or what else is known
	At     time.Time

	OutOfMemory bool   // it was ended for using more than its limit
	OutOfDisk   bool   // it was ended for keeping more than its limit, or for filling the disk
	Sick        string // code of the failure that we ended it for, "" if it ended by itself
}

// Workload is one attempt of an instance as a driver gets it: fully resolved,
// secrets included. It is never logged and, but for what must be, never written.
type Workload struct {
	Instance   InstanceID
	Deployment DeploymentID
	Revision   RevisionID
	Attempt    int
	Image      string   // what an engine runs, "" for a process
	Args       []string // argv; the first is an absolute path; none for an image, which has its own
	Env        []EnvVar
	Port       int
	Stateful   bool // the kind owns a state folder, one per deployment
	Keeps      bool // it has a folder that lives as long as the instance, and never the state; of processes
	StandBy    bool // it loads, and opens its state and door only when it is released
	Socket     bool // it can listen on a socket, if the driver gives it one; the port is for its own use then
	Limits     Limits
	Read       []string // folders and files that it needs beside the system's
}

// Limits bound what an instance may use of its machine. 0 is no limit.
type Limits struct {
	CPU       float64 // cores
	MemoryMB  int
	Processes int // and threads
	DiskMB    int // MiB that it may keep: its state and what it writes beside
}

// Usage is what an instance uses, with all its processes.
type Usage struct {
	CPU    time.Duration // since its attempt began
	Memory int64         // bytes, resident
}

// Runs says how the work of an instance stands.
type Runs struct {
	Pending, Running int
	Oldest           time.Duration // how long the oldest pending one has waited
	Workers          int           // how many can run at once, 0 if that is not known
	Shared           bool          // those that are pending wait for any instance of the deployment
	Whole            bool          // they are those of all instances, which share a database
}

// Phase is what a driver sees of an instance.
type Phase string

const (
	PhaseAbsent  Phase = "absent"  // the driver knows nothing of it
	PhaseRunning Phase = "running" // its process or container is alive
	PhaseExited  Phase = "exited"  // it ended and has not been deleted
)

// Observed is an instance as the driver sees it now.
type Observed struct {
	Instance   InstanceID
	Deployment DeploymentID
	Attempt    int
	Phase      Phase
	Address    string // where it is to listen, when running: host:port, or unix: and the path of a socket
	StandsBy   bool   // it has loaded, and waits to be released
	Yielded    bool   // it was asked to drain, has its state closed for good, and will end
	Exit       *Exit  // when exited
}

// Driver runs instances. Every call is idempotent and may be repeated after the
// caller died inside it; identity lies with the instance (state files, labels),
// so that a new process finds what an old one started.
// A *Failure is final, every other error is temporary.
type Driver interface {
	// Apply starts the attempt unless it, or a later one, runs or has run.
	Apply(ctx context.Context, w Workload) (Observed, error)
	// Inspect looks at one instance; an unknown one is PhaseAbsent.
	Inspect(ctx context.Context, d DeploymentID, i InstanceID) (Observed, error)
	// Listens says whether the instance itself, and no stranger, listens at its
	// address.
	Listens(ctx context.Context, d DeploymentID, i InstanceID) (bool, error)
	// Release lets an instance that stands by open its state and serve. It does
	// nothing to one that does not.
	Release(ctx context.Context, d DeploymentID, i InstanceID) error
	// Usage measures a running instance.
	Usage(ctx context.Context, d DeploymentID, i InstanceID) (Usage, error)
	// Runs asks a running instance for its runs; ErrUntold if it has no way to
	// say.
	Runs(ctx context.Context, d DeploymentID, i InstanceID) (Runs, error)
	// Yield asks the instance to drain, as Stop does and once with it. It returns
	// when the instance has its state closed for good, though it may still run, or
	// has ended, which it has at the latest after grace.
	Yield(ctx context.Context, d DeploymentID, i InstanceID, grace time.Duration) error
	// Stop asks the instance to drain and ends it at the latest after grace.
	// It returns when nothing of it runs.
	Stop(ctx context.Context, d DeploymentID, i InstanceID, grace time.Duration) error
	// Delete removes a stopped instance and all that it left, but not the
	// state of its deployment. It returns when it has seen that it is gone.
	Delete(ctx context.Context, d DeploymentID, i InstanceID) error
	// Snapshot copies the state of a deployment, of which no instance has it
	// open, under a name. One that is there already is left alone; one of no
	// state at all has Restore leave an empty one.
	Snapshot(ctx context.Context, d DeploymentID, name string) error
	// Restore puts a snapshot in the place of the state. The snapshot stays.
	Restore(ctx context.Context, d DeploymentID, name string) error
	// Import makes a snapshot of a state that Export wrote, of an instance that was
	// a container or not. One that is there already is left alone.
	Import(ctx context.Context, d DeploymentID, name string, contained bool, r io.Reader) error
	// Discard removes a snapshot.
	Discard(ctx context.Context, d DeploymentID, name string) error
	// Export writes the state of a deployment, of which no instance has it open,
	// as a tar archive; ErrNoState if it has none.
	Export(ctx context.Context, d DeploymentID, w io.Writer) error
	// Purge removes what is kept for a deployment without instances: state, its
	// snapshots and all else that Remains would tell. It returns when it has
	// looked again.
	Purge(ctx context.Context, d DeploymentID) error
	// Remains looks at what there is of a deployment, of all if it is "": what
	// runs, what lies on disks, what is held. What is another installation's, or
	// a stranger's, is never among it.
	Remains(ctx context.Context, d DeploymentID) ([]Thing, error)
	// List returns every instance of ours, whoever started it.
	List(ctx context.Context) ([]Observed, error)
	// Output reads up to limit bytes that the instance wrote, from an offset. An
	// *OutputGap says that they are not kept any more.
	Output(ctx context.Context, d DeploymentID, i InstanceID, offset int64, limit int) ([]byte, error)
	// Exits reports instances whose end was noticed, until ctx ends. It wakes;
	// the truth is Inspect's.
	Exits(ctx context.Context) <-chan DeploymentID
}

// Trimmer is a Driver that keeps output on a disk of its own and can give the
// space back.
type Trimmer interface {
	// Trim gives back what an instance wrote before an offset. What comes after
	// keeps its offsets.
	Trim(ctx context.Context, d DeploymentID, i InstanceID, before int64) error
}

// OutputGap is where output was, and is not any more.
type OutputGap struct {
	Until int64 // the offset where it goes on
	Lost  int64 // bytes that nobody has read; the others were trimmed
}

func (g *OutputGap) Error() string {
	return fmt.Sprintf("output before %d is not kept any more, %d bytes were lost", g.Until, g.Lost)
}

// AgentKind describes how one kind of Agent Server is run, once it is built.
type AgentKind struct {
	Name  string
	Data  string // names its data, where that of several kinds is the same; "" is of this one alone
	Probe string // path that answers 200 when it serves
	// Exclusive kinds own a state folder: two instances never have it open at once.
	Exclusive bool
	// StandsBy says that its launcher can load everything before it opens its
	// state: a new instance then waits beside the old one.
	StandsBy bool
	// StartFailure is the exit code that says that another start would fail
	// alike; 0 for none.
	StartFailure int
	Needs        Needs
	// Start bounds the time from exec to the first answer; Drain the time
	// from the request to stop to the end.
	Start, Drain time.Duration
}

// DefaultDrain is for an instance whose kind is not known any more.
const DefaultDrain = 30 * time.Second

// Launch is how an artefact is started: argv and variables, without those of
// the deployment.
type Launch struct {
	Args []string
	Env  []EnvVar
	Read []string // folders and files that it needs beside the system's
	// Socket says that what is started listens on a Unix socket where it is given
	// one. It is of the artefact, not of its kind: it may keep an older launcher.
	Socket bool
}
