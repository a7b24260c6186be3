package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// shellBase is a base that says that it brings a server, and has a shell.
const shellBase = "shell-of-image:1"

// open returns a builder on this process's engine, by BuildKit or by the classic
// builder, and a client.
func open(t *testing.T, kit bool, bases image.Bases) (*image.Builder, *client.Client) {
	t.Helper()
	c := connect(t, dockertest.Shared(t).Host(), kit)
	return image.New(image.Options{Engine: &engine.Engine{Client: c}, Owner: t.Name(), Bases: bases}), c
}

// connect returns a client of an engine, which may seem to have no BuildKit.
func connect(t *testing.T, host string, kit bool) *client.Client {
	t.Helper()
	options := []client.Opt{client.WithHost(host)}
	if !kit {
		options = append(options, client.WithHTTPResponseHook(func(r *http.Response) { r.Header.Set("Builder-Version", "1") }))
	}
	c, err := client.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// shell returns a builder on the base with a shell.
func shell(t *testing.T, kit bool) (*image.Builder, *client.Client) {
	t.Helper()
	importShell(t, "")
	return open(t, kit, image.Bases{Node: shellBase})
}

// importShell makes the base, another one for each text.
func importShell(t *testing.T, text string) {
	t.Helper()
	dockertest.Shared(t).Import(t, shellBase, shellFiles(t, text), "ENV PATH=/bin", "LABEL slipway.agent-server=true")
}

func shellFiles(t *testing.T, text string) map[string][]byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"text": []byte(text)}
	for _, name := range []string{"sh", "cat", "mkdir", "sleep", "grep"} {
		files["bin/"+name] = busybox
	}
	return files
}

func both(t *testing.T, test func(t *testing.T, kit bool)) {
	for name, kit := range map[string]bool{"buildkit": true, "classic": false} {
		t.Run(name, func(t *testing.T) { test(t, kit) })
	}
}

// app unpacks files, of which one is langgraph.json.
func app(t *testing.T, key string, files map[string]string) image.App {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := appconfig.Load(dir, "langgraph.json")
	if err != nil {
		t.Fatal(err)
	}
	return image.App{Key: strings.Repeat(key, 64), Dir: dir, Config: c}
}

// awkward means something to everything on its way into an image.
const awkward = `{"a": "It's $HOME ${PATH:-x} \\ \" ` + "`id`" + ` \n \u2028 é", "b'": "\\"}`

// script is an app whose installation is a script.
func script(t *testing.T, key, install string) image.App {
	a := app(t, key, map[string]string{
		"langgraph.json": `{"graphs": {"a": "./a.ts:graph"}, "store": ` + awkward + `, "env": {"TOKEN": "env-is-never-baked"}}`,
		"a.ts":           "export const graph = 1", "package.json": "{}", "install.sh": install,
	})
	a.InstallCommand = "sh install.sh"
	a.BuildCommand = "sh -c true" // there is no Node in the base
	return a
}

