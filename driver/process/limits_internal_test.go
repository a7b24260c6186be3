package process

import (
	"context"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
)

// Those that have no control group, and are measured together, are so by one look
// at all processes.
func TestUsageByOneLook(t *testing.T) {
	id, i := slipway.NewID[slipway.DeploymentID](time.Now()), slipway.NewID[slipway.InstanceID](time.Now())
	in := newInstance(id, i, t.TempDir())
	in.run = &run{pid: 7}
	d := &Driver{instances: map[slipway.InstanceID]*instance{i: in}, alive: context.Background()}
	d.uses.next = func() (procfs.Table, error) { // somebody waits for it
		return procfs.Table{7: {Session: 7, Memory: 12345, Ticks: procfs.TicksPerSecond}}, nil
	}
	if got, err := d.Usage(t.Context(), id, i); err != nil || got != (slipway.Usage{Memory: 12345, CPU: time.Second}) {
		t.Errorf("it uses %+v, %v", got, err)
	}
}
