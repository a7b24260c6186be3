package slipway_test

import (
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestHandOverKeepsAccountOfSnapshots(t *testing.T) {
	type kept struct{ last, outdated string }
	taking := &slipway.Handover{Phase: slipway.HandoverSnapshot, Snapshot: "new"}
	releasing := &slipway.Handover{Phase: slipway.HandoverReleasing, Snapshot: "new"}
	for name, c := range map[string]struct {
		was  slipway.Running
		move []*slipway.Handover
		want kept
	}{
		"waiting changes nothing":        {slipway.Running{Snapshot: "old"}, []*slipway.Handover{{Phase: slipway.HandoverWaiting}}, kept{"old", ""}},
		"it is known before it is taken": {slipway.Running{Snapshot: "old"}, []*slipway.Handover{taking}, kept{"new", "old"}},
		"the first":                      {slipway.Running{}, []*slipway.Handover{taking, releasing, nil}, kept{"new", ""}},
		"written down again":             {slipway.Running{Snapshot: "old"}, []*slipway.Handover{taking, taking}, kept{"new", "old"}},
		"done":                           {slipway.Running{Snapshot: "old"}, []*slipway.Handover{taking, releasing, nil}, kept{"new", "old"}},
		"perhaps never taken":            {slipway.Running{Snapshot: "old"}, []*slipway.Handover{taking, nil}, kept{"old", "new"}},
		"over before":                    {slipway.Running{Snapshot: "old"}, []*slipway.Handover{{Phase: slipway.HandoverHolding}, nil}, kept{"old", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.was
			for _, h := range c.move {
				r = r.HandOver(h)
			}
			if got := (kept{r.Snapshot, r.Outdated}); got != c.want {
				t.Errorf("kept %+v, want %+v", got, c.want)
			}
			if r.Handover != c.move[len(c.move)-1] {
				t.Errorf("the hand-over is %+v", r.Handover)
			}
		})
	}
	if r := (slipway.Running{Snapshot: "new", Outdated: "old"}).Discarded("other"); r.Outdated != "old" {
		t.Error("another one's end is taken for its own")
	}
	if r := (slipway.Running{Snapshot: "new", Outdated: "old"}).Discarded("old"); r.Outdated != "" || r.Snapshot != "new" {
		t.Errorf("discarded: %+v", r)
	}
}