func build(t *testing.T, b *image.Builder, a image.App) (slipway.Artefact, string) {
	t.Helper()
	var log bytes.Buffer
	made, err := b.Build(t.Context(), a, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return made, log.String()
}

func installation(b *image.Builder) string {
	sum := sha256.Sum256([]byte(b.Owner))
	return hex.EncodeToString(sum[:6])
}

// owned lists the names of a builder's images.
func owned(t *testing.T, b *image.Builder, c *client.Client) []string {
	t.Helper()
	list, err := c.ImageList(t.Context(), client.ImageListOptions{Filters: make(client.Filters).Add("label", "slipway.image.owner="+installation(b))})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, image := range list.Items {
		names = append(names, append(image.RepoTags, "<none>")[0])
	}
	return names
}

func TestBuildOnce(t *testing.T) {
	both(t, func(t *testing.T, kit bool) {
		b, c := shell(t, kit)
		a := script(t, "a", "echo installing; grep -q '' text /deps/app/package.json")
		first, log := build(t, b, a)
		if !strings.Contains(log, "\ninstalling\n") || !strings.Contains(log, "Built image") {
			t.Errorf("log:\n%s", log)
		}
		if first.Kind != image.ServerKind || first.Digest != a.Key || first.Config != "langgraph.json" || !strings.HasPrefix(first.Image, "sha256:") || !strings.HasPrefix(first.Runtime["base"], "sha256:") {
			t.Errorf("made %+v", first)
		}
		made, err := c.ImageInspect(t.Context(), first.Image)
		if err != nil {
			t.Fatal(err)
		}
		if env := strings.Join(made.Config.Env, "\n"); !strings.Contains(env, `LANGSERVE_GRAPHS={"a":"./a.ts:graph"}`) || strings.Contains(env, "never-baked") {
			t.Errorf("environment %s", env)
		}
		expectStore(t, made.Config.Env)

		// The same again, by another server too, is no build.
		again := image.New(b.Options)
		if same, log := build(t, again, a); same.Image != first.Image || !strings.Contains(log, "Nothing has changed") {
			t.Errorf("made %+v again; log:\n%s", same, log)
		}

		// On another base it is one.
		importShell(t, "another")
		other, log := build(t, b, a)
		if other.Image == first.Image || other.Runtime["base"] == first.Runtime["base"] || !strings.Contains(log, "\ninstalling\n") {
			t.Errorf("made %+v on another base; log:\n%s", other, log)
		}
		if got := owned(t, b, c); len(got) != 2 {
			t.Errorf("images %v", got)
		}
		left, err := b.Remains(t.Context())
		if err != nil || len(left) != 2 || left[0].Kind != slipway.ItemImage || left[0].Ref != a.Key || left[1].Ref != a.Key || left[0].Since.IsZero() {
			t.Errorf("Remains = %+v, %v", left, err)
		}
		for range 2 { // the second time there is nothing
			if err := b.Remove(t.Context(), a.Key); err != nil {
				t.Fatal(err)
			}
		}
		if got := owned(t, b, c); len(got) != 0 {
			t.Errorf("left %v", got)
		}
		if left, err := b.Remains(t.Context()); len(left) > 0 || err != nil {
			t.Errorf("then %+v, %v", left, err)
		}
	})
}

// expectStore wants a value of the configuration in the environment as it was.
func expectStore(t *testing.T, env []string) {
	t.Helper()
	var want, got any
	if err := json.Unmarshal([]byte(awkward), &want); err != nil {
		t.Fatal(err)
	}
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "LANGGRAPH_STORE="); ok {
			if err := json.Unmarshal([]byte(value), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v; it is %s", err, value)
			}
			return
		}
	}
	t.Errorf("it is not in %q", env)
}

// A base of a registry, which asks for a login, is used by its digest, and another
// that its tag names later takes its place.
func TestBaseByDigest(t *testing.T) {
	both(t, func(t *testing.T, kit bool) {
		registry := dockertest.NewRegistry(t)
		registry.Username, registry.Password = "me", "mine"
		logins := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(logins, fmt.Appendf(nil, `{"auths": {%q: {"auth": "bWU6bWluZQ=="}}}`, registry.Host), 0o600); err != nil {
			t.Fatal(err)
		}
		reference := registry.Host + "/team/base:1"
		publish := func(text string) string {
			return registry.Host + "/team/base@" + registry.PublishFiles(t, "team/base", "1", shellFiles(t, text), map[string]any{
				"Env": []string{"PATH=/bin"}, "Labels": map[string]string{"slipway.agent-server": "true"},
			})
		}
		c := connect(t, dockertest.Shared(t).Host(), kit)
		b := image.New(image.Options{Engine: &engine.Engine{Client: c, Logins: engine.Logins(logins)}, Owner: t.Name(), Bases: image.Bases{Node: reference}})
		a := script(t, "8", "cat /text")
		before := publish("of the first\n")
		first, log := build(t, b, a)
		if first.Runtime["base"] != before || !strings.Contains(log, "of the first") || !strings.Contains(log, "FROM "+before) {
			t.Errorf("made %+v; log:\n%s", first, log)
		}
		after := publish("of the second\n")
		second, log := build(t, b, a)
		if second.Runtime["base"] != after || second.Image == first.Image || !strings.Contains(log, "of the second") {
			t.Errorf("made %+v; log:\n%s", second, log)
		}
		if err := errors.Join(b.Remove(t.Context(), a.Key), b.Sweep(t.Context())); err != nil {
			t.Error(err)
		}
		for base, want := range map[string]bool{before: false, after: true} {
			if has, err := b.Engine.Has(t.Context(), base); has != want || err != nil {
				t.Errorf("%s is there: %v, %v", base, has, err)
			}
		}
		if got := owned(t, b, c); len(got) > 0 {
			t.Errorf("left %v", got)
		}
	})
}

