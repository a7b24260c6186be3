package main

import (
	"testing"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/build/image"
)

func TestImageFlags(t *testing.T) {
	plain := image.Bases{Python: "python:3.12-slim", Node: "node:22-slim"}
	defaults := image.DefaultBases()
	cases := map[string]struct {
		args []string
		host string
		want *image.Bases // nil for bundles
		bad  bool
	}{
		"bundles":          {nil, "unix:///x", nil, false},
		"images":           {[]string{"--source-builds", "image"}, "unix:///x", &defaults, false},
		"on plain bases":   {[]string{"--source-builds=image", "--base-image-python=python:3.12-slim", "--base-image-node=node:22-slim"}, "unix:///x", &plain, false},
		"without engine":   {[]string{"--source-builds", "image"}, "", nil, true},
		"something else":   {[]string{"--source-builds", "wasm"}, "unix:///x", nil, true},
		"no reference":     {[]string{"--source-builds", "image", "--base-image-node", "Node 22"}, "unix:///x", nil, true},
		"unused reference": {[]string{"--base-image-node", "Node 22"}, "unix:///x", nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f imageFlags
			flags := pflag.NewFlagSet("server", pflag.ContinueOnError)
			f.register(flags)
			if err := flags.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			got, err := f.bases(c.host)
			if (err != nil) != c.bad || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
