package cgroup_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/internal/cgroup"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func tree(t *testing.T) *cgroup.Tree {
	t.Helper()
	c := cgroup.Open(fmt.Sprintf("test%d", os.Getpid()))
	if !c.Holds() {
		t.Skip("control groups can not be made here")
	}
	return c
}

// in starts a script in a group; it has begun when a line was read.
func in(t *testing.T, g *cgroup.Group, script string) *confine.Child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "script")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := confine.Policy{Args: []string{"/bin/sh", "-c", script}}
	p.Born, p.Join = g.Entries()
	c, err := p.Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1))
	return c
}

func TestGroup(t *testing.T) {
	tree := tree(t)
	g, err := tree.New(cgroup.Limits{Memory: 100 << 20, Processes: 10})
	if err != nil {
		t.Fatal(err)
	}
	c := in(t, g, "(setsid env -i /bin/sh -c 'echo x; sleep 600' &); sleep 600")
	if n := len(g.Processes()); n < 3 {
		t.Errorf("%d processes", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := g.Kill(ctx); err != nil {
		t.Error(err)
	}
	c.Wait()
	if left := g.Processes(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if err := g.Remove(); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestLimits(t *testing.T) {
	tree := tree(t)
	memory, processes := tree.Missing()
	if memory != nil || processes != nil {
		t.Skip("memory and processes can not be bounded here: ", memory, processes)
	}
	g, err := tree.New(cgroup.Limits{Memory: 50 << 20, Processes: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove()
	if g.OutOfMemory() != 0 || g.Refused() != 0 {
		t.Errorf("at first: %d killed, %d refused", g.OutOfMemory(), g.Refused())
	}
	in(t, g, "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c; echo").Wait()
	if g.OutOfMemory() == 0 {
		t.Error("nothing was killed for its memory")
	}
	in(t, g, "for i in $(seq 40); do sleep 1 & done; wait; echo").Wait()
	if g.Refused() == 0 {
		t.Error("no process was refused")
	}
	if spent, ok := g.CPU(); !ok || spent <= 0 || spent > time.Minute {
		t.Errorf("processor time %v, %v", spent, ok)
	}
}

// What a former process left is killed and taken away; another owner's is not.
func TestSweep(t *testing.T) {
	mine := tree(t)
	other := cgroup.Open(fmt.Sprintf("test%d", os.Getpid()) + "0")
	kept, err := other.New(cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Remove()
	left, err := mine.New(cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c := in(t, left, "echo; exec sleep 600")
	if err := cgroup.Open(fmt.Sprintf("test%d", os.Getpid())).Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	c.Wait()
	for _, folder := range folders(left) {
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%s is left", folder)
		}
	}
	if len(folders(kept)) == 0 {
		t.Error("the other's has no folder")
	}
	for _, folder := range folders(kept) {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("%s is gone: %v", folder, err)
		}
	}
}

// folders of a group.
func folders(g *cgroup.Group) []string {
	born, join := g.Entries()
	var all []string
	if born != "" {
		all = append(all, born)
	}
	for _, file := range join {
		all = append(all, filepath.Dir(file))
	}
	return all
}

// A program is in the group in every hierarchy, as a whole, before it runs, by
// each of the ways.
func TestEntries(t *testing.T) {
	tree := tree(t)
	g, err := tree.New(cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove()
	for _, wrapper := range [][]string{nil, {"/usr/bin/env"}} {
		p := confine.Policy{Args: []string{"/bin/sh", "-c", "cat /proc/self/cgroup; ls /proc/$$/task | wc -l"}}
		p.Born, p.Join = g.Entries()
		cmd, out := &exec.Cmd{}, &strings.Builder{}
		cmd.Stdout = out
		c, err := p.Start(t.Context(), cmd, wrapper...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(folders(g)[0])
		if n := strings.Count(out.String(), name); n != len(folders(g)) || !strings.HasSuffix(out.String(), "\n1\n") {
			t.Errorf("started by %v, in %d of %d groups:\n%s", wrapper, n, len(folders(g)), out)
		}
	}
}

// A named group is found by another process of the owner, with all that it
// counts.
func TestNamed(t *testing.T) {
	mine := tree(t)
	g, err := mine.Make("agent", cgroup.Limits{Memory: 100 << 20, CPU: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	c := in(t, g, "echo; exec sleep 600")
	again := cgroup.Open(fmt.Sprintf("test%d", os.Getpid()))
	found := again.Find("agent")
	if found == nil || len(found.Processes()) != 1 || again.Find("other") != nil {
		t.Fatalf("found %+v", found)
	}
	testsignal.Until(t, "what it holds to be counted", func() bool { // it may not have touched any yet
		held, ok := found.Memory()
		if held > 100<<20 {
			t.Fatalf("%d bytes", held)
		}
		return !ok || held > 0
	})
	if names := again.Names(); len(names) != 1 || names[0] != "agent" {
		t.Errorf("names %v", names)
	}
	if err := found.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	c.Wait()
	if err := found.Remove(); err != nil || again.Find("agent") != nil {
		t.Errorf("Remove: %v", err)
	}
}
