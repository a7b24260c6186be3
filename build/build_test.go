package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/build/kind"
)

var standInFiles = map[string]string{"langgraph.json": standInConfig, "a.ts": "export const a = 1"}

func TestBuildAndLaunch(t *testing.T) {
	dir := data(t)
	b := open(t, dir, &standIn{})
	r := request(t, standInFiles)
	var log lines
	a, err := b.Build(t.Context(), r, &log)
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest != b.Key(r) || a.Kind != "stand-in" || a.Config != "langgraph.json" || a.Runtime["stand-in"] != "1" {
		t.Errorf("artefact %+v", a)
	}
	launch, err := b.Launch(t.Context(), a)
	app := filepath.Join(dir, "bundles", a.Digest, "app")
	if err != nil || !slices.Equal(launch.Args, []string{"/bin/true", app, "langgraph.json"}) {
		t.Errorf("launch %+v, %v", launch, err)
	}
	if info, err := os.Stat(filepath.Join(app, "a.ts")); err != nil || info.Mode() != 0o444 {
		t.Errorf("%v, %v", info, err)
	}
	if list, err := b.List(); err != nil || !slices.Equal(list, []string{a.Digest}) {
		t.Errorf("list %v, %v", list, err)
	}
	expectNothing(t, dir, "tmp")
	for _, want := range []string{"Unpacked the source: 2 files", "Read langgraph.json: graph a", "Built bundle " + a.Digest[:12]} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
}

func TestBuildTwiceIsOneBuild(t *testing.T) {
	dir := data(t)
	r := request(t, standInFiles)
	first, err := open(t, dir, &standIn{}).Build(t.Context(), r, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.Source = func(context.Context) (io.ReadCloser, error) {
		t.Error("the source was opened")
		return nil, os.ErrClosed
	}
	var log lines
	second, err := open(t, dir, &standIn{}).Build(t.Context(), r, &log)
	if err != nil || second.Digest != first.Digest || second.Runtime["stand-in"] != "1" {
		t.Errorf("%+v, %v", second, err)
	}
	if !strings.HasPrefix(log.String(), "Nothing has changed") {
		t.Errorf("log %s", &log)
	}
}

// What asks for keys is said by the app's env, in a bundle that is there too.
func TestAppsThatTakeKeys(t *testing.T) {
	dir := data(t)
	for file, takes := range map[string]bool{"LANGGRAPH_AUTH_TYPE=langsmith\n": true, "LANGGRAPH_AUTH_TYPE=noop\n": false, "OTHER=langsmith\n": false} {
		r := request(t, map[string]string{
			"langgraph.json": `{"graphs": {"a": "./a.ts:a"}, "env": ".env"}`, "a.ts": "export const a = 1", ".env": file,
		})
		for range 2 {
			a, err := open(t, dir, &standIn{}).Build(t.Context(), r, io.Discard)
			if err != nil || a.TakesKeys != takes {
				t.Errorf("%q: %+v, %v", file, a, err)
			}
		}
	}
}

func TestBuildsAtOnceAreOne(t *testing.T) {
	var prepared, waiting sync.WaitGroup
	waiting.Add(1)
	prepares := 0
	b := open(t, data(t), &standIn{prepare: func(context.Context, kind.App, io.Writer) error {
		prepares++
		waiting.Wait() // until the other one waits for us
		return nil
	}})
	r := request(t, standInFiles)
	logs := []io.Writer{io.Discard, onLine{"Waiting:", waiting.Done}}
	begun := make(chan struct{})
	source := r.Source
	r.Source = func(ctx context.Context) (io.ReadCloser, error) { close(begun); return source(ctx) }
	for i, log := range logs {
		if i > 0 {
			<-begun
		}
		prepared.Go(func() {
			if _, err := b.Build(t.Context(), r, log); err != nil {
				t.Error(err)
			}
		})
	}
	prepared.Wait()
	if prepares != 1 {
		t.Errorf("prepared %d times", prepares)
	}
}

type onLine struct {
	begins string
	do     func()
}

func (o onLine) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), o.begins) {
		o.do()
	}
	return len(p), nil
}

