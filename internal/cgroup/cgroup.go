// Package cgroup puts processes into control groups of ours: to bound the memory,
// the processor time and the number of a whole tree of them, to know who they
// are and what they use, and to kill them all at once, wherever they hide.
//
// Version 2 is used where it has what is needed, else version 1, each for its
// part where both are mounted. What the machine does not have, or does not let
// us have, is left out and said by Tree.Missing.
//
// A group is a folder below the one that we are in ourselves, or beside it if that
// is Subgroup, named by its owner; Sweep removes those that a former process of the
// same owner left. Who wants groups to outlive it gives them names, and finds them
// again.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Subgroup is where a server is whose group is arranged for it: beside the groups
// that it makes, so that the group of both has no processes of its own.
const Subgroup = "slipway-server"

// Controllers that are asked for.
const (
	memory = "memory"
	pids   = "pids"
	cpu    = "cpuacct" // of version 1; version 2 counts in every group
	quota  = "cpu"
)

var controllers = []string{memory, pids, cpu, quota}

// Tree is where groups can be made.
type Tree struct {
	owner   string
	unified string            // folder of version 2, "" if there is none
	holds   map[string]bool   // controllers that unified has
	v1      map[string]string // folders of version 1, by controller
	missing map[string]error
}

// Limits of a group. 0 is none.
type Limits struct {
	Memory    int64   // bytes, swap included
	Processes int64   // threads included
	CPU       float64 // cores
}

// Open looks where groups can be made. Owner becomes part of their names.
func Open(owner string) *Tree {
	t := &Tree{owner: owner, holds: map[string]bool{}, v1: map[string]string{}, missing: map[string]error{}}
	places, err := locate()
	for _, controller := range controllers {
		t.missing[controller] = fmt.Errorf("the kernel has no such control group: %w", errors.Join(err, fs.ErrNotExist))
	}
	if place, ok := places[""]; ok && writable(place) == nil {
		t.unified = place
		t.delegate()
	}
	for _, controller := range controllers {
		place, ok := places[controller]
		if t.holds[controller] || !ok {
			continue
		}
		if err := writable(place); err != nil {
			t.missing[controller] = err
			continue
		}
		t.v1[controller] = place
		delete(t.missing, controller)
	}
	return t
}

// None is a tree where no group can be made, for a reason.
func None(reason error) *Tree {
	t := &Tree{missing: map[string]error{}}
	for _, controller := range controllers {
		t.missing[controller] = reason
	}
	return t
}

// Missing says why memory or processes can not be bounded, or nil if they can.
func (t *Tree) Missing() (memoryErr, processesErr error) { return t.missing[memory], t.missing[pids] }

// MissingCPU says why processor time can not be bounded, or nil if it can.
func (t *Tree) MissingCPU() error { return t.missing[quota] }

// Version is that of the groups that bound memory, 0 if none do.
func (t *Tree) Version() int {
	switch {
	case t.holds[memory]:
		return 2
	case t.v1[memory] != "":
		return 1
	}
	return 0
}

// Holds says whether there is any group to put processes into.
func (t *Tree) Holds() bool { return t.unified != "" || len(t.v1) > 0 }

// writable tries to make a group: modes do not tell.
func writable(place string) error {
	made, err := os.MkdirTemp(place, "slipway-try-")
	if err != nil {
		return err
	}
	return os.Remove(made)
}

// delegate has version 2 give memory, pids and cpu to our groups.
func (t *Tree) delegate() {
	has := strings.Fields(read(filepath.Join(t.unified, "cgroup.controllers")))
	for _, controller := range has {
		if controller != memory && controller != pids && controller != quota {
			continue
		}
		if err := t.give(controller); err != nil {
			t.missing[controller] = err
			continue
		}
		t.holds[controller] = true
		delete(t.missing, controller)
	}
	t.holds[cpu] = true // usage_usec is in every cpu.stat
	delete(t.missing, cpu)
}

// give passes a controller on. A group other than the root may do that only
// if it has no processes of its own, and gets none from then on: where the group
// is ours to arrange, they move into one below. A service's is not: systemd starts
// it anew in the group itself, or in the one below that its unit names.
func (t *Tree) give(controller string) error {
	control := filepath.Join(t.unified, "cgroup.subtree_control")
	err := write(control, "+"+controller)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if !t.delegated() {
		return fmt.Errorf("the group %s is not delegated to this server (systemd: Delegate=yes and DelegateSubgroup=%s)", t.unified, Subgroup)
	}
	if strings.HasSuffix(t.unified, ".service") {
		return fmt.Errorf("systemd could not start %s again while agents run in groups with limits (from systemd 254 on: DelegateSubgroup=%s)", filepath.Base(t.unified), Subgroup)
	}
	inner := filepath.Join(t.unified, Subgroup)
	if err := os.Mkdir(inner, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, pid := range strings.Fields(read(filepath.Join(t.unified, "cgroup.procs"))) {
		write(filepath.Join(inner, "cgroup.procs"), pid) // one that has ended is no loss
	}
	return write(control, "+"+controller)
}

// delegated is what systemd says of a unit with Delegate=yes.
func (t *Tree) delegated() bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(t.unified, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// read returns a file's text, "" if it can not be read.
func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// sum of fields of a file of lines "name value"; one that it has not is 0.
func sum(path string, names ...string) (total int64) {
	for line := range strings.Lines(read(path)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); slices.Contains(names, name) {
			n, _ := strconv.ParseInt(value, 10, 64)
			total += n
		}
	}
	return total
}
