package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
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

func world(root string) drivertest.World {
	return drivertest.World{
		Open: func(t testing.TB) (slipway.Driver, func()) {
			d := open(t, root)
			return d, func() { d.Close() }
		},
		Agent:     func(flags ...string) []string { return append([]string{standin}, flags...) },
		Processes: true,
		StandsBy:  true,
		Folder: func(d slipway.DeploymentID, i slipway.InstanceID) string {
			return filepath.Join(root, string(d), "instances", string(i))
		},
		State: func(d slipway.DeploymentID) string { return filepath.Join(root, string(d), "state") },
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
