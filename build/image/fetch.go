package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/internal/engine"
)

// fetchBase has the engine hold an app's base, and pins it.
func (b *Builder) fetchBase(ctx context.Context, c appconfig.Config, log io.Writer) (base, error) {
	reference, err := b.Bases.reference(c)
	if err != nil {
		return base{}, err
	}
	image, err := b.bases.Fetch(ctx, reference, slipway.RegistryAuth{}, log)
	if err != nil {
		return base{}, ofBase(reference, err)
	}
	b.hold(reference, image)
	inspected, err := b.Engine.ImageInspect(ctx, image.Name)
	if err != nil {
		return base{}, b.Engine.Explain(fmt.Errorf("inspect base image %s: %w", reference, err))
	}
	var labels map[string]string
	if inspected.Config != nil {
		labels = inspected.Config.Labels
	}
	fmt.Fprintf(log, "Base image %s: %s\n", reference, image.Name)
	made := base{reference: reference, pinned: image.Name, digest: image.Digest, from: image.Name, serves: serves(reference, labels)}
	if strings.HasPrefix(image.Name, "sha256:") {
		made.from, err = b.nameBase(ctx, image)
	}
	return made, err
}

// hold remembers what a base's reference names now.
func (b *Builder) hold(reference string, image engine.Image) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[reference] = image
}

// nameBase gives an image that no registry knows a name that says its digest,
// until the next Sweep: BuildKit finds none by id.
func (b *Builder) nameBase(ctx context.Context, image engine.Image) (name string, err error) {
	name = b.baseRepository() + ":" + image.Digest
	if _, err := b.Engine.ImageTag(ctx, client.ImageTagOptions{Source: image.Name, Target: name}); err != nil {
		return "", b.Engine.Explain(fmt.Errorf("name base image %s: %w", image.Name, err))
	}
	return name, nil
}

func (b *Builder) baseRepository() string { return "slipway-" + b.installation + "/base" }

// ofBase makes a failure to fetch one of the build.
func ofBase(reference string, err error) error {
	f, final := errors.AsType[*slipway.Failure](err)
	if !final {
		return fmt.Errorf("base image %s: %w", reference, err)
	}
	code := f.Code
	switch code {
	case "image_not_found", "image_denied":
		code = "base_image_not_found"
	}
	return failure.WithHint(failure.New(stepBase, code, "The base image is not to be had: %s", f.Message),
		"%s", cmp.Or(hintOfBase[code], f.Hint))
}

var hintOfBase = map[string]string{
	"base_image_not_found": "Look at base_image in langgraph.json and at the server's --base-image-python and --base-image-node.",
}
