package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/cgroup"
)

// standin is the path of the agent, built once.
var standin string

func TestMain(m *testing.M) {
	if child := os.Getenv("SLIPWAY_TEST_SERVER"); child != "" {
		serve(child)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "slipway-standin-")
	if err == nil {
		defer os.RemoveAll(folder)
		standin, err = drivertest.BuildStandin(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func TestSuite(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.World { return world(t.TempDir()) })
}

// TestSuiteWithUsers has every deployment run as a user of its own, and the first
// start of each driver go by a child that stands by.
func TestSuiteWithUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	drivertest.Run(t, func(t *testing.T) drivertest.World {
		data := t.TempDir()
		root, within := filepath.Join(data, "deployments"), process.Within(walls(t, data))
		w := world(root, within)
		w.Open = func(t testing.TB) (slipway.Driver, func()) {
			d := openSpare(t, root, within)
			return d, func() { d.Close() }
		}
		w.Flood, w.Sockets = 0, true
		return w
	})
}

// TestSuiteWithoutGroups is for machines that have no control groups. What only
// they can do is left out.
func TestSuiteWithoutGroups(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.World {
		if strings.HasSuffix(t.Name(), "too_many_processes") || strings.HasSuffix(t.Name(), "daemons") {
			t.Skip("only control groups can do it")
		}
		w := world(t.TempDir(), process.WithoutGroups())
		w.Flood, w.Sockets = 0, true
		w.Limits = true
		return w
	})
}

// walls of a server of its own.
func walls(t testing.TB, data string) process.Walls {
	return process.Walls{Data: data, Users: process.Users{First: 61100, Last: 61183}, Taken: t.TempDir()}
}

func world(root string, options ...process.Option) drivertest.World {
	folder := func(d slipway.DeploymentID, i slipway.InstanceID) string {
		return filepath.Join(root, string(d), "instances", string(i))
	}
	return drivertest.World{
		Open: func(t testing.TB) (slipway.Driver, func()) {
			d := open(t, root, options...)
			return d, func() { d.Close() }
		},
		Agent:     func(flags ...string) []string { return append([]string{standin}, flags...) },
		Processes: true,
		Flood:     2 << 30,
		Limits:    cgroup.Open("test").Holds(),
		StandsBy:  true,
		Folder:    folder,
		Unsent: func(t testing.TB, w slipway.Workload) {
			edit(t, folder(w.Deployment, w.Instance), func(s map[string]any) {
				s["term_at"], s["term_unsent"] = time.Now().Add(-time.Hour), true
			})
		},
		State:     func(d slipway.DeploymentID) string { return filepath.Join(root, string(d), "state") },
		Strangers: strangers(root, options...),
	}
}

func open(t testing.TB, root string, options ...process.Option) *process.Driver {
	t.Helper()
	d, err := process.Open(root, options...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
