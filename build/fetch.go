package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/engine"
)

// fetch has the engine hold the image of a request, and pins it.
func (b *Builder) fetch(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	if b.engine == nil {
		return slipway.Artefact{}, engine.NoEngine()
	}
	unlock, err := b.locks.Lock(ctx, r.Image, func() { fmt.Fprintln(log, "Waiting: the same image is being fetched") })
	if err != nil {
		return slipway.Artefact{}, err
	}
	defer unlock()
	auth, err := r.RegistryAuth(ctx)
	if err != nil {
		return slipway.Artefact{}, err
	}
	fetched, err := b.engine.Fetch(ctx, r.Image, auth, log)
	if err != nil {
		return slipway.Artefact{}, err
	}
	fmt.Fprintf(log, "Fetched %s: %s\n", r.Image, fetched.Name)
	env, err := b.engine.Env(ctx, fetched.Name)
	if err != nil {
		return slipway.Artefact{}, err
	}
	return slipway.Artefact{
		Kind: image.KindOf(env), Digest: fetched.Digest, Image: fetched.Name,
		TakesKeys: slices.Contains(env, slipway.AuthVariable+"="+slipway.AuthLangSmith),
	}, nil
}

// removeImage gives up what was fetched by a reference, or made for a key.
func (b *Builder) removeImage(ctx context.Context, ref string, shared func() (bool, error)) (removed bool, err error) {
	unlock, err := b.locks.Lock(ctx, ref, nil)
	if err != nil {
		return false, err
	}
	defer unlock()
	if needed, err := shared(); needed || err != nil {
		return false, err
	}
	if b.engine == nil {
		return false, b.unreached(ref)
	}
	if image.IsLeft(ref) {
		return true, b.images.RemoveLeft(ctx, ref)
	}
	if isKey(ref) {
		return true, errors.Join(b.images.Remove(ctx, ref), b.made().Forget(ref))
	}
	return true, b.engine.Remove(ctx, ref)
}

// unreached fails if there may be something of a reference in an engine that this
// server does not know any more: what there is can neither be removed nor be looked
// for. What was only planned never came to one.
func (b *Builder) unreached(ref string) error {
	known := b.pulls
	if isKey(ref) {
		known = b.made()
	}
	was, err := known.Expects(ref)
	if err == nil && was {
		err = errors.New("the engine that it is in is not known any more: start Slipway with --docker-host, as when it came there")
	}
	return err
}
