package process

import (
	"context"
	"errors"
	"log/slog"

	"github.com/slipwayhq/slipway/driver/internal/quota"
	"github.com/slipwayhq/slipway/internal/disk"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Reserve has a driver end who fills the disk when less than so many bytes are
// left of it.
func Reserve(bytes int64) Option { return func(d *Driver) { d.reserve = bytes } }

// watchDisk ends instances that keep more on the disk than they may.
func (d *Driver) watchDisk() {
	quota.Watch(d.alive, disk.Reserve{Folder: d.root, Bytes: d.reserve}, d.tenants)
}

// tenants are the instances that run. What they print is bounded elsewhere.
func (d *Driver) tenants() []quota.Tenant {
	var all []quota.Tenant
	for _, in := range d.of("") {
		r := in.current()
		if r == nil {
			continue
		}
		all = append(all, quota.Tenant{
			ID: in.id, Limit: int64(in.snapshot().DiskMB) << 20,
			Used: func(ctx context.Context, most int64) (int64, error) {
				return disk.Used(ctx, most, in.work(), in.tmp(), in.keep(), d.stateFolder(in.deployment))
			},
			End: func(_ context.Context, why string) {
				slog.Warn("an instance is ended for what it keeps on the disk", "instance", in.id, "reason", why)
				in.mu.Lock()
				in.overDisk = why
				in.mu.Unlock()
				r.kill()
			},
		})
	}
	return all
}

func (in *instance) whyOverDisk() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.overDisk
}

// emptyScratch removes what an attempt wrote beside its state: else the next one
// would be ended for it.
func (in *instance) emptyScratch() {
	if err := errors.Join(removal.Tree(in.work()), removal.Tree(in.tmp())); err != nil {
		slog.Warn("what an ended instance kept on the disk is left", "instance", in.id, "error", err)
	}
}
