package main

import (
	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/image"
)

// imageFlags say what sources are made into.
type imageFlags struct {
	builds string
	on     image.Bases
}

// What sources are made into.
const (
	buildsBundles = "bundle"
	buildsImages  = "image"
)

func (f *imageFlags) register(flags *pflag.FlagSet) {
	defaults := image.DefaultBases()
	flags.StringVar(&f.builds, "source-builds", buildsBundles, "what sources are built to: bundle, run as processes, or image, run as containers (needs --docker-host)")
	flags.StringVar(&f.on.Python, "base-image-python", defaults.Python, "image that those of Python apps are built on; without a tag, the one of the app's python_version")
	flags.StringVar(&f.on.Node, "base-image-node", defaults.Node, "image that those of JavaScript apps are built on; without a tag, the one of the app's node_version")
}

// bases are what images are built on, nil if bundles are built.
func (f *imageFlags) bases(dockerHost string) (*image.Bases, error) {
	switch {
	case f.builds == buildsBundles:
		return nil, nil
	case f.builds != buildsImages:
		return nil, usagef("--source-builds %q: want %s or %s", f.builds, buildsBundles, buildsImages)
	case dockerHost == "":
		return nil, usagef("--source-builds image: images are built by an engine, set --docker-host too")
	}
	for flag, reference := range map[string]string{"--base-image-python": f.on.Python, "--base-image-node": f.on.Node} {
		if slipway.CheckImage(reference) != nil {
			return nil, usagef("%s %q: want a reference to an image", flag, reference)
		}
	}
	return &f.on, nil
}
