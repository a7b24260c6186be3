package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is a control group, in every hierarchy that has a part in it.
type Group struct {
	tree    *Tree
	name    string
	folders []string // those that exist
}

// New makes a group.
func (t *Tree) New(limits Limits) (*Group, error) {
	return t.Make(strconv.FormatInt(time.Now().UnixNano(), 36), limits)
}

// Make makes a group of a name, which the owner must not have yet.
func (t *Tree) Make(name string, limits Limits) (*Group, error) {
	g := &Group{tree: t, name: t.prefix() + name}
	if err := g.make(limits); err != nil {
		return nil, errors.Join(fmt.Errorf("make control group: %w", err), g.Remove())
	}
	return g, nil
}

// Find returns a group that was made before, nil if there is none.
func (t *Tree) Find(name string) *Group {
	g := &Group{tree: t, name: t.prefix() + name}
	for place := range t.places() {
		folder := filepath.Join(place, g.name)
		if _, err := os.Stat(folder); err == nil {
			g.folders = append(g.folders, folder)
		}
	}
	if len(g.folders) == 0 {
		return nil
	}
	return g
}

// Names lists the owner's groups.
func (t *Tree) Names() []string {
	names := map[string]bool{}
	for place := range t.places() {
		folders, _ := filepath.Glob(filepath.Join(place, t.prefix()+"*"))
		for _, folder := range folders {
			names[strings.TrimPrefix(filepath.Base(folder), t.prefix())] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Folder is where the group is, in one of the hierarchies.
func (g *Group) Folder() string { return slices.Min(g.folders) }

// places are the folders that groups are made in, one in each hierarchy.
func (t *Tree) places() map[string]bool {
	places := map[string]bool{}
	for _, place := range t.v1 {
		places[place] = true
	}
	if t.unified != "" {
		places[t.unified] = true
	}
	return places
}

func (t *Tree) prefix() string { return "slipway-" + t.owner + "-" }

func (g *Group) make(limits Limits) error {
	for place := range g.tree.places() {
		folder := filepath.Join(place, g.name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		g.folders = append(g.folders, folder)
	}
	return errors.Join(g.limitMemory(limits.Memory), g.limitProcesses(limits.Processes), g.limitCPU(limits.CPU))
}

// period in which a group may use its share of the processors, in µs.
const period = 100_000

func (g *Group) limitCPU(cores float64) error {
	if cores <= 0 || g.tree.missing[quota] != nil {
		return nil
	}
	share := strconv.Itoa(max(1000, int(cores*period))) // the kernel takes no less
	if g.tree.holds[quota] {
		return write(g.file("", "cpu.max"), share+" "+strconv.Itoa(period))
	}
	return errors.Join(
		write(g.file(quota, "cpu.cfs_period_us"), strconv.Itoa(period)),
		write(g.file(quota, "cpu.cfs_quota_us"), share))
}

func (g *Group) limitMemory(bytes int64) error {
	if bytes == 0 {
		return nil
	}
	most := strconv.FormatInt(bytes, 10)
	if g.tree.holds[memory] {
		return errors.Join(
			write(g.file("", "memory.max"), most),
			absent(write(g.file("", "memory.swap.max"), "0")))
	}
	if g.tree.v1[memory] == "" {
		return nil
	}
	return errors.Join(
		write(g.file(memory, "memory.limit_in_bytes"), most),
		absent(write(g.file(memory, "memory.memsw.limit_in_bytes"), most)))
}

func (g *Group) limitProcesses(n int64) error {
	if n == 0 || g.tree.missing[pids] != nil {
		return nil
	}
	return write(g.file(pids, "pids.max"), strconv.FormatInt(n, 10))
}

// absent forgives that a kernel does not count swap.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// file of the group where a controller is.
func (g *Group) file(controller, name string) string {
	place := g.tree.unified
	if v1 := g.tree.v1[controller]; v1 != "" {
		place = v1
	}
	return filepath.Join(place, g.name, name)
}

// Join lists the files that a process writes "0" to in order to be in the group.
func (g *Group) Join() []string {
	files := make([]string, len(g.folders))
	for i, folder := range g.folders {
		files[i] = filepath.Join(folder, "cgroup.procs")
	}
	return files
}

// Processes lists who is in the group.
func (g *Group) Processes() []int {
	var all []int
	if len(g.folders) == 0 {
		return nil
	}
	for text := range strings.FieldsSeq(read(filepath.Join(g.folders[0], "cgroup.procs"))) {
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 {
			all = append(all, pid)
		}
	}
	return all
}

// OutOfMemory is how many processes were killed since the group has no memory
// left.
func (g *Group) OutOfMemory() int64 {
	if g.tree.holds[memory] {
		return field(g.file("", "memory.events"), "oom_kill")
	}
	if g.tree.v1[memory] == "" {
		return 0
	}
	return field(g.file(memory, "memory.oom_control"), "oom_kill")
}

// Refused is how often no process could be made since the group had as many as
// it may.
func (g *Group) Refused() int64 {
	if g.tree.missing[pids] != nil {
		return 0
	}
	return field(g.file(pids, "pids.events"), "max")
}

// CPU is how much processor time the group has had; false if nobody counts.
func (g *Group) CPU() (time.Duration, bool) {
	if g.tree.v1[cpu] != "" {
		n, err := strconv.ParseInt(read(g.file(cpu, "cpuacct.usage")), 10, 64)
		return time.Duration(n), err == nil
	}
	if g.tree.holds[cpu] {
		return time.Duration(field(g.file("", "cpu.stat"), "usage_usec")) * time.Microsecond, true
	}
	return 0, false
}

// Memory is how much of the machine's the group's processes hold, in bytes,
// without what the kernel keeps for them and can have back; false if nobody
// counts.
func (g *Group) Memory() (int64, bool) {
	if g.tree.holds[memory] {
		stat := g.file("", "memory.stat")
		return field(stat, "anon") + field(stat, "file_mapped"), true
	}
	if g.tree.v1[memory] == "" {
		return 0, false
	}
	stat := g.file(memory, "memory.stat")
	return field(stat, "rss") + field(stat, "mapped_file"), true
}

// between two looks whether the killed have gone.
const between = 2 * time.Millisecond

// Kill ends every process of the group, and returns when they are gone.
func (g *Group) Kill(ctx context.Context) error {
	if g.tree.missing[pids] == nil {
		write(g.file(pids, "pids.max"), "0") // nobody makes another one meanwhile
	}
	if g.tree.unified != "" {
		write(g.file("", "cgroup.kill"), "1")
	}
	for {
		left := g.Processes()
		if len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kill processes %v: %w", left, context.Cause(ctx))
		case <-time.After(between):
		}
	}
}

// Remove takes an empty group away.
func (g *Group) Remove() error {
	var errs []error
	for _, folder := range g.folders {
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Sweep kills what runs in groups that a former process of the owner left, and
// removes them.
func (t *Tree) Sweep(ctx context.Context) error {
	var errs []error
	for _, name := range t.Names() {
		if g := t.Find(name); g != nil {
			errs = append(errs, g.Kill(ctx), g.Remove())
		}
	}
	return errors.Join(errs...)
}
