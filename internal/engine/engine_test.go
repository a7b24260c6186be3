package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

// open returns a client of the tests' engine, and a registry for it.
func open(t *testing.T) (*engine.Engine, *dockertest.Registry) {
	t.Helper()
	e, err := engine.Open(dockertest.Shared(t).Host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, dockertest.NewRegistry(t)
}

func fetch(t *testing.T, e *engine.Engine, ref string, auth slipway.RegistryAuth) (engine.Image, string) {
	t.Helper()
	var log bytes.Buffer
	image, err := e.Fetch(t.Context(), ref, auth, &log)
	if err != nil {
		t.Fatalf("fetch %s: %v\n%s", ref, err, log.String())
	}
	return image, log.String()
}

// tags lists the names of an image, without those that begin with a digest.
func tags(t *testing.T, e *engine.Engine, image string) []string {
	t.Helper()
	found, err := e.ImageInspect(t.Context(), image)
	if engine.NotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return found.RepoTags
}

func has(t *testing.T, e *engine.Engine, image string) bool {
	t.Helper()
	has, err := e.Has(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	return has
}

// What a tag names is pinned when it is fetched: whoever takes the tag later
// does not change what runs.
func TestFetchPins(t *testing.T) {
	e, r := open(t)
	ref := r.Host + "/team/app:latest"
	first := r.Publish(t, "team/app", "latest", []byte("first"))
	one, log := fetch(t, e, ref, slipway.RegistryAuth{})
	if one.Name != r.Host+"/team/app@"+first || "sha256:"+one.Digest != first {
		t.Errorf("fetched %+v, want %s", one, first)
	}
	if !strings.Contains(log, "Pulling "+one.Name) {
		t.Errorf("it said %q", log)
	}
	if _, log = fetch(t, e, ref, slipway.RegistryAuth{}); strings.Contains(log, "Pulling") {
		t.Errorf("it pulled again: %q", log)
	}
	second := r.Publish(t, "team/app", "latest", []byte("second"))
	two, _ := fetch(t, e, ref, slipway.RegistryAuth{})
	if "sha256:"+two.Digest != second || !has(t, e, one.Name) {
		t.Errorf("then %+v, want %s, and the first is there: %v", two, second, has(t, e, one.Name))
	}
	byDigest, _ := fetch(t, e, one.Name, slipway.RegistryAuth{})
	if byDigest != one {
		t.Errorf("by its digest %+v, want %+v", byDigest, one)
	}
}

// Remove gives up what was fetched by a reference, and nothing else.
func TestRemove(t *testing.T) {
	e, r := open(t)
	r.Publish(t, "app", "one", []byte("same"))
	r.Publish(t, "app", "two", []byte("same"))
	image, _ := fetch(t, e, r.Host+"/app:one", slipway.RegistryAuth{})
	fetch(t, e, r.Host+"/app:two", slipway.RegistryAuth{})
	if got := tags(t, e, image.Name); len(got) != 2 {
		t.Fatalf("it is held by %v", got)
	}
	mine := r.Host + "/app:mine"
	if _, err := e.ImageTag(t.Context(), client.ImageTagOptions{Source: image.Name, Target: mine}); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{r.Host + "/app:one", r.Host + "/app:two", r.Host + "/app:two", "Not A Name"} {
		if err := e.Remove(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if got := tags(t, e, mine); !strings.Contains(strings.Join(got, " "), mine) {
			t.Fatalf("a tag of somebody else went: %v", got)
		}
	}
	if got := tags(t, e, mine); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
	if _, err := e.ImageRemove(t.Context(), mine, client.ImageRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	fetch(t, e, r.Host+"/app:one", slipway.RegistryAuth{})
	if err := e.Remove(t.Context(), r.Host+"/app:one"); err != nil {
		t.Fatal(err)
	}
	if has(t, e, image.Name) {
		t.Errorf("%s is still there, as %v", image.Name, tags(t, e, image.Name))
	}
}

// Of what a tag has named, only what it names now is kept.
func TestRemoveOlder(t *testing.T) {
	e, r := open(t)
	ref := r.Host + "/base:1"
	var images []engine.Image
	for _, content := range []string{"first", "second", "third"} {
		r.Publish(t, "base", "1", []byte(content))
		image, _ := fetch(t, e, ref, slipway.RegistryAuth{})
		images = append(images, image)
	}
	if err := e.RemoveOlder(t.Context(), ref, images[2]); err != nil {
		t.Fatal(err)
	}
	if has(t, e, images[0].Name) || has(t, e, images[1].Name) || !has(t, e, images[2].Name) {
		t.Error("not the last one alone is there")
	}
}

// Installations that share an engine do not take images from each other.
func TestRemoveOfOneOwner(t *testing.T) {
	e, r := open(t)
	other := *e
	e.Owner, other.Owner = "one", "another"
	r.Publish(t, "app", "1", []byte("shared"))
	ref := r.Host + "/app:1"
	image, _ := fetch(t, e, ref, slipway.RegistryAuth{})
	fetch(t, &other, ref, slipway.RegistryAuth{})
	for n, remove := range []func(context.Context, string) error{e.Remove, other.Remove} {
		if err := remove(t.Context(), ref); err != nil || has(t, e, image.Name) != (n == 0) {
			t.Errorf("removal %d: %v, there: %v", n, err, has(t, e, image.Name))
		}
	}
}

// A container of somebody else keeps the image, but not us.
func TestRemoveInUse(t *testing.T) {
	e, r := open(t)
	r.Publish(t, "app", "1", dockertest.Program(t, "github.com/slipwayhq/slipway/driver/drivertest/standin"), "-mute")
	image, _ := fetch(t, e, r.Host+"/app:1", slipway.RegistryAuth{})
	made, err := e.ContainerCreate(t.Context(), client.ContainerCreateOptions{Image: image.Name})
	if err == nil {
		_, err = e.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{Force: true})
	if err := e.Remove(t.Context(), r.Host+"/app:1"); err != nil {
		t.Error(err)
	}
	if got := tags(t, e, image.Name); len(got) > 0 {
		t.Errorf("held by %v", got)
	}
	if c, err := e.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{}); err != nil || !c.Container.State.Running {
		t.Errorf("the container: %v", err)
	}
}

func TestFetchWithCredentials(t *testing.T) {
	e, r := open(t)
	r.Username, r.Password = "oauth2accesstoken", "canary-of-a-token"
	digest := r.Publish(t, "private", "1", []byte("private"))
	ref := r.Host + "/private:1"
	image, log := fetch(t, e, ref, slipway.RegistryAuth{Username: r.Username, Password: r.Password})
	if "sha256:"+image.Digest != digest || strings.Contains(log, "canary") {
		t.Errorf("fetched %+v: %s", image, log)
	}
	for _, auth := range []slipway.RegistryAuth{{}, {Username: r.Username, Password: "canary-that-is-wrong"}} {
		_, err := e.Fetch(t.Context(), r.Host+"/private:2", auth, new(bytes.Buffer))
		f := failure(t, err, "image_denied")
		if strings.Contains(f.Message, "canary") {
			t.Errorf("the password is in %q", f.Message)
		}
	}
}

// logins is a file of Docker's with that content.
func logins(t *testing.T, content string) engine.Logins {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return engine.Logins(path)
}

func inClear(r *dockertest.Registry) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.Host, base64.StdEncoding.EncodeToString([]byte(r.Username+":"+r.Password)))
}

// The server's own login goes to the registry that it is for, to no other, and not
// where a revision has one of its own. It is read each time.
func TestFetchWithLogins(t *testing.T) {
	e, r := open(t)
	other := dockertest.NewRegistry(t)
	r.Username, r.Password = "me", "canary-of-a-password"
	helper := filepath.Join(t.TempDir(), "docker-credential-test")
	said := fmt.Sprintf("#!/bin/sh\nread host\n[ \"$1 $host\" = 'get %s' ] && echo '{\"Username\": %q, \"Secret\": %q}'\n", r.Host, r.Username, r.Password)
	if err := os.WriteFile(helper, []byte(said), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(helper)+":"+os.Getenv("PATH"))
	for name, content := range map[string]string{
		"in clear":  inClear(r),
		"by helper": fmt.Sprintf(`{"credHelpers": {%q: "test"}}`, r.Host),
	} {
		t.Run(name, func(t *testing.T) {
			digest := r.Publish(t, "private", name[:2], []byte("private "+name))
			e.Logins = logins(t, content)
			if image, log := fetch(t, e, r.Host+"/private:"+name[:2], slipway.RegistryAuth{}); "sha256:"+image.Digest != digest || strings.Contains(log, "canary") {
				t.Errorf("fetched %+v: %s", image, log)
			}
			other.Publish(t, "open", name[:2], []byte("open "+name))
			fetch(t, e, other.Host+"/open:"+name[:2], slipway.RegistryAuth{}) // it refuses a login
			_, err := e.Fetch(t.Context(), r.Host+"/private:none", slipway.RegistryAuth{Username: "revision", Password: "wrong"}, new(bytes.Buffer))
			failure(t, err, "image_denied")
		})
	}
	r.Publish(t, "private", "later", []byte("later"))
	e.Logins = logins(t, `{}`)
	_, err := e.Fetch(t.Context(), r.Host+"/private:later", slipway.RegistryAuth{}, new(bytes.Buffer))
	failure(t, err, "image_denied")
	if err := os.WriteFile(string(e.Logins), []byte(inClear(r)), 0o600); err != nil {
		t.Fatal(err)
	}
	fetch(t, e, r.Host+"/private:later", slipway.RegistryAuth{})
}

func TestLoginsThatCanNotBeRead(t *testing.T) {
	if err := engine.Logins("").Check(); err != nil {
		t.Error(err)
	}
	e, r := open(t)
	for name, l := range map[string]engine.Logins{"no file": engine.Logins(filepath.Join(t.TempDir(), "none")), "no JSON": logins(t, "auths:")} {
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), string(l)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e.Logins = logins(t, fmt.Sprintf(`{"credHelpers": {%q: "not-to-be-found"}}`, r.Host))
	if err := e.Logins.Check(); err != nil {
		t.Error(err)
	}
	_, err := e.Fetch(t.Context(), r.Host+"/private:1", slipway.RegistryAuth{}, new(bytes.Buffer))
	if f := failure(t, err, "image_denied"); !strings.Contains(f.Message, "not-to-be-found") {
		t.Error(f.Message)
	}
}

func failure(t *testing.T, err error, code string) *slipway.Failure {
	t.Helper()
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != code || f.Phase != slipway.PhaseDeploy || f.Step != "fetch" || f.Hint == "" {
		t.Fatalf("got %#v (%v), want a failure %s", err, err, code)
	}
	return f
}

func TestFetchFails(t *testing.T) {
	e, r := open(t)
	for ref, code := range map[string]string{
		r.Host + "/nobody/knows:1":                                 "image_not_found",
		r.Host + "/nobody/knows@sha256:" + strings.Repeat("0", 64): "image_not_found",
		"Not A Name": "bad_reference",
	} {
		_, err := e.Fetch(t.Context(), ref, slipway.RegistryAuth{}, new(bytes.Buffer))
		if f := failure(t, err, code); !strings.Contains(f.Message, strings.SplitN(ref, "@", 2)[0]) {
			t.Errorf("the image is not named: %s", f.Message)
		}
	}
	gone := dockertest.NewRegistry(t)
	gone.Host = "127.0.0.1:1"
	_, err := e.Fetch(t.Context(), gone.Host+"/app:1", slipway.RegistryAuth{}, new(bytes.Buffer))
	if _, final := errors.AsType[*slipway.Failure](err); err == nil || final {
		t.Errorf("a registry that does not answer: %#v, want one more try", err)
	}
}

// What the engine has and no registry gives is run as it is, and outlives its
// name.
func TestFetchLocal(t *testing.T) {
	d := dockertest.Shared(t)
	e, r := open(t)
	for _, name := range []string{r.Host + "/built/here:1", "only-built-here"} {
		id := d.Import(t, name, map[string][]byte{"program": []byte(name)})
		image, log := fetch(t, e, name, slipway.RegistryAuth{})
		if image.Name != id || "sha256:"+image.Digest != id || !strings.Contains(log, "that the engine has") {
			t.Errorf("fetched %+v, want %s: %s", image, id, log)
		}
		d.Import(t, name, map[string][]byte{"program": []byte("another")})
		if _, err := e.ImagePrune(t.Context(), client.ImagePruneOptions{}); err != nil {
			t.Fatal(err)
		}
		if !has(t, e, id) {
			t.Error("it went with its name")
		}
		if err := e.Remove(t.Context(), name); err != nil || has(t, e, id) {
			t.Errorf("removed: %v, it is there: %v", err, has(t, e, id))
		}
	}
}

func TestEngineDown(t *testing.T) {
	d := dockertest.Start(t)
	e, err := engine.Open(d.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d.Down()
	_, fetched := e.Fetch(t.Context(), "127.0.0.1:1/app:1", slipway.RegistryAuth{}, new(bytes.Buffer))
	_, asked := e.Has(t.Context(), "app")
	for _, err := range []error{fetched, asked, e.Remove(t.Context(), "app")} {
		if _, final := errors.AsType[*slipway.Failure](err); final || err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("got %#v (%v)", err, err)
		}
	}
}
