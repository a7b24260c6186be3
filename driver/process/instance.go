package process

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/address"
)

// instance is what is known of one instance.
type instance struct {
	deployment slipway.DeploymentID
	id         slipway.InstanceID
	folder     string

	// turn is held over the steps of Apply and Delete; it is taken before mu.
	turn chan struct{}

	// log is held while the log is read, or a hole is made in it.
	log sync.Mutex

	mu      sync.Mutex
	state   state
	run     *run     // nil when nothing runs
	opened  *run     // is known not to stand by any more
	yielded *run     // is known to have its state closed for good
	secrets []string // to be masked in what is quoted of the output
	// overMemory says that we ended the attempt for using more than its limit.
	overMemory bool
	// overDisk is why we ended the attempt for what it keeps on the disk.
	overDisk string
	dirty    bool // something may be left of an attempt that has ended
	deleted  bool
}

func newInstance(d slipway.DeploymentID, i slipway.InstanceID, folder string) *instance {
	return &instance{deployment: d, id: i, folder: folder, turn: make(chan struct{}, 1)}
}

func (in *instance) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case in.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (in *instance) unlock() { <-in.turn }

func (in *instance) output() string { return filepath.Join(in.folder, outputFile) }
func (in *instance) work() string   { return filepath.Join(in.folder, "work") }
func (in *instance) keep() string   { return filepath.Join(in.folder, "keep") }
func (in *instance) tmp() string    { return filepath.Join(in.folder, "tmp") }

// door is the folder of the socket: an agent may empty its TMPDIR.
func (in *instance) door() string   { return filepath.Join(in.folder, "door") }
func (in *instance) socket() string { return filepath.Join(in.door(), socketFile) }

// outputSize is how much was written so far. It is asked often.
func (in *instance) outputSize() int64 {
	var file unix.Stat_t
	if unix.Lstat(in.output(), &file) != nil {
		return 0
	}
	return file.Size
}

func (in *instance) current() *run {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run
}

func (in *instance) snapshot() state {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state
}

// record writes a state down and then believes it.
func (in *instance) record(s state, at func(string)) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.recordLocked(s, at)
}

func (in *instance) recordLocked(s state, at func(string)) error {
	if err := saveState(in.folder, s, at); err != nil {
		return err
	}
	in.state = s
	return nil
}

// begin makes r the process of the instance.
func (in *instance) begin(r *run, s state, secrets []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.run, in.state, in.secrets, in.overMemory, in.overDisk = r, s, secrets, false, ""
}

// settled says whether the attempt, or a later one, runs or has run.
func (in *instance) settled(attempt int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state.Attempt >= attempt && (in.run != nil || in.state.Phase == exited)
}

func (in *instance) observed() slipway.Observed {
	in.mu.Lock()
	defer in.mu.Unlock()
	o := slipway.Observed{Instance: in.id, Deployment: in.deployment, Phase: slipway.PhaseAbsent}
	switch {
	case in.run != nil:
		o.Attempt, o.Phase = in.state.Attempt, slipway.PhaseRunning
		o.Address = in.address(in.state)
	case in.state.Phase == exited:
		o.Attempt, o.Phase = in.state.Attempt, slipway.PhaseExited
		o.Exit = in.state.observedExit()
	}
	return o
}

// address is where an attempt is to listen.
func (in *instance) address(s state) string {
	if s.Socket {
		return address.OfSocket(in.socket())
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
}

func (in *instance) letGo() {
	if r := in.current(); r != nil {
		r.close()
	}
}

func (in *instance) markDeleted() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.deleted = true
}

func (in *instance) isDeleted() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.deleted
}
