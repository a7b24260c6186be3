package process

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/journal"
	"github.com/slipwayhq/slipway/internal/beat"
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

const (
	// boundEvery is how often the disk is looked at. In between, a log grows as
	// fast as the disk takes it.
	boundEvery = 2 * beat.Every
	// boundAfter is how much of the disk must have gone for all logs to be looked
	// at, and boundAtLeast how often they are if it has not: space that somebody
	// else gives back hides what goes.
	boundAfter   = 8 << 20
	boundAtLeast = 10 * time.Second
)

// boundOutputs keeps agents that print without end from filling the disk, until
// the driver is closed. An agent writes into its log itself: nobody is between.
func (d *Driver) boundOutputs() {
	said := false
	for space := (space{folder: d.root}); pause(d.alive, beat.Wait(time.Now(), boundEvery)) == nil; {
		if !space.gone() {
			continue
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

// space is that of a disk. To ask for it costs the same however many logs there
// are on it.
type space struct {
	folder string
	free   uint64 // the most that there was since gone was true
	at     time.Time
}

// gone says whether logs may have grown since it last said so.
func (s *space) gone() bool {
	var disk unix.Statfs_t
	err := unix.Statfs(s.folder, &disk)
	free := disk.Bfree * uint64(disk.Bsize)
	s.free = max(s.free, free)
	if err == nil && s.free-free < boundAfter && time.Since(s.at) < boundAtLeast {
		return false
	}
	s.free, s.at = free, time.Now()
	return true
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
