package process

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/journal"
)

var _ slipway.Trimmer = (*Driver)(nil)

// Trim gives back the space of what was printed before an offset, but for the
// last words.
func (d *Driver) Trim(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, before int64) error {
	in, err := d.find(id, i)
	if in == nil || err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	in.log.Lock()
	defer in.log.Unlock()
	err = journal.Trim(in.output(), before)
	if errors.Is(err, journal.ErrNoHoles) {
		return nil // boundOutputs says so
	}
	return err
}

// boundEvery is how often logs are looked at. In between, one grows as fast as
// the disk takes it.
const boundEvery = 500 * time.Millisecond

// boundOutputs keeps agents that print without end from filling the disk, until
// the driver is closed. An agent writes into its log itself: nobody is between.
func (d *Driver) boundOutputs() {
	tick := time.NewTicker(boundEvery)
	defer tick.Stop()
	said := false
	for {
		select {
		case <-d.alive.Done():
			return
		case <-tick.C:
		}
		for _, in := range d.of("") {
			err := in.boundOutput()
			if err != nil && !said {
				slog.Warn("the output of an instance can not be bounded", "instance", in.id, "error", err)
				said = true
			}
		}
	}
}

func (in *instance) boundOutput() error {
	if in.current() == nil {
		return nil
	}
	in.log.Lock()
	defer in.log.Unlock()
	_, err := journal.Bound(in.output())
	return err
}
