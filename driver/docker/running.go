package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
)

// current finds a running instance with its container, as that was last looked at;
// nil if it has none that runs.
func (d *Driver) current(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (*instance, *look, error) {
	in, err := d.find(id, i)
	if in == nil || err != nil {
		return nil, nil, err
	}
	l := in.lastSeen()
	if l == nil {
		if l, err = d.inspect(ctx, in); err != nil || !l.running() {
			return nil, nil, err
		}
	}
	return in, l, nil
}

// Usage measures a running instance, by one reading of the engine's.
func (d *Driver) Usage(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID) (slipway.Usage, error) {
	_, l, err := d.current(ctx, id, i)
	if err != nil {
		return slipway.Usage{}, err
	}
	if l == nil {
		return slipway.Usage{}, slipway.ErrUntold
	}
	read, err := d.Engine.ContainerStats(ctx, l.id, client.ContainerStatsOptions{})
	if err != nil {
		return slipway.Usage{}, d.unlessEndedUntold(err)
	}
	defer read.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(read.Body).Decode(&stats); err != nil {
		return slipway.Usage{}, fmt.Errorf("read usage of container: %w", err)
	}
	return usage(stats)
}

// unlessEndedUntold says that what has ended uses nothing that could be told.
func (d *Driver) unlessEndedUntold(err error) error {
	if d.unlessEnded("", err) == nil {
		return slipway.ErrUntold
	}
	return fmt.Errorf("read usage of container: %w", d.Engine.Explain(err))
}

// usage of a reading. Files that the kernel may drop at once are not counted, as
// the engine's own client does not; where they are told differs by the version of
// control groups. Of a container that just ended, an engine reads nothing.
func usage(stats container.StatsResponse) (slipway.Usage, error) {
	if stats.CPUStats.CPUUsage.TotalUsage == 0 && stats.MemoryStats.Usage == 0 {
		return slipway.Usage{}, slipway.ErrUntold
	}
	used, files := stats.MemoryStats.Usage, stats.MemoryStats.Stats["inactive_file"]
	if v1, ok := stats.MemoryStats.Stats["total_inactive_file"]; ok {
		files = v1
	}
	return slipway.Usage{
		CPU:    time.Duration(stats.CPUStats.CPUUsage.TotalUsage), // ns
		Memory: int64(used - min(files, used)),
	}, nil
}