func TestKey(t *testing.T) {
	b := open(t, data(t), &standIn{})
	base := request(t, standInFiles)
	same := base
	same.Deployment, same.Revision, same.ConfigPath, same.Source = "other", "other", "./langgraph.json", nil
	if b.Key(same) != b.Key(base) {
		t.Error("the same input has two keys")
	}
	seen := map[string]string{b.Key(base): "base"}
	for name, change := range map[string]func(*slipway.BuildRequest){
		"source":  func(r *slipway.BuildRequest) { r.SourceDigest = strings.Repeat("0", 64) },
		"config":  func(r *slipway.BuildRequest) { r.ConfigPath = "a/langgraph.json" },
		"install": func(r *slipway.BuildRequest) { r.InstallCommand = "x" },
		"build":   func(r *slipway.BuildRequest) { r.BuildCommand = "x" },
		"tree":    func(r *slipway.BuildRequest) { r.SourceTree = strings.Repeat("1", 64) },
		"server":  func(r *slipway.BuildRequest) { r.AgentServer = slipway.AgentServerAegra },
	} {
		r := base
		change(&r)
		if other, taken := seen[b.Key(r)]; taken {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[b.Key(r)] = name
	}
	if _, taken := seen[open(t, data(t)).Key(base)]; taken {
		t.Error("other kinds, same key")
	}
}

func TestBuildFails(t *testing.T) {
	with := func(config string) map[string]string { return map[string]string{"langgraph.json": config} }
	command := func(r slipway.BuildRequest, command string) slipway.BuildRequest { r.BuildCommand = command; return r }
	path := func(r slipway.BuildRequest, path string) slipway.BuildRequest { r.ConfigPath = path; return r }
	aegra := func(r slipway.BuildRequest) slipway.BuildRequest { r.AgentServer = slipway.AgentServerAegra; return r }
	good := request(t, standInFiles)
	cases := map[string]struct {
		request             slipway.BuildRequest
		step, code, message string
	}{
		"no gzip":        {requestOf([]byte("hello")), "unpack", "not_gzip", ""},
		"traversal":      {request(t, map[string]string{"../../x": ""}), "unpack", "unsafe_path", "../../x"},
		"no config":      {request(t, map[string]string{"a.ts": ""}), "config", "config_not_found", "langgraph.json"},
		"bad config":     {request(t, with("{\n  oops")), "config", "config_invalid", "langgraph.json:2:3: invalid character 'o'"},
		"no graph file":  {request(t, with(`{"graphs": {"a": "./a.ts:a"}}`)), "config", "graph_not_found", "a.ts"},
		"no python file": {request(t, with(`{"graphs": {"a": "./a.py:a"}, "dependencies": ["."]}`)), "config", "graph_not_found", "a.py"},
		"other server":   {aegra(request(t, map[string]string{"langgraph.json": `{"graphs": {"a": "./a.ts:a"}}`, "a.ts": ""})), "config", "agent_server_not_served", `"aegra"`},
		"config outside": {path(good, "../langgraph.json"), "config", "config_outside", ""},
		"quote":          {command(good, `echo "a"`), "config", "command_refused", `build_command' contains "\""`},
		"background":     {command(good, "a && b & c"), "config", "command_refused", `contains "&"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := data(t)
			_, err := open(t, dir, &standIn{}).Build(t.Context(), c.request, io.Discard)
			expectFailure(t, err, c.step, c.code, c.message)
			expectNothing(t, dir, "tmp", "bundles")
		})
	}
}

// What is not the app's fault is temporary.
func TestBuildHasTemporaryErrors(t *testing.T) {
	wrong := request(t, standInFiles)
	wrong.SourceDigest = strings.Repeat("0", 64)
	unreadable := request(t, standInFiles)
	unreadable.Source = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("no connection") }
	for name, r := range map[string]slipway.BuildRequest{"another source": wrong, "no source": unreadable} {
		dir := data(t)
		_, err := open(t, dir, &standIn{}).Build(t.Context(), r, io.Discard)
		if _, final := errors.AsType[*slipway.Failure](err); err == nil || final {
			t.Errorf("%s: %v", name, err)
		}
		expectNothing(t, dir, "tmp", "bundles")
	}
}

func TestBuildIsCancelled(t *testing.T) {
	dir := data(t)
	ctx, cancel := context.WithCancel(t.Context())
	b := open(t, dir, &standIn{prepare: func(ctx context.Context, app kind.App, _ io.Writer) error {
		os.WriteFile(filepath.Join(app.Scratch, "x"), nil, 0o644)
		cancel()
		return errors.New("something broke because of that")
	}})
	_, err := b.Build(ctx, request(t, standInFiles), io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	expectNothing(t, dir, "tmp", "bundles")
}

func TestFullDisk(t *testing.T) {
	dir := data(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	files := map[string]string{"langgraph.json": standInConfig, "a.ts": "", "big": strings.Repeat("x", 2<<20)}
	_, err := open(t, dir, &standIn{}).Build(t.Context(), request(t, files), io.Discard)
	expectFailure(t, err, "unpack", "disk_full", "no space left on device")
	expectNothing(t, dir, "tmp", "bundles")
}

func TestOpenSweeps(t *testing.T) {
	dir := data(t)
	left := filepath.Join(dir, "tmp", "build-1", "app")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, &standIn{})
	expectNothing(t, dir, "tmp")
	if list, err := b.List(); err != nil || len(list) != 0 {
		t.Errorf("list %v, %v", list, err)
	}
}

func TestRemove(t *testing.T) {
	dir := data(t)
	b := open(t, dir, &standIn{})
	a, err := b.Build(t.Context(), request(t, standInFiles), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, a.Digest, func() (bool, error) { return true, nil })
	if list, _ := b.List(); removed || err != nil || len(list) != 1 {
		t.Errorf("shared: removed %v, %v, left %v", removed, err, list)
	}
	if _, err := b.RemoveUnless(t.Context(), slipway.ItemBundle, a.Digest, func() (bool, error) { return false, os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := b.Remove(t.Context(), a.Digest); err != nil {
			t.Error(err)
		}
	}
	expectNothing(t, dir, "tmp", "bundles")
	_, err = b.Launch(t.Context(), a)
	expectFailure(t, err, "launch", "bundle_missing", a.Digest[:12])
	for _, name := range []string{"", "..", "../tmp", strings.Repeat("g", 64)} {
		if err := b.Remove(t.Context(), name); err == nil {
			t.Errorf("removed %q", name)
		}
	}
}

func TestLaunchOfUnknownKind(t *testing.T) {
	_, err := open(t, data(t)).Launch(t.Context(), slipway.Artefact{Kind: "of-tomorrow", Digest: "x"})
	expectFailure(t, err, "launch", "kind_not_served", "of-tomorrow")
}

// While the disk is almost full nothing is built; what is there is used.
func TestDiskIsAlmostFull(t *testing.T) {
	dir, full := data(t), error(nil)
	b, err := build.Open(build.Options{
		Dir: dir, Users: users, Kinds: []func(string, string) kind.Kind{new(standIn).open}, Room: func() error { return full },
	})
	if err != nil {
		t.Fatal(err)
	}
	there := request(t, map[string]string{"langgraph.json": standInConfig, "a.ts": ""})
	built(t, b, there)
	full = slipway.Errorf(slipway.CodeFull, "The disk is almost full.")
	built(t, b, there)
	_, err = b.Build(t.Context(), request(t, map[string]string{"langgraph.json": standInConfig, "a.ts": "// changed"}), io.Discard)
	expectFailure(t, err, "prepare", "disk_full", "almost full")
}
