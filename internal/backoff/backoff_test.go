package backoff_test

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway/internal/backoff"
)

func TestExponential(t *testing.T) {
	b := backoff.Exponential{First: time.Second, Most: 10 * time.Second}
	for n, want := range []time.Duration{0, 1, 2, 4, 8, 10, 10} {
		if got := b.After(n); got != want*time.Second {
			t.Errorf("After(%d) = %v, want %v", n, got, want*time.Second)
		}
	}
	if got := b.After(1 << 20); got != b.Most {
		t.Errorf("After(many) = %v, want %v", got, b.Most)
	}
}