const canary = "canary-8d1f0c"

// Commands that install see secrets; nothing else does, and no layer has them.
func TestSecrets(t *testing.T) {
	b, c := shell(t, true)
	a := script(t, "b", `[ "$TOKEN" = `+canary[:6]+`"`+canary[6:]+`" ] && grep -q '_authToken=canary' .npmrc && echo seen`)
	a.Secrets = []slipway.EnvVar{{Name: "TOKEN", Value: canary}}
	if err := os.WriteFile(filepath.Join(a.Dir, ".npmrc"), []byte("//packages.example/:_authToken="+canary+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	made, log := build(t, b, a)
	if !strings.Contains(log, "\nseen\n") || strings.Contains(log, canary) {
		t.Errorf("log:\n%s", log)
	}
	saved, err := c.ImageSave(t.Context(), []string{made.Image})
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	content, err := io.ReadAll(saved)
	if err != nil || !bytes.Contains(content, []byte("export const graph = 1")) {
		t.Fatalf("%d bytes without the app, %v", len(content), err)
	}
	if bytes.Contains(content, []byte(canary)) {
		t.Error("the image has the secret")
	}
}

// Another value of a secret is no other image, another name is.
func TestSecretsInKey(t *testing.T) {
	b, _ := shell(t, true)
	a := script(t, "c", "echo installing")
	a.Secrets = []slipway.EnvVar{{Name: "A", Value: "1"}}
	first, _ := build(t, b, a)
	a.Secrets[0].Value = "2"
	if again, _ := build(t, b, a); again.Image != first.Image {
		t.Error("another value was built")
	}
	a.Secrets = append(a.Secrets, slipway.EnvVar{Name: "B"})
	if other, log := build(t, b, a); strings.Contains(log, "Nothing has changed") {
		t.Errorf("another name was not built: %+v", other)
	}
}

func TestSecretsNeedBuildKit(t *testing.T) {
	b, _ := shell(t, false)
	a := script(t, "d", "true")
	a.Secrets = []slipway.EnvVar{{Name: "TOKEN", Value: canary}}
	_, err := b.Build(t.Context(), a, io.Discard)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "secrets_need_buildkit" || f.Hint == "" {
		t.Errorf("got %v", err)
	}
}

// until calls do when a line comes.
type until struct {
	line string
	do   func()
	log  bytes.Buffer
}

func (u *until) Write(p []byte) (int, error) {
	if u.log.Write(p); strings.Contains(u.log.String(), u.line) {
		u.do()
	}
	return len(p), nil
}

// Of a build that is cancelled nothing runs on and nothing is left.
func TestCancel(t *testing.T) {
	both(t, func(t *testing.T, kit bool) {
		b, c := shell(t, kit)
		seconds := map[bool]string{true: "98761", false: "98762"}[kit]
		ctx, cancel := context.WithCancel(t.Context())
		var begin time.Time
		log := until{line: "\nbegun\n", do: func() {
			if err := b.RemoveLeft(t.Context(), "base "+shellBase); err == nil || !strings.Contains(err.Error(), "a build is on") {
				t.Errorf("a base is removed while something is built: %v", err)
			}
			begin = time.Now()
			cancel()
		}}
		_, err := b.Build(ctx, script(t, "e", "echo begun; sleep "+seconds), &log)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v; log:\n%s", err, log.log.String())
		}
		testsignal.Eventually(t, "the engine to end it", func() bool { return !running(t, "sleep\x00"+seconds) })
		t.Logf("gone after %v", time.Since(begin))
		untilNoContainer(t, c)
		if err := b.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		bases, err := c.ImageList(t.Context(), client.ImageListOptions{Filters: make(client.Filters).Add("reference", "slipway-"+installation(b)+"/*")})
		if err != nil || len(bases.Items) > 0 {
			t.Errorf("names of bases are left: %v, %v", bases.Items, err)
		}
		if has, err := b.Engine.Has(t.Context(), shellBase); !has || err != nil {
			t.Errorf("the base is gone: %v", err)
		}
		if got := owned(t, b, c); len(got) != 0 {
			t.Errorf("left %v", got)
		}
	})
}

// untilNoContainer waits for the engine to remove the containers of builds that
// were cancelled.
func untilNoContainer(t *testing.T, c *client.Client) {
	t.Helper()
	testsignal.Eventually(t, "the containers to be gone", func() bool {
		list, err := c.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "slipway.image.owner")})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 0
	})
}

