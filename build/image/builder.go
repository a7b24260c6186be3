package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind/js"
	"github.com/slipwayhq/slipway/internal/engine"
)

// Kinds of artefacts that are images: those of servers that say /ok when they
// serve, and those that Aegra serves.
const (
	Kind      = "image"
	AegraKind = "image-aegra"
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
	b.bases = &engine.Engine{Client: o.Engine.Client, Owner: b.installation + " bases"}
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
	made, err := b.build(ctx, a, log)
	if err != nil {
		b.sweepAfter(ctx)
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
	made := slipway.Artefact{Kind: kindOf(a.Server), Digest: a.Key, Config: a.Config.Path, Runtime: map[string]string{RuntimeBase: base.pinned}}
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

func kindOf(server slipway.AgentServer) string {
	if server == slipway.AgentServerAegra {
		return AegraKind
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

// fetchBase has the engine hold an app's base, and pins it.
func (b *Builder) fetchBase(ctx context.Context, c appconfig.Config, log io.Writer) (base, error) {
	reference, err := b.Bases.reference(c)
	if err != nil {
		return base{}, err
	}
	image, err := b.bases.Fetch(ctx, reference, slipway.RegistryAuth{}, log)
	if err != nil {
		return base{}, ofBase(reference, err)
	}
	b.hold(reference, image)
	inspected, err := b.Engine.ImageInspect(ctx, image.Name)
	if err != nil {
		return base{}, b.Engine.Explain(fmt.Errorf("inspect base image %s: %w", reference, err))
	}
	var labels map[string]string
	if inspected.Config != nil {
		labels = inspected.Config.Labels
	}
	fmt.Fprintf(log, "Base image %s: %s\n", reference, image.Name)
	made := base{reference: reference, pinned: image.Name, digest: image.Digest, from: image.Name, serves: serves(reference, labels)}
	if strings.HasPrefix(image.Name, "sha256:") {
		made.from, err = b.nameBase(ctx, image)
	}
	return made, err
}

// hold remembers what a base's reference names now.
func (b *Builder) hold(reference string, image engine.Image) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[reference] = image
}

// nameBase gives an image that no registry knows a name that says its digest,
// until the next Sweep: BuildKit finds none by id.
func (b *Builder) nameBase(ctx context.Context, image engine.Image) (name string, err error) {
	name = b.baseRepository() + ":" + image.Digest
	if _, err := b.Engine.ImageTag(ctx, client.ImageTagOptions{Source: image.Name, Target: name}); err != nil {
		return "", b.Engine.Explain(fmt.Errorf("name base image %s: %w", image.Name, err))
	}
	return name, nil
}

func (b *Builder) baseRepository() string { return "slipway-" + b.installation + "/base" }

// ofBase makes a failure to fetch one of the build.
func ofBase(reference string, err error) error {
	f, final := errors.AsType[*slipway.Failure](err)
	if !final {
		return fmt.Errorf("base image %s: %w", reference, err)
	}
	code := f.Code
	switch code {
	case "image_not_found", "image_denied":
		code = "base_image_not_found"
	}
	return failure.WithHint(failure.New(stepBase, code, "The base image is not to be had: %s", f.Message),
		"%s", cmp.Or(hintOfBase[code], f.Hint))
}

var hintOfBase = map[string]string{
	"base_image_not_found": "Look at base_image in langgraph.json and at the server's --base-image-python and --base-image-node.",
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

// Remove removes the images of a key. One that a container still runs loses its
// names, and is removed by Sweep once it does not.
func (b *Builder) Remove(ctx context.Context, key string) error {
	return b.removeAll(ctx, make(client.Filters).Add("label", b.owned(), labelKey+"="+key))
}

// Sweep removes what has none of our names: what builds left that failed or
// died, and images that still ran when they were removed; the names that bases
// were given, and bases that their references do not name any more. It does nothing while a build is on, whose work it could not
// tell from theirs.
func (b *Builder) Sweep(ctx context.Context) error {
	if !b.builds.TryLock() {
		return nil
	}
	defer b.builds.Unlock()
	return errors.Join(
		b.removeAll(ctx, make(client.Filters).Add("label", b.owned()).Add("dangling", "true")),
		b.forgetBases(ctx),
	)
}

func (b *Builder) forgetBases(ctx context.Context) error {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", b.baseRepository())})
	if err != nil {
		return b.Engine.Explain(fmt.Errorf("list base images: %w", err))
	}
	for _, image := range found.Items {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(name, b.baseRepository()+":") {
				err = errors.Join(err, b.remove(ctx, name))
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for reference, image := range b.held {
		err = errors.Join(err, b.bases.RemoveOlder(ctx, reference, image))
	}
	return err
}

func (b *Builder) owned() string { return labelOwner + "=" + b.installation }

func (b *Builder) removeAll(ctx context.Context, filters client.Filters) error {
	found, err := b.Engine.ImageList(ctx, client.ImageListOptions{Filters: filters})
	if err != nil {
		return b.Engine.Explain(fmt.Errorf("list images: %w", err))
	}
	for _, image := range found.Items {
		names := slices.DeleteFunc(image.RepoTags, func(name string) bool { return strings.HasPrefix(name, "<none>") })
		if len(names) == 0 {
			names = []string{image.ID}
		}
		for _, name := range names {
			err = errors.Join(err, b.remove(ctx, name))
		}
	}
	return err
}

// remove takes away a name, and with the last one the image. What is in use, or
// has others built on it, stays for Sweep.
func (b *Builder) remove(ctx context.Context, name string) error {
	_, err := b.Engine.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err == nil || engine.NotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return b.Engine.Explain(fmt.Errorf("remove image %s: %w", name, err))
}

// sweepAfter cleans up behind builds that made nothing, though the context may
// have ended.
func (b *Builder) sweepAfter(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepWithin)
	defer cancel()
	b.Sweep(ctx) // what is left now the next one takes
}

const sweepWithin = 10 * time.Second
