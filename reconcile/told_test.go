package reconcile

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

const toldLine = `slipway: failure: {"code": "missing_dependency", "message": "a.ts imports x", "hint": "Add x."}`

func TestLastTold(t *testing.T) {
	want := told{"missing_dependency", "a.ts imports x", "Add x."}
	cases := map[string]struct {
		lines string
		want  told
	}{
		"alone":            {toldLine, want},
		"after others":     {"one\ntwo\n" + toldLine, want},
		"before others":    {toldLine + "\nthree", want},
		"the last counts":  {`slipway: failure: {"code": "a", "message": "b"}` + "\n" + toldLine, want},
		"nothing":          {"", told{}},
		"within a line":    {"x " + toldLine, told{}},
		"cut off":          {toldLine[:60], told{}},
		"no code":          {`slipway: failure: {"message": "b"}`, told{}},
		"no message":       {`slipway: failure: {"code": "b"}`, told{}},
		"a strange code":   {`slipway: failure: {"code": "<b>", "message": "b"}`, told{}},
		"a very long code": {`slipway: failure: {"code": "` + strings.Repeat("a", 61) + `", "message": "b"}`, told{}},
	}
	for name, c := range cases {
		if got, ok := lastTold(c.lines); got != c.want || ok != (c.want != told{}) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

func TestStartFailureTakesWhatIsTold(t *testing.T) {
	tells := func(_ *slipway.Instance, o *slipway.Observed) {
		o.Exit = &slipway.Exit{Code: 1, Reason: "Error: x\n    at y\n" + toldLine}
	}
	s := newScene().inProgress("r1", slipway.Deploying, "exclusive").instance("i1", "r1", planned, exited, tells)
	f := next(s.world).failure
	want := "The agent server exited with code 1 before it served. a.ts imports x"
	if f.Code != "missing_dependency" || f.Message != want || f.Hint != "Add x." || *f.Exit != 1 {
		t.Errorf("failure %+v", f)
	}
	i := slipway.Instance{Crashes: 1, Exit: s.seen["i1"].Exit}
	if h := healthOf([]slipway.Instance{i}); h.Reason != "The agent server exited with code 1 (1 in a row). a.ts imports x" {
		t.Errorf("health %+v", h)
	}
}
