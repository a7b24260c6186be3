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
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/content"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/internal/durable"
	"github.com/slipwayhq/slipway/internal/mask"
)

// Build makes the bundle or image of a request, unless it is there, or fetches its
// image. Log gets lines as they happen. A second build of the same waits for the
// first.
// Nothing that it writes, nor the error, shows what the request calls confidential.
func (b *Builder) Build(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	masker, err := maskerFor(ctx, r)
	if err != nil {
		return slipway.Artefact{}, err
	}
	masked := masker.Writer(log)
	a, err := b.once(ctx, r, masker, masked)
	if end := masked.Flush(); err == nil {
		err = end
	}
	return a, masker.Error(err)
}

func maskerFor(ctx context.Context, r slipway.BuildRequest) (*mask.Masker, error) {
	if r.Confidential == nil {
		return mask.New(), nil
	}
	values, err := r.Confidential(ctx)
	return mask.New(values...), err
}

// once fetches an image, or builds what is not there.
func (b *Builder) once(ctx context.Context, r slipway.BuildRequest, masker *mask.Masker, log io.Writer) (slipway.Artefact, error) {
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
		return b.make(ctx, key, r, masker, log)
	}
	if a, err := b.read(key); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			fmt.Fprintf(log, "Nothing has changed: using bundle %.12s, which is there\n", key)
		}
		return a, err
	}
	return b.make(ctx, key, r, masker, log)
}

// refuse fails what is to be built while the disk is almost full.
func (b *Builder) refuse() error {
	if b.room == nil {
		return nil
	}
	if err := b.room(); err != nil {
		return failure.WithHint(failure.New("prepare", "disk_full", "%v", err), "Free some space below the data folder and deploy again.")
	}
	return nil
}

func (b *Builder) make(ctx context.Context, key string, r slipway.BuildRequest, masker *mask.Masker, log io.Writer) (slipway.Artefact, error) {
	begin := time.Now()
	if err := b.refuse(); err != nil {
		return slipway.Artefact{}, err
	}
	work, err := b.passable("build-")
	if err != nil {
		return slipway.Artefact{}, failure.During("prepare", err)
	}
	defer durable.Discard(work)
	m := &making{Builder: b, BuildRequest: r, log: log, mask: masker, bundle: work, artefact: slipway.Artefact{Digest: key}}
	if err := m.all(ctx); err != nil {
		return slipway.Artefact{}, err
	}
	if b.imagesOnly {
		return m.artefact, nil
	}
	fmt.Fprintf(log, "Built bundle %.12s in %.1f s\n", key, time.Since(begin).Seconds())
	return m.artefact, nil
}

// passable makes a folder for what is being made, which others may pass through
// but not look into: what lies in it can be theirs.
func (b *Builder) passable(name string) (string, error) {
	dir, err := os.MkdirTemp(b.tmp, name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// runtimeContent is the key of the digest of all that is in a bundle: the same
// source, built twice, has the same.
const runtimeContent = "content"

// making is one bundle or image on its way.
type making struct {
	*Builder
	slipway.BuildRequest
	log      io.Writer
	mask     *mask.Masker
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
	if err := maskSettings(m.mask, m.app()); err != nil {
		return err
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

func (m *making) prepare(ctx context.Context) (err error) {
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
	scratch, err := m.passable("scratch-")
	if err != nil {
		return err
	}
	defer durable.Discard(scratch)
	box := m.confinement.Sandbox(command.Scope{Mark: m.bundle, Mask: m.mask})
	defer func() {
		if end := box.Close(); err == nil {
			err = end
		}
	}()
	m.artefact.Kind = k.Agent().Name
	m.artefact.Runtime, err = k.Prepare(ctx, kind.App{
		Dir: m.app(), Home: filepath.Join(m.dir(m.artefact.Digest), "app"), Scratch: scratch, Config: m.config,
		InstallCommand: m.InstallCommand, BuildCommand: m.BuildCommand, Secrets: secrets, Sandbox: box,
	}, m.log)
	return err
}

func notServed(c appconfig.Config, server slipway.AgentServer) error {
	if server != "" && c.Language != appconfig.Python {
		return failure.WithHint(
			failure.New("config", "agent_server_not_served", "The agent server %q does not serve apps in this language.", server),
			"Leave source_config.agent_server out, or set it to langgraph.")
	}
	return failure.New("config", "language_not_served", "No kind of agent serves apps in %q.", c.Language)
}

// publish writes down what the bundle has come to, and puts it in its place.
func (m *making) publish() error {
	auth, err := m.config.Variable(m.app(), slipway.AuthVariable)
	if err != nil {
		return err
	}
	m.artefact.TakesKeys = auth == slipway.AuthLangSmith
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
