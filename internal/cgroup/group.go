package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	g := &Group{tree: t, name: t.prefix() + strconv.FormatInt(time.Now().UnixNano(), 36)}
	if err := g.make(limits); err != nil {
		return nil, errors.Join(fmt.Errorf("make control group: %w", err), g.Remove())
	}
	return g, nil
}

func (t *Tree) prefix() string { return "slipway-" + t.owner + "-" }

func (g *Group) make(limits Limits) error {
	places := map[string]bool{}
	for _, place := range g.tree.v1 {
		places[place] = true
	}
	if g.tree.unified != "" {
		places[g.tree.unified] = true
	}
	for place := range places {
		folder := filepath.Join(place, g.name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		g.folders = append(g.folders, folder)
	}
	return errors.Join(g.limitMemory(limits.Memory), g.limitProcesses(limits.Processes))
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
	left := map[string]*Group{}
	places := []string{t.unified}
	for _, place := range t.v1 {
		places = append(places, place)
	}
	for _, place := range places {
		if place == "" {
			continue
		}
		folders, _ := filepath.Glob(filepath.Join(place, t.prefix()+"*"))
		for _, folder := range folders {
			name := filepath.Base(folder)
			if left[name] == nil {
				left[name] = &Group{tree: t, name: name}
			}
			left[name].folders = append(left[name].folders, folder)
		}
	}
	var errs []error
	for _, g := range left {
		errs = append(errs, g.Kill(ctx), g.Remove())
	}
	return errors.Join(errs...)
}