// running says whether any process has such a command line.
func running(t *testing.T, line string) bool {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		if content, _ := os.ReadFile(process + "/cmdline"); strings.Contains(string(content), line) {
			return true
		}
	}
	return false
}

func TestFailures(t *testing.T) {
	both(t, func(t *testing.T, kit bool) {
		b, c := shell(t, kit)
		cases := map[string]struct {
			change     func(*image.App)
			code, step string
			exit       int
			message    string
		}{
			"a dependency that is not there": {installs("echo npm error code E404 >&2; echo npm error nope is not in this registry; exit 1"), "dependency_not_found", "install", 1, "nope is not"},
			"a conflict":                     {installs("echo npm error code ERESOLVE; exit 3"), "dependency_conflict", "install", 3, "ERESOLVE"},
			"another reason":                 {installs("echo first; echo last; exit 4"), "install_failed", "install", 4, "first\nlast"},
			"killed":                         {installs("exit 137"), "out_of_memory", "install", 137, ""},
			"a build command":                {func(a *image.App) { a.BuildCommand = "sh -c missing" }, "build_failed", "build", 127, "missing"},
			"a line of the app":              {lines("RUN echo of mine && exit 5"), "build_failed", "dockerfile_lines", 5, "of mine"},
			"a line that is none":            {lines("NOPE echo"), "dockerfile_invalid", "dockerfile_lines", -1, "NOPE"},
			"no base":                        {config(`{"graphs": {"a": "./a.ts:graph"}, "base_image": "localhost:1/nope"}`), "", "", -1, "localhost:1/nope"},
		}
		for name, want := range cases {
			t.Run(name, func(t *testing.T) {
				a := script(t, "0", "true")
				sum := sha256.Sum256([]byte(name))
				a.Key = hex.EncodeToString(sum[:])
				want.change(&a)
				var log bytes.Buffer
				_, err := b.Build(t.Context(), a, &log)
				if err == nil || !strings.Contains(err.Error(), want.message) {
					t.Fatalf("got %v", err)
				}
				f, final := errors.AsType[*slipway.Failure](err)
				if !final {
					f = &slipway.Failure{}
				}
				exit := -1
				if f.Exit != nil {
					exit = *f.Exit
				}
				if f.Code != want.code || f.Step != want.step || exit != want.exit {
					t.Errorf("%s at %s, exit %d: %v\n%s", f.Code, f.Step, exit, err, log.String())
				}
			})
		}
		if got := owned(t, b, c); len(got) != 0 {
			t.Errorf("left %v", got)
		}
	})
}

// A registry says that it has no such image.
func TestNoBase(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}`)
		}
	}))
	defer registry.Close()
	b, _ := open(t, true, image.Bases{Node: strings.TrimPrefix(registry.URL, "http://") + "/nope:1"})
	_, err := b.Build(t.Context(), script(t, "f", "true"), io.Discard)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "base_image_not_found" || f.Phase != slipway.PhaseBuild || f.Hint == "" {
		t.Errorf("got %v", err)
	}
}

func installs(script string) func(*image.App) {
	return func(a *image.App) { os.WriteFile(filepath.Join(a.Dir, "install.sh"), []byte(script), 0o644) }
}

func lines(line string) func(*image.App) {
	return config(fmt.Sprintf(`{"graphs": {"a": "./a.ts:graph"}, "dockerfile_lines": [%q]}`, line))
}

func config(content string) func(*image.App) {
	return func(a *image.App) {
		os.WriteFile(filepath.Join(a.Dir, "langgraph.json"), []byte(content), 0o644)
		a.Config, _ = appconfig.Load(a.Dir, "langgraph.json")
	}
}
