package slipway_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// A plan follows what a DELETE asks for: a deployment's own tracing project goes
// where it would go, and no other one.
func TestPlanWith(t *testing.T) {
	plan := slipway.DeletionPlan{
		Deployment: slipway.Deployment{ID: "d", Project: "own"}, KeptFor: time.Hour,
		Remove: []slipway.Item{{Kind: slipway.ItemRoute, Ref: "r"}, {Kind: slipway.ItemRecords, Ref: "d"}},
		Keep: []slipway.KeptItem{
			{Kind: slipway.ItemProject, Ref: "another"}, {Kind: slipway.ItemProject, Ref: "own"}, {Kind: slipway.ItemDatabase, Ref: "POSTGRES_URI_CUSTOM"},
		},
	}
	for o, want := range map[slipway.DeleteOptions]string{
		{}:                                "1h0m0s removes r d, keeps another own POSTGRES_URI_CUSTOM",
		{Now: true}:                       "0s removes r d, keeps another own POSTGRES_URI_CUSTOM",
		{TracingProject: true}:            "1h0m0s removes r own d, keeps another POSTGRES_URI_CUSTOM",
		{TracingProject: true, Now: true}: "0s removes r own d, keeps another POSTGRES_URI_CUSTOM",
	} {
		got := describePlan(plan.With(o))
		if got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
	if got, want := describePlan(plan), "1h0m0s removes r d, keeps another own POSTGRES_URI_CUSTOM"; got != want {
		t.Errorf("the plan itself is %s by now", got)
	}
}

func describePlan(p slipway.DeletionPlan) string {
	text := fmt.Sprint(p.KeptFor, " removes")
	for _, i := range p.Remove {
		text += " " + i.Ref
	}
	text += ", keeps"
	for _, k := range p.Keep {
		text += " " + k.Ref
	}
	return text
}
