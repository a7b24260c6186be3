package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

// A base that was fetched goes once nothing of ours stands on it, and was not used
// for long; an image of ours without a name goes when it is old and has no container.
// What somebody else has stays: a base that they named, or pulled by its digest, and
// images without a name that are not ours.
func TestImagesThatAreLeft(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	path, err := exec.LookPath("busybox")
	must(t, err)
	busybox, err := os.ReadFile(path)
	must(t, err)
	const local = "base-of-somebody:1"
	e.Import(t, local, map[string][]byte{"bin/sh": busybox}, "ENV PATH=/bin", "LABEL slipway.agent-server=true")
	publish := func(name string) (ref, pinned string) {
		digest := registry.PublishFiles(t, name, "1", map[string][]byte{"bin/sh": busybox, "of": []byte(name)}, map[string]any{
			"Env": []string{"PATH=/bin"}, "Labels": map[string]string{"slipway.agent-server": "true"},
		})
		return registry.Host + "/" + name + ":1", registry.Host + "/" + name + "@" + digest
	}
	ours, oursPinned := publish("ours")
	theirs, theirsPinned := publish("theirs")
	dir, c := data(t), &engine.Engine{Client: e.Client(t)}
	stream, err := c.ImagePull(t.Context(), theirsPinned, client.ImagePullOptions{})
	must(t, err)
	must(t, stream.Wait(t.Context()))

	b, err := build.Open(build.Options{Dir: dir, Engine: c, Owner: t.Name(), Images: &image.Bases{}})
	must(t, err)
	var keys []string
	for _, base := range []string{ours, theirs, local} {
		r := request(t, map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}, "base_image": "` + base + `"}`, "a.ts": "// on " + base})
		r.InstallCommand, r.BuildCommand = "sh -c true", "sh -c true"
		var log lines
		a, err := b.Build(t.Context(), r, &log)
		if err != nil {
			t.Fatalf("%v\n%s", err, &log)
		}
		keys = append(keys, a.Digest)
	}
	// after the builds, each of which clears up
	sum := sha256.Sum256([]byte(t.Name()))
	owned := map[string]string{"slipway.image.owner": hex.EncodeToString(sum[:6])}
	old, used, young := load(t, c, owned, 25*time.Hour), load(t, c, owned, 26*time.Hour), load(t, c, owned, time.Hour)
	made, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{Image: used, Config: &container.Config{Cmd: []string{"/none"}}})
	must(t, err)
	t.Cleanup(func() {
		_, err := c.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{})
		must(t, err)
	})
	stranger, nobodys := load(t, c, map[string]string{"slipway.image.owner": "another"}, 25*time.Hour), load(t, c, nil, 25*time.Hour)

	remain := func(want ...string) {
		t.Helper()
		things, err := b.Remains(t.Context())
		must(t, err)
		var refs []string
		for _, thing := range things {
			refs = append(refs, thing.Ref)
		}
		slices.Sort(refs)
		slices.Sort(want)
		if !slices.Equal(refs, want) {
			t.Errorf("there is %q, want %q", refs, want)
		}
	}
	remove := func(refs ...string) {
		t.Helper()
		for _, ref := range append(refs, refs...) { // the second time there is nothing
			_, err := b.RemoveUnless(t.Context(), slipway.ItemImage, ref, func() (bool, error) { return false, nil })
			must(t, err)
		}
	}
	nameless := "nameless " + old
	remain(append([]string{nameless}, keys...)...)
	remove(keys[0])
	remain(nameless, keys[1], keys[2]) // its base was used just now
	remove("base " + ours)
	age(t, filepath.Join(dir, "fetched", "bases"))
	remain(nameless, keys[1], keys[2], "base "+ours) // the others are stood on
	remove("base "+local, "nameless "+used, "nameless "+young, "nameless "+stranger)
	remove(keys[1:]...)
	remain(nameless, "base "+ours, "base "+local)
	remove(nameless, "base "+ours, "base "+local)
	remain()
	for name, want := range map[string]bool{
		oursPinned: false, old: false,
		theirsPinned: true, local: true, used: true, young: true, stranger: true, nobodys: true,
	} {
		if has, err := c.Has(t.Context(), name); has != want || err != nil {
			t.Errorf("%s is there: %v, %v", name, has, err)
		}
	}
	found, err := c.ImageInspect(t.Context(), local)
	if must(t, err); !slices.Equal(found.RepoTags, []string{local}) {
		t.Errorf("somebody's base has the names %q", found.RepoTags)
	}
	if known, _ := filepath.Glob(filepath.Join(dir, "fetched", "bases", "*")); len(known) > 0 {
		t.Errorf("still written down: %q", known)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// age makes files seem to be of the day before yesterday.
func age(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("nothing is in %s", dir)
	}
	at := time.Now().Add(-48 * time.Hour)
	for _, file := range files {
		must(t, os.Chtimes(file, at, at))
	}
}

// load has an engine hold an image without a name that was made a while ago.
func load(t *testing.T, e *engine.Engine, labels map[string]string, ago time.Duration) (id string) {
	t.Helper()
	var layer bytes.Buffer
	pack(t, &layer, map[string][]byte{"of": []byte(t.Name() + ago.String())})
	sum := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "created": time.Now().Add(-ago).UTC(), "config": map[string]any{"Labels": labels},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	must(t, err)
	of := sha256.Sum256(config)
	name := hex.EncodeToString(of[:])
	manifest, err := json.Marshal([]map[string]any{{"Config": name + ".json", "Layers": []string{"layer.tar"}}})
	must(t, err)
	var archive bytes.Buffer
	pack(t, &archive, map[string][]byte{name + ".json": config, "layer.tar": layer.Bytes(), "manifest.json": manifest})
	said, err := e.ImageLoad(t.Context(), &archive)
	must(t, err)
	defer said.Close()
	_, err = io.Copy(io.Discard, said)
	must(t, err)
	id = "sha256:" + name
	t.Cleanup(func() { _, _ = e.ImageRemove(context.Background(), id, client.ImageRemoveOptions{}) })
	if has, err := e.Has(t.Context(), id); !has || err != nil {
		t.Fatalf("the image that was loaded is there: %v, %v", has, err)
	}
	return id
}

func pack(t *testing.T, to io.Writer, files map[string][]byte) {
	t.Helper()
	w := tar.NewWriter(to)
	for name, content := range files {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		must(t, err)
	}
	must(t, w.Close())
}
