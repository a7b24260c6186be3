package simulation

import (
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/driver/mixed"
)

// drivers run bundles in the one and images in the other, each with states and
// snapshots of its own.
type drivers struct {
	*mixed.Driver
	processes, images *fake.Driver
}

func openDrivers(s fake.Script) *drivers { return side(fake.Open(s), fake.Open(s)) }

func side(processes, images *fake.Driver) *drivers {
	return &drivers{mixed.New(processes, images), processes, images}
}

// Reopen is what a restart of the data plane does.
func (d *drivers) Reopen() *drivers { return side(d.processes.Reopen(), d.images.Reopen()) }

// State is what the states of a deployment hold.
func (d *drivers) State(id slipway.DeploymentID) []byte {
	return slices.Concat(d.processes.State(id), d.images.State(id))
}

// Snapshots lists the names of the snapshots of a deployment.
func (d *drivers) Snapshots(id slipway.DeploymentID) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(d.processes.Snapshots(id), d.images.Snapshots(id)...))))
}
