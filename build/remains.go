package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/removal"
)

// halfMade begins the name of what was begun and is none of a build any more. No
// inventory can have it.
const halfMade = "half-made:"

// Remains lists what builds have left: bundles, images that were made here, and
// folders and images that a build did not clear away, which it had no reason to
// keep for so long; images that were fetched, also to build on them, by what was
// written down of it before. What deployments share has no deployment.
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
	made, err1 := b.images.Remains(ctx)
	left, err2 := b.images.Left(ctx)
	fetched, err3 := b.fetched(ctx)
	return slices.Concat(things, made, left, fetched), errors.Join(err1, err2, err3)
}

// fetched lists what was fetched and is held still. That nothing is held of what
// was written down long ago, it forgets.
func (b *Builder) fetched(ctx context.Context) (things []slipway.Thing, err error) {
	pulls, err := b.engine.Pulls.List()
	for _, p := range pulls {
		there, failed := b.There(ctx, slipway.ItemImage, p.Reference)
		for i := range there {
			there[i].Since = p.At
		}
		if things, err = append(things, there...), errors.Join(err, failed); len(there) == 0 && failed == nil && time.Since(p.At) > unusedFor {
			err = errors.Join(err, b.forget(ctx, p))
		}
	}
	return things, err
}

// forget is for a pull of which nothing is left, unless it is fetched again.
func (b *Builder) forget(ctx context.Context, p engine.Pull) error {
	unlock, err := b.locks.Lock(ctx, p.Reference, nil)
	if err != nil {
		return err
	}
	defer unlock()
	if there, err := b.There(ctx, slipway.ItemImage, p.Reference); err != nil || len(there) > 0 {
		return err
	}
	return b.engine.Pulls.Forget(p.Reference)
}

func (b *Builder) bundle(digest string) slipway.Thing {
	path := b.dir(digest)
	return slipway.Thing{Kind: slipway.ItemBundle, Ref: digest, What: path, Since: removal.Since(path)}
}

// There looks for what a request came to, an image that was fetched included. The
// engine is asked for images only.
func (b *Builder) There(ctx context.Context, kind slipway.ItemKind, ref string) (things []slipway.Thing, err error) {
	switch {
	case kind == slipway.ItemBundle:
		if isKey(ref) && removal.Gone(b.dir(ref)) != nil {
			things = append(things, b.bundle(ref))
		}
		return things, nil
	case b.engine == nil:
		return nil, b.unreached(ref)
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
