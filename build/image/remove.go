package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Remove removes the images of a key. One that a container still runs loses its
// names, and is removed by Sweep once it does not. It returns when it has seen
// that none is left that has a name.
func (b *Builder) Remove(ctx context.Context, key string) error {
	if err := b.removeAll(ctx, b.of(key)); err != nil {
		return err
	}
	left, err := b.There(ctx, key)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s is left", left[0].What)
	}
	return err
}

// There lists the images of a key that can be used.
func (b *Builder) There(ctx context.Context, key string) ([]slipway.Thing, error) {
	return b.list(ctx, b.of(key))
}

func (b *Builder) of(key string) client.Filters {
	return make(client.Filters).Add("label", b.owned(), labelKey+"="+key)
}

// Remains lists the images that were made here and can be used.
func (b *Builder) Remains(ctx context.Context) ([]slipway.Thing, error) {
	return b.list(ctx, make(client.Filters).Add("label", b.owned()))
}

// list tells of images that have a name.
func (b *Builder) list(ctx context.Context, filters client.Filters) (things []slipway.Thing, err error) {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: filters})
	if err != nil {
		return nil, b.Engine.Explain(fmt.Errorf("list images: %w", err))
	}
	for _, image := range found.Items {
		if names := namesOf(image.RepoTags); len(names) > 0 {
			things = append(things, slipway.Thing{
				Kind: slipway.ItemImage, Ref: image.Labels[labelKey], What: "image " + names[0], Since: time.Unix(image.Created, 0).UTC(),
			})
		}
	}
	return things, nil
}

func namesOf(tags []string) []string {
	return slices.DeleteFunc(tags, func(name string) bool { return strings.HasPrefix(name, "<none>") })
}

// Sweep removes what has none of our names: what builds left that failed or
// died, and images that still ran when they were removed; the names that bases
// were given, and bases that their references do not name any more. It does
// nothing while a build is on, whose work it could not tell from theirs.
func (b *Builder) Sweep(ctx context.Context) error {
	if !b.builds.TryLock() {
		return nil
	}
	defer b.builds.Unlock()
	return errors.Join(
		b.removeAll(ctx, make(client.Filters).Add("label", b.owned()).Add("dangling", "true")),
		b.forgetBases(ctx),
	)
}

func (b *Builder) forgetBases(ctx context.Context) error {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", b.baseRepository())})
	if err != nil {
		return b.Engine.Explain(fmt.Errorf("list base images: %w", err))
	}
	for _, image := range found.Items {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(name, b.baseRepository()+":") {
				err = errors.Join(err, b.remove(ctx, name))
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for reference, image := range b.held {
		err = errors.Join(err, b.bases.RemoveOlder(ctx, reference, image))
	}
	return err
}

func (b *Builder) owned() string { return labelOwner + "=" + b.installation }

func (b *Builder) removeAll(ctx context.Context, filters client.Filters) error {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: filters})
	if err != nil {
		return b.Engine.Explain(fmt.Errorf("list images: %w", err))
	}
	for _, image := range found.Items {
		names := namesOf(image.RepoTags)
		if len(names) == 0 {
			names = []string{image.ID}
		}
		for _, name := range names {
			err = errors.Join(err, b.remove(ctx, name))
		}
	}
	return err
}

// remove takes away a name, and with the last one the image. What is in use, or
// has others built on it, stays for Sweep.
func (b *Builder) remove(ctx context.Context, name string) error {
	_, err := b.Engine.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err == nil || engine.NotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return b.Engine.Explain(fmt.Errorf("remove image %s: %w", name, err))
}

// sweepAfter cleans up behind builds, though the context may have ended.
func (b *Builder) sweepAfter(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepWithin)
	defer cancel()
	b.Sweep(ctx) // what is left now the next one takes
}

const sweepWithin = 10 * time.Second
