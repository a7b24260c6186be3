package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/removal"
)

// halfMade begins the name of what was begun and is none of a build any more. No
// inventory can have it.
const halfMade = "half-made:"

// Remains lists what builds have left: bundles, images that were made here, and
// folders that a build did not clear away, which it had no reason to keep for so
// long. What deployments share has no deployment. Images that were fetched are
// not among it: their names tell whose they are only to who knows what was
// fetched.
func (b *Builder) Remains(ctx context.Context) ([]slipway.Thing, error) {
	var things []slipway.Thing
	digests, err := b.List()
	if err != nil {
		return nil, fmt.Errorf("look at bundles: %w", err)
	}
	for _, digest := range digests {
		if isKey(digest) { // else it is not ours
			things = append(things, b.bundle(digest))
		}
	}
	begun, err := b.halfMade(time.Now())
	things = append(things, begun...)
	if err != nil || b.images == nil {
		return things, err
	}
	made, err := b.images.Remains(ctx)
	return append(things, made...), err
}

func (b *Builder) bundle(digest string) slipway.Thing {
	path := b.dir(digest)
	return slipway.Thing{Kind: slipway.ItemBundle, Ref: digest, What: path, Since: removal.Since(path)}
}

// There looks for what a request came to, an image that was fetched included.
// The engine is asked for images only, and not if there is none: what it holds
// then nobody here can remove.
func (b *Builder) There(ctx context.Context, kind slipway.ItemKind, ref string) (things []slipway.Thing, err error) {
	switch {
	case kind == slipway.ItemBundle:
		if isKey(ref) && removal.Gone(b.dir(ref)) != nil {
			things = append(things, b.bundle(ref))
		}
		return things, nil
	case b.engine == nil:
		return nil, nil
	case isKey(ref):
		return b.images.There(ctx, ref)
	}
	held, err := b.engine.Held(ctx, ref)
	for _, tag := range held {
		things = append(things, slipway.Thing{Kind: slipway.ItemImage, Ref: ref, What: "image " + tag})
	}
	return things, err
}

// halfMade lists folders that are older than any build.
func (b *Builder) halfMade(now time.Time) (things []slipway.Thing, err error) {
	entries, err := os.ReadDir(b.tmp)
	if err != nil && !removal.Absent(err) {
		return nil, fmt.Errorf("look at what builds left: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || now.Sub(info.ModTime()) < unusedFor {
			continue // it has just gone, or may be at work
		}
		things = append(things, slipway.Thing{
			Kind: slipway.ItemBundle, Ref: halfMade + entry.Name(), What: filepath.Join(b.tmp, entry.Name()), Since: info.ModTime().UTC(),
		})
	}
	return things, nil
}

// removeHalfMade takes away what is in nobody's use.
func (b *Builder) removeHalfMade(name string) error {
	if !filepath.IsLocal(name) || name != filepath.Base(name) {
		return errors.New("what builds left has no such name")
	}
	path := filepath.Join(b.tmp, name)
	info, err := os.Lstat(path)
	switch {
	case removal.Absent(err):
		return nil
	case err == nil && time.Since(info.ModTime()) < unusedFor:
		return fmt.Errorf("%s may be a build's that is at work", path)
	}
	return errors.Join(err, durable.Discard(path))
}
