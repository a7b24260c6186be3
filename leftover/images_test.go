package leftover_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/leftover"
)

// Images that were fetched and that nobody needs any more go. Those that the
// machine's owner pulled, tagged or runs stay, also where they have the same
// repository, and even if they are the same.
func TestFetchedImages(t *testing.T) {
	connection, err := engine.Open(dockertest.Shared(t).Host())
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	connection.Owner = slipway.NewID[string](time.Now())
	b, err := build.Open(build.Options{Dir: t.TempDir(), Engine: connection})
	must(t, err)
	registry := dockertest.NewRegistry(t)
	ref := func(tag string) string { return registry.Host + "/app:" + tag }
	publish := func(tag string) string { // each is another image
		digest := registry.Publish(t, "app", tag, dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin"), "-print="+tag)
		return registry.Host + "/app@" + digest
	}
	images := map[string]string{}
	for _, tag := range []string{"theirs", "needed", "lost", "both", "run", "stopped"} {
		images[tag] = publish(tag)
	}
	pull(t, connection, ref("theirs"))
	for _, tag := range []string{"needed", "lost", "both", "run", "stopped"} {
		_, err := b.Build(t.Context(), slipway.BuildRequest{Image: ref(tag), RegistryAuth: func(context.Context) (slipway.RegistryAuth, error) {
			return slipway.RegistryAuth{}, nil
		}}, io.Discard)
		must(t, err)
	}
	pull(t, connection, ref("both"))
	run(t, connection, "slipway-mine", images["run"])
	stopped, err := connection.ContainerCreate(t.Context(), client.ContainerCreateOptions{Image: images["stopped"]})
	must(t, err)
	t.Cleanup(func() {
		_, err := connection.ContainerRemove(context.Background(), stopped.ID, client.ContainerRemoveOptions{})
		must(t, err)
	})

	nobody := &store{owned: map[string]bool{ref("needed"): true}}
	now := time.Now()
	s := leftover.New(nobody, leftover.Config{Owner: "here", Now: func() time.Time { return now }}, leftover.OfBuilder(b, nobody))
	must(t, s.Scan(t.Context()))
	var told []string
	for _, l := range nobody.told {
		told = append(told, strings.TrimPrefix(l.Ref, registry.Host+"/app:"))
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"both", "lost", "run", "stopped"}) {
		t.Errorf("told of %v", told)
	}
	now = now.Add(73 * time.Hour)
	must(t, s.Scan(t.Context()))
	for _, l := range nobody.told {
		if l.Ref != ref("stopped") && l.Ref != ref("run") || !strings.Contains(l.Kept, "uses image") {
			t.Errorf("left: %+v", l)
		}
	}
	for tag, image := range images {
		if there, err := connection.Has(t.Context(), image); err != nil || there != (tag != "lost") {
			t.Errorf("the image %s is there: %t, %v", tag, there, err)
		}
	}
	for _, tag := range []string{"theirs", "both"} {
		found, err := connection.ImageInspect(t.Context(), ref(tag))
		if err != nil || !slices.Equal(found.RepoTags, []string{ref(tag)}) {
			t.Errorf("the image %s has the tags %v: %v", tag, found.RepoTags, err)
		}
	}
}

func pull(t *testing.T, e *engine.Engine, ref string) {
	t.Helper()
	stream, err := e.ImagePull(t.Context(), ref, client.ImagePullOptions{})
	must(t, err)
	must(t, stream.Wait(t.Context()))
}
