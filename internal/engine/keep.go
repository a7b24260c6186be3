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
// a tag is removed with it; a container that still uses it keeps it.
func (e *Engine) Remove(ctx context.Context, ref string) error { return e.remove(ctx, ref, "") }

// RemoveOlder gives up what was fetched by a reference before an image was.
func (e *Engine) RemoveOlder(ctx context.Context, ref string, than Image) error {
	return e.remove(ctx, ref, than.Digest[:12])
}

// remove takes away our tags but the one that ends in keep.
func (e *Engine) remove(ctx context.Context, ref, keep string) error {
	name, err := parse(ref)
	if err != nil {
		return nil // then nothing was fetched by it
	}
	found, err := e.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", e.prefix(name)+"*")})
	if err != nil {
		return e.Explain(fmt.Errorf("list images: %w", err))
	}
	for _, image := range found.Items {
		for _, tag := range image.RepoTags {
			if ours, found := strings.CutPrefix(tag, e.prefix(name)); found && ours != keep {
				err = errors.Join(err, e.untag(ctx, tag))
			}
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
