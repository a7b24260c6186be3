package langsmith // what is left of the memory is not for others

import (
	"testing"

	"github.com/slipwayhq/slipway"
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
