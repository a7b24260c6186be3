// Package aegra is the kind of agent that Aegra runs, whose state is in
// PostgreSQL.
package aegra

import (
	"context"
	"embed"
	"io"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/kind/internal/python"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// Name of the kind.
const Name = "aegra"

const (
	drain = 30 * time.Second
	// minPython is the lowest minor version of Python 3 that Aegra runs on.
	minPython = 12
)

// What the server is: pins, and a lock of all that they need.
var (
	//go:embed server/requirements.in
	requires string
	//go:embed server/requirements.txt
	lock string
	//go:embed all:serve
	launcher embed.FS
)

// Kind of Aegra.
type Kind struct {
	maker    *python.Maker
	launcher *python.Launcher
}

// New keeps what is shared below the folder cache and makes it below tmp, on the
// same file system.
func New(cache, tmp string, tools *toolchain.Toolchains, confinement *command.Confinement) *Kind {
	return &Kind{
		maker: python.New(python.Server{
			Name: "Aegra", Packages: []string{"aegra-api"}, Requires: requires, Lock: lock, Least: minPython,
		}, cache, tmp, tools, confinement),
		launcher: python.NewLauncher(Name, launcher, cache, tmp),
	}
}

// Agent says how the server is run. Instances may run at once: what they share
// is in the database. The first start makes its tables.
func (k *Kind) Agent() slipway.AgentKind {
	return slipway.AgentKind{
		Name: Name, Probe: "/health", StartFailure: 1,
		Start: 180 * time.Second, Drain: drain,
		Needs: slipway.Needs{Postgres: true, Redis: true},
	}
}

// Fingerprint is that of the server and of how dependencies are installed.
func (k *Kind) Fingerprint() string { return Name + " " + k.maker.Fingerprint() }

// Accepts Python, when it is asked for.
func (k *Kind) Accepts(c appconfig.Config, server slipway.AgentServer) bool {
	return c.Language == appconfig.Python && server == slipway.AgentServerAegra
}

// Prepare installs what the app imports and the server beside it.
func (k *Kind) Prepare(ctx context.Context, app kind.App, log io.Writer) (map[string]string, error) {
	return k.maker.Prepare(ctx, app, log)
}

// Launch starts the app by the launcher of today.
func (k *Kind) Launch(ctx context.Context, b kind.Bundle) (slipway.Launch, error) {
	return k.maker.Launch(ctx, b, k.launcher, drain)
}
