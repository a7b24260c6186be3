package main

import (
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

func TestScaleInWords(t *testing.T) {
	reason := "It runs once."
	for want, s := range map[string]wire.DeploymentScale{
		"1 of 1":                  {Replicas: 1, Wanted: 1, Min: 1, Max: 1},
		"2 of 3, 1 to 10 by load": {Replicas: 2, Wanted: 3, Min: 1, Max: 10},
		"1 of 1; It runs once.":   {Replicas: 1, Wanted: 1, Min: 1, Max: 1, Reason: &reason},
		"asleep, until a request comes (4 woken so far)": {Min: 1, Max: 1, Asleep: true, Woken: 4},
	} {
		if got := describeScale(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
