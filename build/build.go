package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/archive"
	"github.com/slipwayhq/slipway/build/internal/content"
	"github.com/slipwayhq/slipway/build/internal/durable"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
)

// Build makes the bundle or image of a request, unless it is there, or fetches its
// image.
// Log gets lines as they happen. A second build of the same waits for the first.
func (b *Builder) Build(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	if r.Image != "" {
		return b.fetch(ctx, r, log)
	}
	key := b.Key(r)
	unlock, err := b.locks.Lock(ctx, key, func() { fmt.Fprintln(log, "Waiting: another build makes the same") })
	if err != nil {
		return slipway.Artefact{}, err
	}
	defer unlock()
	if b.imagesOnly {
		return b.make(ctx, key, r, log)
	}
	if a, err := b.read(key); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			fmt.Fprintf(log, "Nothing has changed: using bundle %.12s, which is there\n", key)
		}
		return a, err
	}
	return b.make(ctx, key, r, log)
}

func (b *Builder) make(ctx context.Context, key string, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	begin := time.Now()
	work, err := os.MkdirTemp(b.tmp, "build-")
	if err != nil {
		return slipway.Artefact{}, failure.During("prepare", err)
	}
	defer durable.Discard(work)
	m := &making{Builder: b, BuildRequest: r, log: log, bundle: work, artefact: slipway.Artefact{Digest: key}}
	if err := m.all(ctx); err != nil {
		return slipway.Artefact{}, err
	}
	if b.imagesOnly {
		return m.artefact, nil
	}
	fmt.Fprintf(log, "Built bundle %.12s in %.1f s\n", key, time.Since(begin).Seconds())
	return m.artefact, nil
}

// runtimeContent is the key of the digest of all that is in a bundle: the same
// source, built twice, has the same.
const runtimeContent = "content"

// making is one bundle or image on its way.
type making struct {
	*Builder
	slipway.BuildRequest
	log      io.Writer
	bundle   string // its folder: as deep below the data folder as it will be
	artefact slipway.Artefact
	config   appconfig.Config
}

func (m *making) all(ctx context.Context) error {
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"config", m.check},
		{"unpack", func() error { return m.unpack(ctx) }},
		{"config", m.configure},
		{"install", func() error { return m.prepare(ctx) }},
		{"publish", m.publish},
	} {
		err := s.do()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return failure.During(s.name, err)
		}
	}
	return nil
}

func (m *making) app() string { return filepath.Join(m.bundle, "app") }

// check looks at the request before anything is done for it.
func (m *making) check() error {
	path, err := appconfig.CheckPath(m.ConfigPath)
	m.artefact.Config = path
	if err != nil {
		return err
	}
	for name, command := range map[string]string{"install_command": m.InstallCommand, "build_command": m.BuildCommand} {
		if err := slipway.CheckCommand(name, command); err != nil { // of a time before it was refused
			return failure.New("config", "command_refused", "%v", err)
		}
	}
	return nil
}

func (m *making) unpack(ctx context.Context) error {
	if err := os.MkdirAll(m.app(), 0o755); err != nil {
		return err
	}
	source, err := m.Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	sum := sha256.New()
	done, err := archive.Unpack(io.TeeReader(obeying{ctx, source}, sum), m.app(), archive.Options{Limits: archive.SourceLimits()})
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.SourceDigest {
		return fmt.Errorf("source has digest %s, not %s", got, m.SourceDigest)
	}
	fmt.Fprintf(m.log, "Unpacked the source: %d files, %s\n", done.Files, size(done.Bytes))
	return nil
}

// obeying ends with its context.
type obeying struct {
	ctx context.Context
	r   io.Reader
}

func (o obeying) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	return o.r.Read(p)
}

func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

func (m *making) configure() (err error) {
	m.config, err = appconfig.Load(m.app(), m.artefact.Config)
	if err != nil {
		return err
	}
	fmt.Fprintf(m.log, "Read %s: %s\n", m.config.Path, graphs(m.config))
	if m.config.EnvFileMissing(m.app()) {
		fmt.Fprintf(m.log, "Warning: env names %s, which is not in the source\n", m.config.EnvFile)
	}
	return nil
}

func graphs(c appconfig.Config) string {
	if len(c.Graphs) == 1 {
		return "graph " + c.Graphs[0].Name
	}
	return fmt.Sprintf("%d graphs", len(c.Graphs))
}

func (m *making) prepare(ctx context.Context) error {
	if m.imagesOnly {
		return m.image(ctx)
	}
	k := m.kindOf(m.config, m.AgentServer)
	if k == nil {
		return notServed(m.config, m.AgentServer)
	}
	secrets, err := m.Secrets(ctx)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(m.tmp, "scratch-")
	if err != nil {
		return err
	}
	defer durable.Discard(scratch)
	m.artefact.Kind = k.Agent().Name
	m.artefact.Runtime, err = k.Prepare(ctx, kind.App{
		Dir: m.app(), Home: filepath.Join(m.dir(m.artefact.Digest), "app"), Scratch: scratch, Config: m.config,
		InstallCommand: m.InstallCommand, BuildCommand: m.BuildCommand, Secrets: secrets,
	}, m.log)
	return err
}

func notServed(c appconfig.Config, server slipway.AgentServer) error {
	if server != "" && c.Language != appconfig.Python {
		return failure.WithHint(
			failure.New("config", "agent_server_not_served", "The agent server %q does not serve apps in this language.", server),
			"Leave source_config.agent_server out, or set it to langgraph.")
	}
	if c.Language == appconfig.Python {
		return failure.WithHint(
			failure.New("config", "python_not_served", "Python apps are not served yet: graph %q is in %s.", c.Graphs[0].Name, c.Graphs[0].File),
			"JavaScript and TypeScript apps are.")
	}
	return failure.New("config", "language_not_served", "No kind of agent serves apps in %q.", c.Language)
}

// publish writes down what the bundle has come to, and puts it in its place.
func (m *making) publish() error {
	if m.imagesOnly {
		return nil // the engine has it
	}
	digest, err := content.Digest(m.app())
	if err != nil {
		return err
	}
	m.artefact.Runtime = maps.Clone(m.artefact.Runtime)
	m.artefact.Runtime[runtimeContent] = digest
	if err := writeDescription(m.bundle, m.artefact); err != nil {
		return err
	}
	return durable.Publish(m.bundle, m.dir(m.artefact.Digest))
}
