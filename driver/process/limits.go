package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/cgroup"
)

// groupsOf opens the control groups of the agents below a root.
func groupsOf(root string) *cgroup.Tree {
	sum := sha256.Sum256([]byte(root))
	return cgroup.Open("agents-" + hex.EncodeToString(sum[:6]))
}

// group of an instance, nil if it has none: the machine has no control groups,
// or an earlier version of us started it.
func (d *Driver) group(in *instance) *cgroup.Group { return d.groups.Find(string(in.id)) }

// newGroup makes the group of an attempt, nil where there are none. What is
// left of an earlier attempt's goes first.
func (d *Driver) newGroup(ctx context.Context, in *instance, l slipway.Limits) (*cgroup.Group, error) {
	if !d.groups.Holds() {
		return nil, nil
	}
	if err := d.dropGroup(ctx, in); err != nil {
		return nil, err
	}
	return d.groups.Make(string(in.id), cgroup.Limits{
		Memory: int64(l.MemoryMB) << 20, Processes: int64(l.Processes), CPU: l.CPU,
	})
}

// dropGroup ends what an instance's group holds, and removes it.
func (d *Driver) dropGroup(ctx context.Context, in *instance) error {
	return removeGroup(ctx, d.group(in))
}

// removeGroup waits for the kernel to let go of those who have just ended.
func removeGroup(ctx context.Context, g *cgroup.Group) error {
	if g == nil {
		return nil
	}
	if err := g.Kill(ctx); err != nil {
		return err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := g.Remove()
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		if pause(ctx, wait) != nil {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
}

// dropStrays removes the groups of instances that do not run: a server died
// between making one and starting it, or between an end and its record.
func (d *Driver) dropStrays() {
	ctx, cancel := context.WithTimeout(d.alive, sweepPatience)
	defer cancel()
	for _, name := range d.groups.Names() {
		d.mu.Lock()
		in := d.instances[slipway.InstanceID(name)]
		d.mu.Unlock()
		if in != nil && in.current() != nil {
			continue
		}
		if err := removeGroup(ctx, d.groups.Find(name)); err != nil {
			slog.Warn("the control group of an ended instance is left", "instance", name, "error", err)
		}
	}
}

// ranOut says whether the kernel, or our own watch, ended something of an
// instance for its memory.
func (d *Driver) ranOut(in *instance) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.overMemory {
		return true
	}
	g := d.group(in)
	return g != nil && g.OutOfMemory() > 0
}

// watchEvery is how often memory is looked at where no control group bounds it.
const watchEvery = time.Second

// watchMemory ends instances that use more than their limit, where the kernel
// does not. It is slower than the kernel: a limit can be passed for a moment.
func (d *Driver) watchMemory() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.alive.Done():
			return
		case <-tick.C:
			d.endGreedy()
		}
	}
}

func (d *Driver) endGreedy() {
	var table procfs.Table
	for _, in := range d.of("") {
		r, limit := in.current(), int64(in.snapshot().MemoryMB)<<20
		if r == nil || limit == 0 {
			continue
		}
		if table == nil {
			table = procfs.Processes()
		}
		if _, held := table.Uses(r.pid); held > limit {
			in.mu.Lock()
			in.overMemory = true
			in.mu.Unlock()
			r.kill()
		}
	}
}

// Usage measures a running instance by its control group or, where there is
// none, by its session and what descends from it: by one look at all processes for
// those that are measured at the same time.
func (d *Driver) Usage(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Usage, error) {
	in, err := d.find(id, i)
	if err != nil || ctx.Err() != nil {
		return slipway.Usage{}, errors.Join(err, ctx.Err())
	}
	if in == nil {
		return slipway.Usage{}, slipway.ErrUntold
	}
	r := in.current()
	if r == nil {
		return slipway.Usage{}, slipway.ErrUntold
	}
	if g := r.group; g != nil {
		spent, counts := g.CPU()
		held, measures := g.Memory()
		if counts && measures {
			return slipway.Usage{CPU: spent, Memory: held}, nil
		}
	}
	table, err := d.uses.take(func() (procfs.Table, error) { return procfs.Processes(), nil })
	if err != nil {
		return slipway.Usage{}, err
	}
	ticks, held := table.Uses(r.pid)
	return slipway.Usage{CPU: time.Duration(ticks) * time.Second / procfs.TicksPerSecond, Memory: held}, nil
}

// memoryLimit of an attempt, for people.
func (s state) memoryLimit() string {
	if s.MemoryMB == 0 {
		return "than there is"
	}
	return fmt.Sprintf("than its limit of %d MiB", s.MemoryMB)
}

// warnOfLimits says, once at the start of an attempt, that this machine can not hold
// what is asked.
func (d *Driver) warnOfLimits(in *instance, l slipway.Limits) {
	_, processes := d.groups.Missing()
	if l.CPU > 0 && d.groups.MissingCPU() != nil || l.Processes > 0 && processes != nil && os.Geteuid() != 0 {
		slog.Warn("this machine does not hold every limit of an instance, slipway doctor says why", "instance", in.id)
	}
}
