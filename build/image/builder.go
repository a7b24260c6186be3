package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/kind/js"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Kinds of artefacts that are images: those of servers that say /ok when they
// serve, those that a server of ours serves and that keep what it knows in files,
// those that Aegra serves, and those of LangGraph's server in its production form.
// Of those with files, earlier versions made such as can not stand by; they are
// run as long as revisions have them.
const (
	Kind       = "image"
	StateKind  = "image-standby"
	AloneKind  = "image-state"
	AegraKind  = "image-aegra"
	ServerKind = "image-server"
)

// Variables in the environment of images: what an agent server is to serve, and
// where our servers find the app.
const (
	graphsVariable = "LANGSERVE_GRAPHS"
	appVariable    = "SLIPWAY_APP_DIR"
)

// RuntimeBase is where an artefact records the image that it was built on.
const RuntimeBase = "base"

// Options of a builder.
type Options struct {
	Engine *engine.Engine
	// Owner tells our images from those of another server that uses the same
	// engine.
	Owner string
	Bases Bases
	// Fetched remembers which bases were fetched. Without it those that nobody
	// tagged can not be told from ours.
	Fetched engine.Pulls
}

// Builder makes images in one engine.
type Builder struct {
	Options
	installation string // of the owner, in names and labels
	// builds are on while it is held to read: who removes what failed builds
	// left must not meet one.
	builds sync.RWMutex

	bases *engine.Engine // the same, keeping bases apart from what deployments fetch
	mu    sync.Mutex
	held  map[string]engine.Image // what each base's reference named last
}

// New returns a builder. Nothing is sent until it is used.
func New(o Options) *Builder {
	sum := sha256.Sum256([]byte(o.Owner))
	b := &Builder{Options: o, installation: hex.EncodeToString(sum[:6]), held: map[string]engine.Image{}}
	b.bases = &engine.Engine{Client: o.Engine.Client, Owner: b.installation + " bases", Pulls: o.Fetched, Logins: o.Engine.Logins}
	return b
}

// App is a source on its way to be an image.
type App struct {
	Key            string // names all that goes into the image but its base: 64 hex digits
	Dir            string // the unpacked source
	Config         appconfig.Config
	Server         slipway.AgentServer
	InstallCommand string
	BuildCommand   string
	Secrets        []slipway.EnvVar
}

// Fingerprint changes when the same source would be built differently.
func (b *Builder) Fingerprint() string {
	sum := sha256.New()
	for _, server := range []slipway.AgentServer{slipway.AgentServerLangGraph, slipway.AgentServerAegra} {
		files := pythonServer(server)
		for _, name := range sorted(files) {
			fmt.Fprintf(sum, "%s %d\n%s", name, len(files[name]), files[name])
		}
	}
	return strings.Join([]string{Kind, format, js.ServerVersion(), hex.EncodeToString(sum.Sum(nil)[:8]), b.Bases.Python, b.Bases.Node}, " ")
}

// Build makes the image of an app, unless it is there.
func (b *Builder) Build(ctx context.Context, a App, log io.Writer) (slipway.Artefact, error) {
	b.sweepAfter(ctx) // an earlier server's, and what was in use when it failed
	defer b.sweepAfter(ctx)
	made, err := b.build(ctx, a, log)
	if err != nil {
		return slipway.Artefact{}, err
	}
	return made, nil
}

func (b *Builder) build(ctx context.Context, a App, log io.Writer) (slipway.Artefact, error) {
	b.builds.RLock()
	defer b.builds.RUnlock()
	base, err := b.fetchBase(ctx, a.Config, log)
	if err != nil {
		return slipway.Artefact{}, err
	}
	tag := b.tag(a.Key, base, a.secretNames())
	made := slipway.Artefact{Kind: kindOf(a.Server, base), Digest: a.Key, Config: a.Config.Path, Runtime: map[string]string{RuntimeBase: base.pinned}}
	if made.Image, err = b.find(ctx, tag); err != nil {
		return made, err
	}
	if made.Image != "" {
		fmt.Fprintf(log, "Nothing has changed: using image %s, which is there\n", tag)
		return made, nil
	}
	j, err := b.job(ctx, a, base)
	if err != nil {
		return made, err
	}
	j.tag, j.log = tag, log
	made.Image, err = b.run(ctx, j)
	return made, err
}

// job plans a build.
func (b *Builder) job(ctx context.Context, a App, base base) (job, error) {
	kit, err := b.hasBuildKit(ctx)
	if err != nil {
		return job{}, err
	}
	r, err := plan(app{
		config: a.Config, files: os.DirFS(a.Dir), server: a.Server, base: base,
		install: a.InstallCommand, build: a.BuildCommand, secrets: a.secretNames(), mounts: kit, owner: b.installation,
	})
	return job{App: a, recipe: r, kit: kit}, err
}

func kindOf(server slipway.AgentServer, base base) string {
	switch {
	case server == slipway.AgentServerAegra:
		return AegraKind
	case base.serves:
		return ServerKind
	}
	return StateKind
}

// KindOf tells the kind of an image that was fetched by its environment: an agent
// server in its production form is told there what to serve. One that we have made
// starts a server of ours, which says so too.
func KindOf(env []string) string {
	has := func(variable string) bool {
		return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, variable+"=") })
	}
	if has(graphsVariable) && !has(appVariable) {
		return ServerKind
	}
	return Kind
}

func (a App) secretNames() []string {
	names := make([]string, 0, len(a.Secrets))
	for _, s := range a.Secrets {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// repository of the images of one key. It names no registry.
func (b *Builder) repository(key string) string {
	return "slipway-" + b.installation + "/" + key[:40]
}

// tag names an image by all that it is made of.
func (b *Builder) tag(key string, base base, secrets []string) string {
	sum := sha256.New()
	for _, part := range append([]string{base.digest}, secrets...) {
		fmt.Fprintf(sum, "%d %s\n", len(part), part)
	}
	return b.repository(key) + ":" + hex.EncodeToString(sum.Sum(nil))[:40]
}

// find returns the id of an image that was made, "" if there is none.
func (b *Builder) find(ctx context.Context, tag string) (id string, err error) {
	image, err := b.Engine.ImageInspect(ctx, tag)
	if engine.NotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", b.Engine.Explain(fmt.Errorf("look for image %s: %w", tag, err))
	}
	return image.ID, nil
}
