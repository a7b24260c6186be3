package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
)

// keep gives an image our tag.
func (e *Engine) keep(ctx context.Context, name reference.Named, image Image) error {
	_, err := e.ImageTag(ctx, client.ImageTagOptions{Source: image.Name, Target: e.prefix(name) + image.Digest[:12]})
	if err != nil {
		return fmt.Errorf("tag image %s: %w", image.Name, err)
	}
	return nil
}

// prefix begins the tags that we give to images which were fetched by a name.
// They lie in its own repository: the engine forgets the digest of an image with
// the last tag of its repository.
func (e *Engine) prefix(name reference.Named) string {
	sum := sha256.Sum256([]byte(e.Owner + " " + name.String()))
	return reference.FamiliarName(name) + ":slipway-" + hex.EncodeToString(sum[:6]) + "-"
}

// Remove gives up all that was fetched by a reference. What nobody else holds by
// a tag is removed with it; a container that still uses it keeps it. It returns
// when it has seen that we hold it no more.
func (e *Engine) Remove(ctx context.Context, ref string) error {
	if err := e.remove(ctx, ref, ""); err != nil {
		return err
	}
	held, err := e.Held(ctx, ref)
	if err == nil && len(held) > 0 {
		err = fmt.Errorf("image %s is left", held[0])
	}
	return err
}

// Held lists the tags by which we hold what was fetched by a reference.
func (e *Engine) Held(ctx context.Context, ref string) (tags []string, err error) {
	name, err := parse(ref)
	if err != nil {
		return nil, nil // then nothing was fetched by it
	}
	found, err := e.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", e.prefix(name)+"*")})
	for _, image := range found.Items {
		for _, tag := range image.RepoTags {
			if strings.HasPrefix(tag, e.prefix(name)) {
				tags = append(tags, tag)
			}
		}
	}
	if err != nil {
		return nil, e.Explain(fmt.Errorf("list images: %w", err))
	}
	return tags, nil
}

// RemoveOlder gives up what was fetched by a reference before an image was.
func (e *Engine) RemoveOlder(ctx context.Context, ref string, than Image) error {
	return e.remove(ctx, ref, than.Digest[:12])
}

// remove takes away our tags but the one that ends in keep.
func (e *Engine) remove(ctx context.Context, ref, keep string) error {
	held, err := e.Held(ctx, ref)
	for _, tag := range held {
		if keep == "" || !strings.HasSuffix(tag, "-"+keep) {
			err = errors.Join(err, e.untag(ctx, tag))
		}
	}
	return e.Explain(err)
}

// untag removes a tag, and with the last one the image. That a container of
// somebody else runs it is a conflict only after the tag is gone.
func (e *Engine) untag(ctx context.Context, tag string) error {
	_, err := e.ImageRemove(ctx, tag, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err != nil && !NotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("remove image %s: %w", tag, err)
	}
	return nil
}
