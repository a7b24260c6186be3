package engine_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

// remembering is an engine that remembers what it fetched, and a registry for it.
func remembering(t *testing.T) (*engine.Engine, *dockertest.Registry) {
	t.Helper()
	e, r := open(t)
	e.Pulls = engine.Pulls(filepath.Join(t.TempDir(), "fetched"))
	return e, r
}

// pull is somebody else's.
func pull(t *testing.T, e *engine.Engine, ref string) {
	t.Helper()
	stream, err := e.ImagePull(t.Context(), ref, client.ImagePullOptions{})
	if err == nil {
		err = stream.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hold makes a container on an image.
func hold(t *testing.T, e *engine.Engine, image string) (id string) {
	t.Helper()
	made, err := e.ContainerCreate(t.Context(), client.ContainerCreateOptions{Image: image})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { release(t, e, made.ID) })
	return made.ID
}

func release(t *testing.T, e *engine.Engine, container string) {
	t.Helper()
	if _, err := e.ContainerRemove(context.Background(), container, client.ContainerRemoveOptions{Force: true}); err != nil && !engine.NotFound(err) {
		t.Error(err)
	}
}

func holds(t *testing.T, e *engine.Engine, ref string, want ...string) {
	t.Helper()
	held, err := e.Held(t.Context(), ref)
	if err != nil || !slices.Equal(held, want) {
		t.Errorf("held: %v, %v, want %v", held, err, want)
	}
}

func known(t *testing.T, e *engine.Engine) (refs []string) {
	t.Helper()
	all, err := e.Pulls.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.At.IsZero() {
			t.Errorf("it is not known when %s was fetched", p.Reference)
		}
		refs = append(refs, p.Reference)
	}
	return refs
}

// What a death left between a pull and our tag is ours, until somebody uses it.
func TestPulledAndNotTagged(t *testing.T) {
	e, r := remembering(t)
	ref := r.Host + "/app:1"
	r.Publish(t, "app", "1", dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin"))
	image, _ := fetch(t, e, ref, slipway.RegistryAuth{})
	if got := known(t, e); !slices.Equal(got, []string{ref}) {
		t.Fatalf("known: %v", got)
	}
	if _, err := e.ImageRemove(t.Context(), tags(t, e, image.Name)[0], client.ImageRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	pull(t, e, image.Name)
	holds(t, e, ref, image.Name)
	c := hold(t, e, image.Name)
	holds(t, e, ref)
	release(t, e, c)
	fetch(t, e, ref, slipway.RegistryAuth{}) // as the next try does
	if got := tags(t, e, image.Name); len(got) != 1 {
		t.Errorf("the next try has given it the tags %v", got)
	}
	if _, err := e.ImageRemove(t.Context(), tags(t, e, image.Name)[0], client.ImageRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	pull(t, e, image.Name)
	for range 2 {
		if err := e.Remove(t.Context(), ref); err != nil || has(t, e, image.Name) || len(known(t, e)) > 0 {
			t.Errorf("removed: %v, there: %v, known: %v", err, has(t, e, image.Name), known(t, e))
		}
	}
}

// What somebody pulled before, by its digest alone, is theirs: it does not go with
// us.
func TestPulledBySomebody(t *testing.T) {
	e, r := remembering(t)
	digest := r.Publish(t, "app", "1", []byte("theirs"))
	pull(t, e, r.Host+"/app@"+digest)
	image, _ := fetch(t, e, r.Host+"/app:1", slipway.RegistryAuth{})
	if got := tags(t, e, image.Name); len(got) > 0 {
		t.Errorf("it was given the tags %v", got)
	}
	if err := e.Remove(t.Context(), r.Host+"/app:1"); err != nil || !has(t, e, image.Name) {
		t.Errorf("removed: %v, theirs is there: %v", err, has(t, e, image.Name))
	}
}

// A container of somebody would lose its image with our tag, or the image's name if
// it runs.
func TestRemoveUnderContainer(t *testing.T) {
	for name, runs := range map[string]bool{"that runs": true, "that does not run": false} {
		t.Run(name, func(t *testing.T) {
			e, r := remembering(t)
			ref := r.Host + "/app:1"
			r.Publish(t, "app", "1", dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin"), "-mute", "-print="+name)
			image, _ := fetch(t, e, ref, slipway.RegistryAuth{})
			c := hold(t, e, image.Name)
			if runs {
				if _, err := e.ContainerStart(t.Context(), c, client.ContainerStartOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			keepsItsImage(t, e, r, ref, image)
		})
	}
}

func keepsItsImage(t *testing.T, e *engine.Engine, r *dockertest.Registry, ref string, image engine.Image) {
	t.Helper()
	if err := e.Remove(t.Context(), ref); err == nil || !strings.Contains(err.Error(), "uses image") || !has(t, e, image.Name) || len(known(t, e)) != 1 {
		t.Errorf("removed: %v, there: %v", err, has(t, e, image.Name))
	}
	mine := r.Host + "/app:mine"
	if _, err := e.ImageTag(t.Context(), client.ImageTagOptions{Source: image.Name, Target: mine}); err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(t.Context(), ref); err != nil || !slices.Equal(tags(t, e, mine), []string{mine}) {
		t.Errorf("removed: %v, left: %v", err, tags(t, e, mine))
	}
}
