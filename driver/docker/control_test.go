package docker_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func newTold(t *testing.T, e *dockertest.Engine, flags ...string) *fixture {
	f := newFixture(t, e, flags...)
	f.w.Image = toldStandin(t, e)
	return f
}

// tells says whether an agent is heard.
func (f *fixture) tells() bool {
	f.Helper()
	runs, err := f.d.Runs(f.Context(), f.w.Deployment, f.w.Instance)
	if err != nil && !errors.Is(err, slipway.ErrUntold) {
		f.Fatal(err)
	}
	return runs.Workers > 0
}

// An image of which nobody knows how its agent is asked is run as ever.
func TestUntold(t *testing.T) {
	f := newFixture(t, dockertest.Shared(t), "-linger")
	f.w.Stateful = true
	f.serve()
	if f.tells() {
		t.Error("it tells of runs")
	}
	f.try(f.d.Release(t.Context(), f.w.Deployment, f.w.Instance))
	if err := f.d.Snapshot(t.Context(), f.w.Deployment, "one"); err == nil {
		t.Error("its state was copied while it ran")
	}
	f.try(f.d.Yield(t.Context(), f.w.Deployment, f.w.Instance, time.Second))
	if o, err := f.d.Inspect(t.Context(), f.w.Deployment, f.w.Instance); err != nil || o.Phase != slipway.PhaseExited {
		t.Errorf("it yielded, and is seen as %+v, %v", o, err)
	}
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
}

// What passes on questions may end at any time, and with it how it was reached;
// the next question has another begin.
func TestAskedAnew(t *testing.T) {
	e := dockertest.Start(t)
	f := newTold(t, e)
	f.serve()
	for range 3 {
		if !f.tells() {
			t.Fatal("it tells nothing")
		}
	}
	asking := f.asking()
	if len(asking) != 1 {
		t.Fatalf("%d programs pass on questions", len(asking))
	}
	f.try(unix.Kill(asking[0], unix.SIGKILL))
	testsignal.Until(t, "its end", func() bool { return len(f.asking()) == 0 })
	if !f.tells() {
		t.Error("it tells nothing when the program was killed")
	}

	_, err := f.client.ContainerPause(t.Context(), f.container().ID, client.ContainerPauseOptions{})
	f.try(err)
	f.d.Close() // else who asks waits as long as it has patience
	f.open()
	if f.tells() {
		t.Error("it tells while it is paused")
	}
	_, err = f.client.ContainerUnpause(t.Context(), f.container().ID, client.ContainerUnpauseOptions{})
	f.try(err)
	testsignal.Until(t, "that it tells again", f.tells)

	f.d.Close()
	f.open()
	if !f.tells() {
		t.Error("it does not tell the next driver")
	}
	f.d.Close()
	testsignal.Until(t, "nobody to pass on questions", func() bool { return len(f.asking()) == 0 })
	f.open()
	if !f.tells() {
		t.Error("it does not tell a third driver")
	}
	e.Down()
	f.try(e.Up())
	testsignal.Until(t, "that it tells through the engine that came back", f.tells)
}

// asking are the processes in the container that pass on questions.
func (f *fixture) asking() (pids []int) {
	f.Helper()
	id := f.container().ID
	all, err := filepath.Glob("/proc/[0-9]*")
	f.try(err)
	for _, process := range all {
		argv, _ := os.ReadFile(process + "/cmdline")
		groups, _ := os.ReadFile(process + "/cgroup")
		if string(argv) == "/program\x00-ask\x00" && strings.Contains(string(groups), id) {
			pid, err := strconv.Atoi(filepath.Base(process))
			f.try(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// Who stands by lends the state to be copied: no container is made for that while
// requests wait.
func TestSnapshotByWhoStandsBy(t *testing.T) {
	f := newTold(t, dockertest.Shared(t))
	f.w.Stateful = true
	f.serve()
	f.write("threads", "old")
	first := f.w
	f.w.Instance, f.w.Port, f.w.StandBy = slipway.NewID[slipway.InstanceID](time.Now()), drivertest.FreePort(t), true
	_, err := f.d.Apply(t.Context(), f.w)
	f.try(err)
	testsignal.Until(t, "that it stands by", func() bool {
		o, err := f.d.Inspect(t.Context(), f.w.Deployment, f.w.Instance)
		f.try(err)
		return o.StandsBy
	})
	f.try(f.d.Yield(t.Context(), first.Deployment, first.Instance, time.Minute))
	taken, err := f.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: "slipway-state-" + string(f.w.Deployment), Config: &container.Config{Image: f.w.Image},
	})
	f.try(err)
	f.try(f.d.Snapshot(t.Context(), f.w.Deployment, "one"))
	_, err = f.client.ContainerRemove(t.Context(), taken.ID, client.ContainerRemoveOptions{Force: true})
	f.try(err)
	f.write("threads", "new")
	f.try(f.d.Stop(t.Context(), f.w.Deployment, f.w.Instance, 0))
	f.try(f.d.Restore(t.Context(), f.w.Deployment, "one"))
	if f.read("threads") != "old" {
		t.Errorf("restored: %q", f.read("threads"))
	}
}
