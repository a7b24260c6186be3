package build

import (
	"context"
	"errors"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/engine"
)

// imageAgents run what is in images. But for those with a server of ours that
// keeps files, they have no state of their own where they run, so two may at once.
// Agent servers in their production form have it in databases. The files are the same
// whether their server can stand by or is of an earlier version.
var imageAgents = []slipway.AgentKind{
	{Name: image.Kind, Probe: "/ok", Start: 2 * time.Minute, Drain: 30 * time.Second},
	{Name: image.StateKind, Data: image.StateKind, Probe: "/ok", Exclusive: true, StandsBy: true, StartFailure: 1, Start: 2 * time.Minute, Drain: 30 * time.Second},
	{Name: image.AloneKind, Data: image.StateKind, Probe: "/ok", Exclusive: true, StartFailure: 1, Start: 2 * time.Minute, Drain: 30 * time.Second},
	{Name: image.AegraKind, Probe: "/health", Start: 3 * time.Minute, Drain: 30 * time.Second, Needs: slipway.Needs{Postgres: true, Redis: true}},
	{Name: image.ServerKind, Probe: "/ok", Start: 2 * time.Minute, Drain: 30 * time.Second, Needs: slipway.Needs{Postgres: true, Redis: true}},
}

// openImages sets up who makes images, if there is an engine; it removes those
// of an earlier server even if this one makes bundles.
func (b *Builder) openImages(o Options) error {
	if b.imagesOnly = o.Images != nil; b.imagesOnly && o.Engine == nil {
		return errors.New("images can only be built with a container engine: set --docker-host too")
	}
	if o.Engine == nil {
		return nil
	}
	options := image.Options{Engine: o.Engine, Owner: o.Owner, Fetched: b.pulls.Below("bases")}
	if o.Images != nil {
		options.Bases = *o.Images
	}
	b.images = image.New(options)
	return nil
}

// made remembers which images were begun to be made, by their keys.
func (b *Builder) made() engine.Pulls { return b.pulls.Below("made") }

// image has the engine make the app's image.
func (m *making) image(ctx context.Context) error {
	if m.AgentServer == slipway.AgentServerAegra && m.config.Language != appconfig.Python {
		return notServed(m.config, m.AgentServer)
	}
	secrets, err := m.Secrets(ctx)
	if err != nil {
		return err
	}
	if err := m.made().Expect(m.artefact.Digest); err != nil {
		return err
	}
	m.artefact, err = m.images.Build(ctx, image.App{
		Key: m.artefact.Digest, Dir: m.app(), Config: m.config, Server: m.AgentServer,
		InstallCommand: m.InstallCommand, BuildCommand: m.BuildCommand, Secrets: secrets,
	}, m.log)
	return err
}
