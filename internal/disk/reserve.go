package disk

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
)

// Reserve is what is kept free on the file system of a folder for what runs:
// when there is less, nothing new is taken.
type Reserve struct {
	Folder string
	Bytes  int64 // 0 for none
}

// Low says whether less is free, and what is. Where that can not be told, there
// is enough.
func (r Reserve) Low() (low bool, free int64) {
	space, err := SpaceOf(r.Folder)
	return err == nil && space.Free < r.Bytes, space.Free
}

// Refuse returns what to tell who brings something new, nil if it is taken.
func (r Reserve) Refuse() error {
	low, free := r.Low()
	if !low {
		return nil
	}
	return slipway.Errorf(slipway.CodeFull,
		"The disk of the server is almost full: %d MiB are free, and the last %d MiB are kept for what runs. Free space on the disk of its data folder, then try again.",
		free>>20, r.Bytes>>20)
}

// lookEvery is how late it is said that there is too little left, at most.
const lookEvery = 5 * time.Second

// Watch says in the log when there is too little left, and when there is enough
// again, until ctx ends. After each look that finds enough it calls roomy.
func (r Reserve) Watch(ctx context.Context, log *slog.Logger, roomy func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for was := false; ; {
		low, free := r.Low()
		attrs := []any{slog.String("folder", r.Folder), slog.Int64("free_mib", free>>20), slog.Int64("reserve_mib", r.Bytes>>20)}
		switch {
		case low && !was:
			log.Error("the disk is almost full: builds, uploads and pushes are refused", attrs...)
		case was && !low:
			log.Info("the disk has room again", attrs...)
		}
		if was = low; !low {
			roomy()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
