package langsmith

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	// maxShares bounds what all queries may have us hold in memory, in bytes, and
	// oneShare what one may, about, while its runs are looked for.
	maxShares = 512 << 20
	oneShare  = 64 << 20
	// shareWithin is how long a query waits for others.
	shareWithin = 30 * time.Second
)

// share is the memory that a query may take.
type share struct {
	of   *semaphore.Weighted
	size int64
}

// takeShare waits until there is memory for a query. It must be given back.
func (h *Handler) takeShare(ctx context.Context) (*share, error) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	if err := h.shares.Acquire(ctx, oneShare); err != nil {
		return nil, slipway.Errorf(slipway.CodeUnavailable, "Too many queries come at once. Ask again.")
	}
	return &share{h.shares, oneShare}, nil
}

// shrink leaves as much as the runs take that were found: their client may take
// its time to read them.
func (s *share) shrink(found []trace.Run) {
	var held int64
	for i := range found {
		held += found[i].Held()
	}
	if held < s.size {
		s.of.Release(s.size - held)
		s.size = held
	}
}

func (s *share) giveBack() { s.of.Release(s.size) }
