package beat_test

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway/internal/beat"
)

func TestWait(t *testing.T) {
	const ms = time.Millisecond
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ at, atLeast, want time.Duration }{
		{0, 0, 0},
		{0, 250 * ms, 250 * ms},
		{0, 1, 250 * ms},
		{0, 250*ms + 1, 500 * ms},
		{100 * ms, 0, 150 * ms},
		{100 * ms, 150 * ms, 150 * ms},
		{100 * ms, 15 * time.Second, 15150 * ms},
	} {
		if got := beat.Wait(begin.Add(c.at), c.atLeast); got != c.want {
			t.Errorf("%v after a beat, at least %v: %v, want %v", c.at, c.atLeast, got, c.want)
		}
	}
}
