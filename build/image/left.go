package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/engine"
)

// unusedFor is how long a base is kept on which nothing is built, and an image
// that has lost its names: longer than any build takes that may be about to.
const unusedFor = 24 * time.Hour

// What begins the names of things that no inventory has: a key has no space in it,
// nor has a reference to an image.
const (
	nameless = "nameless "
	based    = "base "
)

// IsLeft tells what Left lists by its name.
func IsLeft(ref string) bool {
	return strings.HasPrefix(ref, nameless) || strings.HasPrefix(ref, based)
}

// Left lists what builds left and no inventory names: images of ours that have no
// name and no container, and bases that were fetched and on which nothing of ours
// is built.
func (b *Builder) Left(ctx context.Context) ([]slipway.Thing, error) {
	images, err1 := b.namelessImages(ctx)
	bases, err2 := b.unusedBases(ctx)
	return append(images, bases...), b.Engine.Explain(errors.Join(err1, err2))
}

// RemoveLeft removes what Left has listed, if it still would. It does not wait for
// builds, which may be about to use it.
func (b *Builder) RemoveLeft(ctx context.Context, ref string) error {
	if !b.builds.TryLock() {
		return errors.New("a build is on: it is tried again")
	}
	defer b.builds.Unlock()
	left, err := b.Left(ctx)
	if err != nil || !slices.ContainsFunc(left, func(t slipway.Thing) bool { return t.Ref == ref }) {
		return err
	}
	if base, is := strings.CutPrefix(ref, based); is {
		return b.bases.Remove(ctx, base)
	}
	id := strings.TrimPrefix(ref, nameless)
	if err := b.remove(ctx, id); err != nil {
		return err
	}
	there, err := b.Engine.Has(ctx, id)
	if err == nil && there {
		err = fmt.Errorf("image %s is left", id)
	}
	return err
}

func (b *Builder) namelessImages(ctx context.Context) (things []slipway.Thing, err error) {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", b.owned()).Add("dangling", "true")})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for _, image := range found.Items {
		since := time.Unix(image.Created, 0).UTC()
		if time.Since(since) < unusedFor {
			continue // a build may be making it
		}
		users, err := b.Engine.Users(ctx, image.ID)
		if err != nil {
			return things, err
		}
		if len(users) == 0 {
			things = append(things, slipway.Thing{Kind: slipway.ItemImage, Ref: nameless + image.ID, What: "image " + image.ID, Since: since})
		}
	}
	return things, nil
}

// unusedBases goes by what was written down when they were fetched. That nothing
// is held of one it forgets.
func (b *Builder) unusedBases(ctx context.Context) (things []slipway.Thing, err error) {
	fetched, err := b.bases.Pulls.List()
	old := slices.DeleteFunc(fetched, func(p engine.Pull) bool { return time.Since(p.At) < unusedFor })
	if err != nil || len(old) == 0 {
		return nil, err
	}
	made, err := b.layers(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range old {
		held, failed := b.bases.Held(ctx, p.Reference)
		if failed == nil && len(held) == 0 {
			failed = b.bases.Pulls.Forget(p.Reference)
		}
		for _, name := range held {
			var used bool
			if used, failed = b.carries(ctx, name, made); used || failed != nil {
				held = nil
				break
			}
		}
		for _, name := range held {
			things = append(things, slipway.Thing{Kind: slipway.ItemImage, Ref: based + p.Reference, What: "base image " + name, Since: p.At})
		}
		err = errors.Join(err, failed)
	}
	return things, err
}

// layers are those of each image of ours.
func (b *Builder) layers(ctx context.Context) (all [][]string, err error) {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", b.owned())})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for _, image := range found.Items {
		of, err := b.layersOf(ctx, image.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, of)
	}
	return all, nil
}

// layersOf an image that may go meanwhile.
func (b *Builder) layersOf(ctx context.Context, name string) ([]string, error) {
	found, err := b.Engine.ImageInspect(ctx, name)
	if err != nil && !engine.NotFound(err) {
		return nil, fmt.Errorf("inspect image %s: %w", name, err)
	}
	return found.RootFS.Layers, nil
}

// carries says whether an image was made on a base.
func (b *Builder) carries(ctx context.Context, base string, made [][]string) (bool, error) {
	below, err := b.layersOf(ctx, base)
	return slices.ContainsFunc(made, func(layers []string) bool {
		return len(layers) >= len(below) && slices.Equal(layers[:len(below)], below)
	}), err
}
