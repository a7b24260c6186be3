package build_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

func imageRequest(ref string) slipway.BuildRequest {
	return slipway.BuildRequest{Image: ref, RegistryAuth: func(context.Context) (slipway.RegistryAuth, error) {
		return slipway.RegistryAuth{Username: "me", Password: "mine"}, nil
	}}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	e, err := engine.Open(dockertest.Shared(t).Host())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	registry := dockertest.NewRegistry(t)
	registry.Username, registry.Password = "me", "mine"
	digest := registry.Publish(t, "app", "1", []byte("program"))
	dir := t.TempDir()
	b, err := build.Open(build.Options{Dir: dir, Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	request := imageRequest(registry.Host + "/app:1")
	kind, ref := b.Makes(request)
	if kind != slipway.ItemImage || ref != request.Image {
		t.Errorf("makes %s %s", kind, ref)
	}
	var log bytes.Buffer
	a, err := b.Build(t.Context(), request, &log)
	want := slipway.Artefact{Kind: "image", Digest: strings.TrimPrefix(digest, "sha256:"), Image: registry.Host + "/app@" + digest}
	if err != nil || a.Kind != want.Kind || a.Digest != want.Digest || a.Image != want.Image || !a.Built() {
		t.Errorf("%+v, %v, want %+v; it said %s", a, err, want, log.String())
	}
	if launch, err := b.Launch(t.Context(), a); err != nil || len(launch.Args)+len(launch.Env) > 0 {
		t.Errorf("launched by %+v, %v", launch, err)
	}
	if agent := b.Kinds()[a.Kind]; agent.Probe != "/ok" || agent.Exclusive || agent.Start == 0 || agent.Drain == 0 {
		t.Errorf("it runs as %+v", agent)
	}
	blind, err := build.Open(build.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone(t, blind, ref); err == nil || !strings.Contains(err.Error(), "--docker-host") {
		t.Errorf("without the engine it is said to be gone: %v", err)
	}
	defer func() {
		if err := gone(t, blind, ref); err != nil {
			t.Errorf("after it was removed: %v", err)
		}
	}()
	for _, shared := range []bool{true, false, false} {
		removed, err := b.RemoveUnless(t.Context(), kind, ref, func() (bool, error) { return shared, nil })
		has, err2 := e.Has(t.Context(), a.Image)
		if err := errors.Join(err, err2); err != nil || removed == shared || has != shared {
			t.Errorf("shared %v: removed %v, there %v, %v", shared, removed, has, err)
		}
	}
}

// gone removes what there may be of an image, and looks for it.
func gone(t *testing.T, b *build.Builder, ref string) error {
	t.Helper()
	_, err := b.RemoveUnless(t.Context(), slipway.ItemImage, ref, func() (bool, error) { return false, nil })
	there, unseen := b.There(t.Context(), slipway.ItemImage, ref)
	if (err == nil) != (unseen == nil) || len(there) > 0 {
		t.Errorf("removed: %v, there: %v, %v", err, there, unseen)
	}
	return err
}

func TestFetchWithoutEngine(t *testing.T) {
	t.Parallel()
	b, err := build.Open(build.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), imageRequest("app:1"), new(bytes.Buffer))
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != "no_engine" || f.Phase != slipway.PhaseDeploy || !strings.Contains(f.Hint, "--docker-host") {
		t.Errorf("got %#v", err)
	}
	asked := false
	if _, err := b.RemoveUnless(t.Context(), slipway.ItemImage, "app:1", func() (bool, error) { asked = true; return false, nil }); err != nil || !asked {
		t.Errorf("remove: %v, the owner was asked: %v", err, asked)
	}
}
