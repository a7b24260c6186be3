package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/keylock"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/kind/aegra"
	"github.com/slipwayhq/slipway/build/kind/js"
	"github.com/slipwayhq/slipway/build/kind/langgraphpy"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/engine"
)

// format is raised when bundles are laid out differently.
const format = "1"

// Options of a builder.
type Options struct {
	Dir string // the data folder
	// Kinds are asked before those that are built in.
	Kinds []func(cache, tmp string) kind.Kind
	// StartLimit replaces that of every kind, unless it is 0.
	StartLimit time.Duration
	// Engine fetches and makes images; nil where there is none.
	Engine *engine.Engine
	// Owner tells this server's images from those of others in the engine.
	Owner string
	// Images has sources made into images on these bases; nil for bundles.
	Images *image.Bases
	// Search lists programs that may be Node; nil looks at the usual places.
	Search func() []string

	// Users that programs of builds run as, if the server is root.
	Users Users
	// Limits of programs of builds; zero for DefaultLimits.
	Limits Limits
	// Wrapper starts every program of a build: a program with arguments, to
	// which what it is to execute is appended.
	Wrapper []string
	// Room returns what to tell who builds while the disk is almost full. nil has
	// always room.
	Room func() error
}

// Users is a range of user numbers.
type Users = command.Users

// Limits of the programs of a build.
type Limits = command.Limits

// DefaultLimits are those of a server that is told none.
func DefaultLimits() Limits { return command.DefaultLimits() }

// Builder of one data folder.
type Builder struct {
	bundles, cache, tmp string

	startLimit  time.Duration
	room        func() error // nil for always
	engine      *engine.Engine
	pulls       engine.Pulls   // what was fetched, whether or not there is an engine now
	images      *image.Builder // nil without an engine
	imagesOnly  bool           // sources become images
	js          *js.Kind
	kinds       []kind.Kind
	confinement *command.Confinement
	locks       keylock.Locks // by digest of a bundle
}

// Open makes the folders and sweeps away what a death left: files, and programs
// that are still at work.
func Open(o Options) (*Builder, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	cache := filepath.Join(dir, "cache")
	b := &Builder{bundles: filepath.Join(dir, "bundles"), cache: cache, tmp: filepath.Join(dir, "tmp"), startLimit: o.StartLimit, room: o.Room}
	b.pulls = engine.Pulls(filepath.Join(dir, "fetched"))
	for _, dir := range []string{b.bundles, cache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if o.Engine != nil {
		b.engine = &engine.Engine{Client: o.Engine.Client, Owner: o.Engine.Owner, Pulls: b.pulls, Logins: o.Engine.Logins}
	}
	if err := b.openImages(o); err != nil {
		return nil, err
	}
	command.KillMarked(b.tmp)
	if b.confinement, err = command.Confine(context.Background(), command.Settings{
		Data: dir, Users: o.Users, Wrapper: o.Wrapper, Limits: cmp.Or(o.Limits, DefaultLimits()),
	}); err != nil {
		return nil, err
	}
	if err := durable.Sweep(b.tmp); err != nil {
		return nil, err
	}
	tools := toolchain.New(toolchain.Options{Dir: filepath.Join(cache, "toolchains"), Tmp: b.tmp, Search: o.Search})
	for _, open := range o.Kinds {
		b.kinds = append(b.kinds, open(cache, b.tmp))
	}
	b.js = js.New(cache, b.tmp, tools, b.confinement)
	b.kinds = append(b.kinds, b.js, langgraphpy.New(cache, b.tmp, tools, b.confinement), aegra.New(cache, b.tmp, tools, b.confinement))
	return b, nil
}

// Holds says what builds are held by on this machine, a line each.
func (b *Builder) Holds() []string {
	var lines []string
	for _, h := range b.confinement.Holds() {
		lines = append(lines, h.String())
	}
	return lines
}

// Makes names what a request comes to.
func (b *Builder) Makes(r slipway.BuildRequest) (slipway.ItemKind, string) {
	if r.Image != "" {
		return slipway.ItemImage, r.Image
	}
	if b.imagesOnly {
		return slipway.ItemImage, b.Key(r)
	}
	return slipway.ItemBundle, b.Key(r)
}

// Key is the digest of all that goes into a build, known before any work: it
// names the bundle, or with the base that is found then the image.
func (b *Builder) Key(r slipway.BuildRequest) string {
	path, err := appconfig.CheckPath(r.ConfigPath)
	if err != nil {
		path = r.ConfigPath // Build will say what is wrong with it
	}
	sum := sha256.New()
	for _, part := range append([]string{
		format, runtime.GOOS, runtime.GOARCH, cmp.Or(r.SourceTree, r.SourceDigest), path, r.InstallCommand, r.BuildCommand, string(r.AgentServer),
	}, b.fingerprints()...) {
		fmt.Fprintf(sum, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (b *Builder) fingerprints() []string {
	if b.imagesOnly {
		return []string{b.images.Fingerprint()}
	}
	var all []string
	for _, k := range b.kinds {
		all = append(all, k.Fingerprint())
	}
	return all
}

// Warm brings what a first build of a JavaScript app needs before there is one.
func (b *Builder) Warm(ctx context.Context, log io.Writer) error { return b.js.Warm(ctx, log) }

// Kinds lists the kinds of agent by name.
func (b *Builder) Kinds() map[string]slipway.AgentKind {
	agents := slices.Clone(imageAgents)
	for _, k := range b.kinds {
		agents = append(agents, k.Agent())
	}
	kinds := make(map[string]slipway.AgentKind, len(agents))
	for _, agent := range agents {
		if b.startLimit > 0 {
			agent.Start = b.startLimit
		}
		kinds[agent.Name] = agent
	}
	return kinds
}

// kindOf finds who serves an app.
func (b *Builder) kindOf(c appconfig.Config, server slipway.AgentServer) kind.Kind {
	i := slices.IndexFunc(b.kinds, func(k kind.Kind) bool { return k.Accepts(c, server) })
	if i < 0 {
		return nil
	}
	return b.kinds[i]
}

// kindNamed finds a kind by what a bundle says.
func (b *Builder) kindNamed(name string) kind.Kind {
	i := slices.IndexFunc(b.kinds, func(k kind.Kind) bool { return k.Agent().Name == name })
	if i < 0 {
		return nil
	}
	return b.kinds[i]
}
