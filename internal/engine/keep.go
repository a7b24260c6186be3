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
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// keep gives an image our tag, unless it is somebody else's who gave it none.
func (e *Engine) keep(ctx context.Context, name reference.Named, image Image) error {
	if foreign, err := e.foreign(ctx, image); foreign || err != nil {
		return err
	}
	_, err := e.ImageTag(ctx, client.ImageTagOptions{Source: image.Name, Target: e.prefix(name) + image.Digest[:12]})
	if err != nil {
		return fmt.Errorf("tag image %s: %w", image.Name, err)
	}
	return nil
}

// foreign says whether an image was there before, by its digest alone.
func (e *Engine) foreign(ctx context.Context, image Image) (bool, error) {
	if e.Pulls == "" {
		return false, nil
	}
	found, err := e.ImageInspect(ctx, image.Name)
	if err != nil || len(found.RepoTags) > 0 {
		return false, err
	}
	ours, err := e.Pulls.pulled(image.Name)
	return !ours, err
}

// prefix begins the tags that we give to images which were fetched by a name.
// They lie in its own repository: the engine forgets the digest of an image with
// the last tag of its repository.
func (e *Engine) prefix(name reference.Named) string {
	sum := sha256.Sum256([]byte(e.Owner + " " + name.String()))
	return reference.FamiliarName(name) + ":slipway-" + hex.EncodeToString(sum[:6]) + "-"
}

// Remove gives up all that was fetched by a reference. What nobody else holds by
// a tag is removed with it, unless a container uses it: then it is held until that
// is gone, or somebody has given it a tag. It returns when it has seen that we hold
// it no more.
func (e *Engine) Remove(ctx context.Context, ref string) error {
	if err := e.remove(ctx, ref, ""); err != nil {
		return err
	}
	untagged, err := e.untagged(ctx, ref)
	for _, image := range untagged {
		if _, failed := e.ImageRemove(ctx, image, client.ImageRemoveOptions{PruneChildren: true}); failed != nil && !NotFound(failed) {
			err = errors.Join(err, fmt.Errorf("remove image %s: %w", image, failed))
		}
	}
	if err != nil {
		return e.Explain(err)
	}
	held, err := e.Held(ctx, ref)
	switch {
	case err != nil:
		return err
	case len(held) > 0:
		return fmt.Errorf("image %s is left", held[0])
	}
	return e.Pulls.Forget(ref)
}

// Held lists what we hold of what was fetched by a reference: the tags of ours,
// and images that got none since a death came between.
func (e *Engine) Held(ctx context.Context, ref string) ([]string, error) {
	tags, err := e.tags(ctx, ref)
	if err != nil {
		return nil, err
	}
	untagged, err := e.untagged(ctx, ref)
	return append(tags, untagged...), e.Explain(err)
}

// untagged lists the images that were pulled for a reference and got no tag: not of
// ours, nor of anybody. One that a container runs on is its owner's by now.
func (e *Engine) untagged(ctx context.Context, ref string) (images []string, err error) {
	known, err := e.Pulls.of(ref)
	if err != nil {
		return nil, err
	}
	for _, image := range known.Images {
		found, err := e.ImageInspect(ctx, image)
		switch {
		case NotFound(err), err == nil && len(found.RepoTags) > 0:
			continue
		case err != nil:
			return nil, err
		}
		users, err := e.Users(ctx, found.ID)
		if err != nil {
			return nil, err
		}
		if len(users) == 0 {
			images = append(images, image)
		}
	}
	return images, nil
}

// Users lists the containers on an image, whether or not they run.
func (e *Engine) Users(ctx context.Context, image string) ([]container.Summary, error) {
	found, err := e.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("ancestor", image)})
	return found.Items, err
}

// tags lists the tags by which we hold what was fetched by a reference.
func (e *Engine) tags(ctx context.Context, ref string) (tags []string, err error) {
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
	held, err := e.tags(ctx, ref)
	for _, tag := range held {
		if keep == "" || !strings.HasSuffix(tag, "-"+keep) {
			err = errors.Join(err, e.untag(ctx, tag))
		}
	}
	return e.Explain(err)
}

// untag removes a tag, and with the last one the image. Of a base that a container
// runs it is a conflict only after the tag is gone.
func (e *Engine) untag(ctx context.Context, tag string) error {
	if err := e.lastOfSomebody(ctx, tag); err != nil {
		return err
	}
	_, err := e.ImageRemove(ctx, tag, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err != nil && !NotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("remove image %s: %w", tag, err)
	}
	return nil
}

// lastOfSomebody refuses to take the last name of an image that was fetched from a
// container: it would lose the image with it if it does not run, and its name if it
// does.
func (e *Engine) lastOfSomebody(ctx context.Context, tag string) error {
	if e.Pulls == "" {
		return nil
	}
	found, err := e.ImageInspect(ctx, tag)
	if NotFound(err) {
		return nil
	}
	if err != nil || len(found.RepoTags) > 1 {
		return err
	}
	users, err := e.Users(ctx, found.ID)
	if err != nil || len(users) == 0 {
		return err
	}
	return fmt.Errorf("the container %s uses image %s: remove the container, or give the image a tag of your own", strings.TrimPrefix(strings.Join(users[0].Names, ""), "/"), tag)
}
