// Package shelf puts folders in place that bundles share: each is made once, by
// one maker at a time, and is there only when it is whole.
package shelf

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/slipwayhq/slipway/build/internal/keylock"
	"github.com/slipwayhq/slipway/internal/durable"
)

// Shelf makes folders below a folder for temporary things, on the same file
// system as their places.
type Shelf struct {
	tmp   string
	locks keylock.Locks
}

// New makes what it makes below tmp.
func New(tmp string) *Shelf { return &Shelf{tmp: tmp} }

// Put makes a folder unless it is there. Busy says in the log who is waited for.
func (s *Shelf) Put(ctx context.Context, dir, busy string, log io.Writer, make func(work string) error) error {
	unlock, err := s.locks.Lock(ctx, dir, func() { fmt.Fprintf(log, "Waiting: %s\n", busy) })
	if err != nil {
		return err
	}
	defer unlock()
	if Has(dir) {
		return nil
	}
	begin := time.Now()
	work, err := os.MkdirTemp(s.tmp, "shelf-")
	if err != nil {
		return err
	}
	defer durable.Discard(work)
	if err := make(work); err != nil {
		return err
	}
	if err := durable.Publish(work, dir); err != nil {
		return err
	}
	fmt.Fprintf(log, "Installed in %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// Has says whether something is in a place.
func Has(dir string) bool {
	_, err := os.Lstat(dir)
	return err == nil
}
