package docker

import (
	"context"
	"log/slog"
	"math"
	"strconv"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/quota"
	"github.com/slipwayhq/slipway/internal/disk"
)

// watchDisk ends containers that keep more on the disk than they may.
func (d *Driver) watchDisk() {
	quota.Watch(d.alive, disk.Reserve{Folder: d.Root, Bytes: d.Reserve}, d.tenants)
}

// tenants are the containers that ran when they were last looked at.
func (d *Driver) tenants() []quota.Tenant {
	d.mu.Lock()
	all := make([]*instance, 0, len(d.instances))
	for _, in := range d.instances {
		all = append(all, in)
	}
	d.mu.Unlock()
	var tenants []quota.Tenant
	for _, in := range all {
		if l := in.lastSeen(); l != nil {
			tenants = append(tenants, d.tenant(in, l))
		}
	}
	return tenants
}

func (d *Driver) tenant(in *instance, l *look) quota.Tenant {
	return quota.Tenant{
		ID: in.id, Limit: l.disk,
		Used: func(ctx context.Context, most int64) (int64, error) { return d.keeps(ctx, l, most) },
		End: func(ctx context.Context, why string) {
			d.Logger.Warn("a container is ended for what it keeps on the disk", slog.String("instance", string(in.id)), slog.String("reason", why))
			in.mu.Lock()
			in.overDisk, in.whyOverDisk = l.id, why
			in.mu.Unlock()
			_, err := d.Engine.ContainerKill(ctx, l.id, client.ContainerKillOptions{Signal: "SIGKILL"})
			if err := d.unlessEnded("kill container", err); err != nil {
				d.Logger.Warn("a container that keeps too much on the disk could not be ended", slog.String("instance", string(in.id)), slog.Any("error", err))
			}
		},
	}
}

// keeps is what a container takes: by the engine's word what it has written to its
// root, and its volumes where they can be looked at.
func (d *Driver) keeps(ctx context.Context, l *look, most int64) (int64, error) {
	found, err := d.Engine.ContainerInspect(ctx, l.id, client.ContainerInspectOptions{Size: true})
	if err != nil {
		return 0, d.Engine.Explain(err)
	}
	var written int64
	if size := found.Container.SizeRw; size != nil {
		written = *size
	}
	var volumes []string
	for _, m := range found.Container.Mounts {
		volumes = append(volumes, m.Source)
	}
	kept, err := disk.Used(ctx, most-min(written, most), volumes...)
	if err != nil {
		kept = 0 // only root sees into the engine's folder
	}
	return written + kept, nil
}

// diskLabel is the limit of a workload, in MiB.
func diskLabel(l slipway.Limits) string { return strconv.Itoa(l.DiskMB) }

// diskLimit reads it, in bytes; 0 for none.
func diskLimit(label string) int64 {
	mb, err := strconv.ParseInt(label, 10, 64)
	if err != nil || mb < 0 || mb > math.MaxInt64>>20 {
		return 0
	}
	return mb << 20
}
