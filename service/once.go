package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipwayhq/slipway"
)

// sweepBatch is how many receipts go in one transaction.
const sweepBatch = 1000

// once is change for a use case that its client may name by an Idempotency-Key,
// so that it can be sent again when its answer was lost. Do returns the id of
// what it made. Where a request of the caller's workspace with the same key has
// made something before, again shows that instead, as it is now; what is gone
// is a conflict. The receipt is written in do's own transaction: the effect and
// its receipt are there after a crash, or neither. What fails leaves none.
//
// A use case takes part by two lines:
//
//	err := s.once(ctx, who, func(c *change) (string, error) {
//		…
//		return string(made.ID), nil
//	}, func(c *change, id string) (err error) { made, err = c.owned…(who, id); return err })
//
// Without a key it is change, and costs nothing more. What can not be shown
// again (a token) is refused by again, with CodeConflict.
func (s *Service) once(ctx context.Context, who slipway.Principal, do func(*change) (string, error), again func(*change, string) error) error {
	return s.change(ctx, func(c *change) error {
		key, named := slipway.RequestKeyOf(ctx)
		if !named {
			_, err := do(c)
			return err
		}
		r := slipway.Receipt{Workspace: who.Workspace, Key: key.Value, Hash: key.Hash, CreatedAt: c.now}
		found, err := c.ClaimReceipt(r)
		switch {
		case err != nil:
			return fmt.Errorf("claim receipt: %w", err)
		case found.Hash != r.Hash:
			return slipway.Errorf(slipway.CodeConflict, "This Idempotency-Key was used for another request. Send a new request with a new key.")
		case found.Resource != "":
			return madeBefore(again(c, found.Resource))
		}
		if r.Resource, err = do(c); err != nil {
			return err
		}
		return c.CompleteReceipt(r)
	})
}

func madeBefore(err error) error {
	if slipway.CodeOf(err) == slipway.CodeNotFound {
		return slipway.Errorf(slipway.CodeConflict, "A request with this Idempotency-Key took effect before, and what it made has been deleted since. Send a new request with a new key.")
	}
	return err
}

// nothing is again of a use case whose answer is empty.
func nothing(*change, string) error { return nil }

// sweepReceipts removes receipts that nobody may rely on any more. Where there
// is none it writes nothing.
func (s *Service) sweepReceipts(ctx context.Context) error {
	before := s.now().Add(-slipway.ReceiptsFor)
	var oldest time.Time
	err := s.read(ctx, func(c *change) (err error) {
		oldest, err = c.OldestReceipt()
		return err
	})
	if errors.Is(err, slipway.ErrNoRow) || err == nil && !oldest.Before(before) {
		return nil
	}
	for err == nil {
		var n int
		n, err = s.sweepSome(ctx, before)
		if n < sweepBatch {
			break
		}
	}
	return wrap("sweep receipts", err)
}

func (s *Service) sweepSome(ctx context.Context, before time.Time) (n int, err error) {
	err = s.store.Update(ctx, func(tx slipway.Tx) error {
		n, err = tx.DeleteReceipts(before, sweepBatch)
		return err
	})
	return n, err
}
