package quota

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func TestPace(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := pace{ended: t0, cost: 10 * time.Millisecond, free: 1000, room: 100}
	slow := last
	slow.cost = time.Second
	for name, c := range map[string]struct {
		p      pace
		after  time.Duration
		free   int64
		urgent bool
		want   bool
	}{
		"there was none":                         {pace{}, 0, 1000, false, true},
		"one has just ended":                     {last, 999 * time.Millisecond, 0, true, false},
		"nothing is urgent":                      {last, 9 * time.Second, 1000, false, false},
		"it is time":                             {last, 10 * time.Second, 1000, false, true},
		"it is urgent":                           {last, time.Second, 1000, true, true},
		"as much was written as one has left":    {last, time.Second, 950, false, true},
		"less was written":                       {last, 9 * time.Second, 951, false, false},
		"nobody has a limit":                     {pace{ended: t0, free: 1000, room: math.MaxInt64}, 9 * time.Second, 0, false, false},
		"what takes long is not done often":      {slow, 49 * time.Second, 1000, false, false},
		"what takes long is done all the same":   {slow, 50 * time.Second, 1000, false, true},
		"nor is it often because it is urgent":   {slow, 9 * time.Second, 0, true, false},
		"but it is more often than it otherwise": {slow, 10 * time.Second, 0, true, true},
	} {
		if got := c.p.due(t0.Add(c.after), c.free, c.urgent); got != c.want {
			t.Errorf("%s: due %t", name, got)
		}
	}
}

// house is a disk with tenants, in bytes.
type house struct {
	used   map[slipway.InstanceID]int64
	limits map[slipway.InstanceID]int64
	gone   map[slipway.InstanceID]bool // can not be looked at
	ended  []slipway.InstanceID
	why    []string
}

func (h *house) tenants() []Tenant {
	var all []Tenant
	for _, id := range []slipway.InstanceID{"a", "b", "c"} {
		if _, lives := h.used[id]; !lives {
			continue
		}
		all = append(all, Tenant{
			ID: id, Limit: h.limits[id],
			Used: func(context.Context, int64) (int64, error) {
				if h.gone[id] {
					return 0, errors.New("gone")
				}
				return h.used[id], nil
			},
			End: func(_ context.Context, why string) { h.ended, h.why = append(h.ended, id), append(h.why, why) },
		})
	}
	return all
}

const mib = 1 << 20

func TestRounds(t *testing.T) {
	w := watch{reserve: 100 * mib}
	h := &house{used: map[slipway.InstanceID]int64{"a": 50 * mib, "b": 200 * mib}, limits: map[slipway.InstanceID]int64{"a": 60 * mib}}
	step := func(what string, free int64, room int64, ended ...slipway.InstanceID) {
		t.Helper()
		h.ended, h.why = nil, nil
		if got := w.round(t.Context(), free*mib, h.tenants()); got != room {
			t.Errorf("%s: room for %d MiB, want %d", what, got/mib, room/mib)
		}
		if !slices.Equal(h.ended, ended) {
			t.Errorf("%s: ended %v, want %v", what, h.ended, ended)
		}
		for _, id := range h.ended {
			delete(h.used, id)
		}
	}
	step("nobody keeps too much", 500, 10*mib)
	h.used["a"] = 61 * mib
	step("one passes its limit", 500, math.MaxInt64-200*mib, "a")
	if !strings.Contains(h.why[0], "60 MiB") {
		t.Errorf("because %q", h.why)
	}
	h.used["a"] = mib
	step("it has come back", 500, 59*mib)
	h.used["b"] = 224 * mib
	step("the disk is low, and one has written a little", 99, 59*mib)
	h.used["b"], h.used["a"] = 225*mib, 20*mib
	step("and goes on", 74, 40*mib, "b")
	if !strings.Contains(h.why[0], "25 MiB") || !strings.Contains(h.why[0], "74 MiB were free") {
		t.Errorf("because %q", h.why)
	}
	h.used["b"] = 240 * mib
	step("who has just come is not to blame", 59, 40*mib)
	h.gone = map[slipway.InstanceID]bool{"a": true}
	step("who can not be looked at is not either", 59, math.MaxInt64-240*mib)
	if !w.hasNew(h.tenants()) {
		t.Error("and is looked at again soon")
	}
	h.gone = nil
	step("and has come anew", 20, 40*mib)
	step("the disk has room", 500, 40*mib)
	h.used["c"] = 25 * mib
	step("one comes, and fills it at once", 90, 40*mib, "c")
	h.used["c"] = 25 * mib
	step("and has come again", 90, 40*mib)
	delete(h.used, "c")
	step("the disk has room again", 500, 40*mib)
	h.used["a"] = 59 * mib
	step("what was written before it was low does not count", 99, 1*mib, "a")
	w.reserve = 0
	h.used["a"] = mib
	step("nothing is kept free", 0, 59*mib)
	h.used["a"] = 59 * mib
	step("and nobody to blame", 0, mib)
	if w.hasNew(h.tenants()) {
		t.Error("nobody is new")
	}
}
