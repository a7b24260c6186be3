package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
)

// A source becomes an image, which is named before it is made and removed once
// nobody needs it.
func TestBuildImage(t *testing.T) {
	t.Parallel()
	e := dockertest.Shared(t)
	importShell(t, e)
	dir := data(t)
	images, err := build.Open(build.Options{
		Dir: dir, Engine: &engine.Engine{Client: e.Client(t)}, Owner: "test", Images: &image.Bases{Node: "shell-of-build:1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := request(t, map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}, "dockerfile_lines": ["RUN echo canary-5ecret"]}`, "a.ts": "export const a = 1"})
	r.Confidential = func(context.Context) ([]string, error) { return []string{"canary-5ecret"}, nil }
	r.InstallCommand, r.BuildCommand = "sh -c true", "sh -c true"
	kind, ref := images.Makes(r)
	if kind != slipway.ItemImage || len(ref) != 64 || ref == open(t, data(t)).Key(r) {
		t.Errorf("makes %s %s", kind, ref)
	}
	var log lines
	a, err := images.Build(t.Context(), r, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if !strings.Contains(log.String(), "RUN echo") || strings.Contains(log.String(), "canary") {
		t.Errorf("the log shows what is confidential, or nothing:\n%s", &log)
	}
	if kinds := images.Kinds(); a.Digest != ref || a.Kind != image.ServerKind || kinds[a.Kind].Probe != "/ok" || kinds[a.Kind].Exclusive || !kinds[image.StateKind].StandsBy || !kinds[image.AloneKind].Exclusive || kinds[image.AloneKind].StandsBy {
		t.Errorf("artefact %+v", a)
	}
	if kinds := images.Kinds(); kinds[image.StateKind].Data == "" || kinds[image.StateKind].Data != kinds[image.AloneKind].Data {
		t.Error("what an earlier version's images kept is not taken for the same")
	}
	if launch, err := images.Launch(t.Context(), a); err != nil || len(launch.Args) != 0 {
		t.Errorf("launch %+v, %v", launch, err)
	}
	expectNothing(t, dir, "tmp", "bundles")
	blind := open(t, dir)
	if err := gone(t, blind, ref); err == nil || !strings.Contains(err.Error(), "--docker-host") {
		t.Errorf("without the engine it is said to be gone: %v", err)
	}
	defer func() {
		if err := gone(t, blind, ref); err != nil {
			t.Errorf("after it was removed: %v", err)
		}
	}()
	for _, shared := range []bool{true, false} {
		removed, err := images.RemoveUnless(t.Context(), kind, ref, func() (bool, error) { return shared, nil })
		_, gone := e.Client(t).ImageInspect(t.Context(), a.Image)
		if err != nil || removed == shared || engine.NotFound(gone) == shared {
			t.Errorf("shared %v: removed %v, %v, %v", shared, removed, err, gone)
		}
	}
}

func TestImageOfAegra(t *testing.T) {
	t.Parallel()
	down, err := engine.Open("unix:///nowhere/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	b, err := build.Open(build.Options{Dir: data(t), Engine: down, Images: &image.Bases{Node: "node:22"}})
	if err != nil {
		t.Fatal(err)
	}
	r := request(t, map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": ""})
	r.AgentServer = slipway.AgentServerAegra
	_, err = b.Build(t.Context(), r, io.Discard)
	expectFailure(t, err, "config", "agent_server_not_served", "aegra")
}

func importShell(t *testing.T, e *dockertest.Engine) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e.Import(t, "shell-of-build:1", map[string][]byte{"bin/sh": busybox}, "ENV PATH=/bin", "LABEL slipway.agent-server=true")
}

func TestImagesRefuse(t *testing.T) {
	t.Parallel()
	if _, err := build.Open(build.Options{Dir: data(t), Images: &image.Bases{}}); err == nil || !strings.Contains(err.Error(), "--docker-host") {
		t.Errorf("without an engine: %v", err)
	}
	nowhere, err := engine.Open("unix:///nowhere/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	b, err := build.Open(build.Options{Dir: data(t), Engine: nowhere, Images: &image.Bases{Node: "node:22"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), request(t, map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": ""}), io.Discard)
	if _, final := errors.AsType[*slipway.Failure](err); err == nil || final || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("an engine that is down: %v", err)
	}
}
