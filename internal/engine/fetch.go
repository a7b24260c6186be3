package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
)

// Image is an image that the engine holds.
type Image struct {
	Name   string // what runs it, whatever becomes of tags: repository@sha256:… or sha256:…
	Digest string // hex
}

// Fetch has the engine hold the image that a reference names now, and pins it.
// What the engine has and no registry gives is used as it is. Log gets lines.
//
// The image gets a tag of ours beside its own, so that it stays when a name is
// given to another, and so that Remove finds it. Tags that others gave are
// neither moved nor removed. One that somebody else pulled, and that has no tag,
// gets none of ours either: it would go with it.
func (e *Engine) Fetch(ctx context.Context, ref string, auth slipway.RegistryAuth, log io.Writer) (Image, error) {
	name, err := parse(ref)
	if err != nil {
		return Image{}, err
	}
	if err := e.Pulls.note(ref, ""); err != nil {
		return Image{}, err
	}
	image, err := e.fetch(ctx, name, auth, func(pinned string) error { return e.Pulls.note(ref, pinned) }, log)
	if err == nil {
		err = e.keep(ctx, name, image)
	}
	return image, e.Explain(err)
}

func parse(ref string) (reference.Named, error) {
	name, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, failure("bad_reference", fmt.Sprintf("%q does not name an image: %v.", ref, err), "Write it as registry/repository:tag or registry/repository@sha256:….")
	}
	return reference.TagNameOnly(name), nil
}

// fetch has note called with what is pulled, before it is.
func (e *Engine) fetch(ctx context.Context, name reference.Named, auth slipway.RegistryAuth, note func(pinned string) error, log io.Writer) (Image, error) {
	secret, err := e.secretFor(ctx, name, auth)
	if err != nil {
		return Image{}, err
	}
	pinned, err := e.resolve(ctx, name, secret)
	if err != nil {
		return e.local(ctx, name, explain(name, err), log)
	}
	if has, err := e.Has(ctx, pinned.String()); has || err != nil {
		fmt.Fprintf(log, "Image %s is there\n", reference.FamiliarString(pinned))
		return imageOf(pinned), err
	}
	if err := note(imageOf(pinned).Name); err != nil {
		return Image{}, err
	}
	if err := e.pull(ctx, pinned, secret, log); err != nil {
		return Image{}, explain(name, err)
	}
	return imageOf(pinned), nil
}

func imageOf(pinned reference.Canonical) Image {
	return Image{Name: reference.FamiliarString(pinned), Digest: pinned.Digest().Encoded()}
}

// resolve asks the registry which image a tag names.
func (e *Engine) resolve(ctx context.Context, name reference.Named, secret string) (reference.Canonical, error) {
	if pinned, ok := name.(reference.Canonical); ok {
		return reference.WithDigest(reference.TrimNamed(pinned), pinned.Digest()) // a tag beside it counts for nothing
	}
	found, err := e.DistributionInspect(ctx, name.String(), client.DistributionInspectOptions{EncodedRegistryAuth: secret})
	if err != nil {
		return nil, err
	}
	return reference.WithDigest(reference.TrimNamed(name), found.Descriptor.Digest)
}

func (e *Engine) pull(ctx context.Context, pinned reference.Canonical, secret string, log io.Writer) error {
	fmt.Fprintf(log, "Pulling %s\n", reference.FamiliarString(pinned))
	stream, err := e.ImagePull(ctx, pinned.String(), client.ImagePullOptions{RegistryAuth: secret})
	if err != nil {
		return err
	}
	for m, err := range stream.JSONMessages(ctx) {
		switch {
		case err != nil:
			return err
		case m.Error != nil:
			return m.Error
		case said(m):
			fmt.Fprintln(log, strings.TrimPrefix(m.ID+": "+m.Status, ": "))
		}
	}
	return ctx.Err()
}

// said tells what is worth a line from what repeats itself.
func said(m jsonstream.Message) bool {
	return m.Status == "Pull complete" || m.Status == "Already exists" || strings.HasPrefix(m.Status, "Status: ")
}

// local takes an image that the engine has, though no registry gave it. A
// registry that is named and could not be asked is asked again instead: it may
// have a newer one.
func (e *Engine) local(ctx context.Context, name reference.Named, cause error, log io.Writer) (Image, error) {
	_, final := errors.AsType[*slipway.Failure](cause)
	if !final && reference.Domain(name) != dockerHub {
		return Image{}, cause
	}
	image, err := e.ImageInspect(ctx, name.String())
	if err != nil {
		return Image{}, cmp.Or(unlessNotFound(err), cause)
	}
	fmt.Fprintf(log, "Using the image %s that the engine has: %v\n", reference.FamiliarString(name), cause)
	_, digest, _ := strings.Cut(image.ID, ":")
	return Image{Name: image.ID, Digest: digest}, nil
}

// dockerHub is the registry of names that name none, as those of images do that
// were only built.
const dockerHub = "docker.io"

func unlessNotFound(err error) error {
	if NotFound(err) {
		return nil
	}
	return err
}

// explain makes failures of what only the owner of the image or of the engine
// can mend. What a registry says in words is told apart by them: the engine
// passes most of it on as errors of its own.
func explain(name reference.Named, err error) error {
	ref, text := reference.FamiliarString(name), err.Error()
	switch {
	case client.IsErrConnectionFailed(err):
		return err
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err), contains(text, "unauthorized", "denied", "no basic auth"):
		return failure("image_denied", fmt.Sprintf("The registry does not give image %s: %v.", ref, err),
			"It may not exist, or be private: push it to the registry of this server, or start that with a login (slipway server --registry-config).")
	case errdefs.IsNotFound(err), contains(text, "manifest unknown", "not found", "name unknown"):
		return failure("image_not_found", fmt.Sprintf("There is no image %s: %v.", ref, err), "Check its name and tag, and that it has been pushed.")
	case contains(text, "no matching manifest"):
		return failure("wrong_platform", fmt.Sprintf("Image %s is not made for this machine: %v.", ref, err), "Build it for the engine's platform, with docker build --platform.")
	case contains(text, "no space left"):
		return failure("disk_full", fmt.Sprintf("The engine's disk is full: %v.", err), "Free space in it, for example with docker image prune, then deploy again.")
	case contains(text, "server gave HTTP response to HTTPS client"):
		return failure("registry_insecure", fmt.Sprintf("The registry of image %s speaks plain HTTP: %v.", ref, err), "List it under insecure-registries in the engine's daemon.json, or give it a certificate.")
	}
	return fmt.Errorf("fetch image %s: %w", ref, err)
}

func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func failure(code, message, hint string) *slipway.Failure {
	return &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "fetch", Code: code, Message: message, Hint: hint}
}

// Env is what an image gives its containers, as NAME=value.
func (e *Engine) Env(ctx context.Context, image string) ([]string, error) {
	found, err := e.ImageInspect(ctx, image)
	if err != nil {
		return nil, e.Explain(err)
	}
	if found.Config == nil {
		return nil, nil
	}
	return found.Config.Env, nil
}
