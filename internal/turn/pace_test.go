package turn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway/internal/turn"
)

// Work at a turn pauses when it has gone on for a while, and not before; other work
// never does.
func TestBreathe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := take(t, turn.Of(1, turn.Limit).Take)
		defer own.Give()
		paused := func() time.Duration {
			begun := time.Now()
			turn.At(own.Paced(t.Context())).Breathe()
			return time.Since(begun)
		}
		for _, c := range []struct {
			worked time.Duration
			pauses bool
		}{{0, false}, {50 * time.Microsecond, false}, {time.Millisecond, true}, {0, false}, {time.Millisecond, true}} {
			time.Sleep(c.worked)
			if got := paused(); (got > 0) != c.pauses || got > time.Millisecond {
				t.Errorf("after %v it paused for %v", c.worked, got)
			}
		}
		time.Sleep(2 * turn.Limit)
		if own.Held() || paused() == 0 {
			t.Error("whoever kept a turn too long makes no pauses")
		}
	})
}

// A context of other work has no turn, and that makes no pauses.
func TestNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var none *turn.Turn
		for _, ctx := range []context.Context{t.Context(), none.Paced(t.Context())} {
			time.Sleep(time.Millisecond)
			if turn.At(ctx) != nil {
				t.Error("a turn that was not taken")
			}
			turn.At(ctx).Breathe()
		}
		if time.Since(begun) != 2*time.Millisecond {
			t.Errorf("paused: %v", time.Since(begun))
		}
	})
}
