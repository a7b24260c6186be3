package langsmith // what is left of the memory is not for others

import (
	"bytes"
	"context"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// However a request ends, what it has held is given back, and no more.
func TestMemoryIsGivenBack(t *testing.T) {
	const others = maxAllHeld - maxHeld
	h := New(Config{})
	h.memory.take(others)
	first, second := &body{h: h}, &body{h: h}
	for _, c := range []struct {
		name string
		by   *body
		n    int64
		want slipway.Code
	}{
		{"a half", first, maxHeld / 2, ""},
		{"more than one may", first, maxHeld, slipway.CodeTooLarge},
		{"the other half", first, maxHeld / 2, ""},
		{"more than there is", second, 1, slipway.CodeUnavailable},
	} {
		if err := c.by.hold(c.n); slipway.CodeOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	first.close()
	second.close()
	if taken := h.memory.taken.Load(); taken != others {
		t.Errorf("%d bytes are taken, want %d", taken, int64(others))
	}
}

// Queries wait while others have all of the memory, and one that is answered has no
// more of it than its runs take.
func TestSharesOfMemory(t *testing.T) {
	h := New(Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var shares []*share
	for len(shares) < maxShares/oneShare {
		s, err := h.takeShare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, s)
	}
	if _, err := h.takeShare(ended); slipway.CodeOf(err) != slipway.CodeUnavailable {
		t.Errorf("one more than there are: %v", err)
	}
	large := trace.Run{Inputs: trace.Inline(bytes.Repeat([]byte("x"), oneShare/2))}
	shares[0].shrink([]trace.Run{large, large, large})
	shares[1].shrink([]trace.Run{large})
	if h.shares.TryAcquire(oneShare/2 + 1) {
		t.Error("what an answer holds is given away")
	}
	shares[2].shrink(nil)
	s, err := h.takeShare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(shares, s) {
		s.giveBack()
	}
	if !h.shares.TryAcquire(maxShares) {
		t.Error("not all is given back")
	}
}
