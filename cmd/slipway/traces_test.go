package main

import (
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/internal/daemon"
)

func TestWhereAgentsTraceTo(t *testing.T) {
	const place = "https://traces.example.com/api/v1"
	for name, c := range map[string]struct {
		flags tracesFlags
		key   string
		want  daemon.Traces
		text  string
	}{
		"here":             {tracesFlags{"on", ""}, "", daemon.Traces{}, ""},
		"nowhere":          {tracesFlags{"off", ""}, "k", daemon.Traces{Off: true}, ""},
		"elsewhere":        {tracesFlags{"on", place + "/"}, "k", daemon.Traces{Endpoint: place, Key: "k"}, ""},
		"perhaps":          {tracesFlags{"maybe", ""}, "", daemon.Traces{}, "want on or off"},
		"nowhere there":    {tracesFlags{"off", place}, "k", daemon.Traces{}, "leave one of them out"},
		"without a key":    {tracesFlags{"on", place}, "", daemon.Traces{}, "set SLIPWAY_TRACES_API_KEY"},
		"no address":       {tracesFlags{"on", "traces.example.com"}, "k", daemon.Traces{}, "is no address of an endpoint"},
		"with a key in it": {tracesFlags{"on", "https://k@traces.example.com"}, "k", daemon.Traces{}, "is no address of an endpoint"},
	} {
		t.Setenv(tracesVariable, c.key)
		var got daemon.Traces
		err := c.flags.set(&got)
		if c.text != "" {
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v, want %q", name, err, c.text)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
