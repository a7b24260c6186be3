// Package js is the kind of agent that LangGraph's JavaScript server runs.
//
// An app brings its graphs and what they import; the server is ours to bring.
// It lies in one folder for each version and each major version of Node, is
// installed once and shared; a revision is pinned to the one it was built with.
// What apps import is installed once for each content of their manifests, and
// shared too. Both are made aside and put in place whole.
package js

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/internal/keylock"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/build/kind/internal/shelf"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// Name of the kind.
const Name = "langgraph-js"

// Keys of what a build records.
const (
	runtimeNode   = "node"   // version of Node
	runtimeServer = "server" // version of the shared server folder
	runtimeLock   = "lock"   // SHA-256 of the lock file that was installed, hex

	runtimeManager = "package_manager" // name and version of what installed
)

const (
	drain = 30 * time.Second
	// wrapUp is what the launcher takes at most once it stops waiting for runs.
	wrapUp = 5 * time.Second
)

// Kind of LangGraph's JavaScript server.
type Kind struct {
	cache       string
	tools       *toolchain.Toolchains
	confinement *command.Confinement
	shelf       *shelf.Shelf
	locks       keylock.Locks // of caches that one may write to at a time
}

// New keeps what is shared below the folder cache and makes it below tmp, on
// the same file system.
func New(cache, tmp string, tools *toolchain.Toolchains, confinement *command.Confinement) *Kind {
	return &Kind{cache: cache, tools: tools, shelf: shelf.New(tmp), confinement: confinement}
}

// Agent says how the server is run. Its state is files that it rewrites whole:
// no two instances at once.
func (k *Kind) Agent() slipway.AgentKind {
	return slipway.AgentKind{
		Name: Name, Probe: "/ok", Exclusive: true, StandsBy: true, StartFailure: 1,
		Start: 120 * time.Second, Drain: drain,
	}
}

// Fingerprint is that of the server and of how dependencies are installed.
func (k *Kind) Fingerprint() string { return Name + " " + serverVersion() + " " + installVersion }

// Accepts JavaScript and TypeScript, for which there is no other server.
func (k *Kind) Accepts(c appconfig.Config, server slipway.AgentServer) bool {
	return c.Language == appconfig.JavaScript && (server == "" || server == slipway.AgentServerLangGraph)
}

// Prepare installs what the app imports, and the server if it is not there.
func (k *Kind) Prepare(ctx context.Context, app kind.App, log io.Writer) (map[string]string, error) {
	node, err := k.tools.Node(ctx, app.Config.Node, log)
	if err != nil {
		return nil, err
	}
	server, err := k.server(ctx, node, log)
	if err != nil {
		return nil, err
	}
	installed, err := k.install(ctx, app, node, log)
	if err != nil {
		return nil, err
	}
	warnOfPeers(installed, server, log)
	return installed.record(map[string]string{runtimeNode: node.Version, runtimeServer: serverVersion()}), nil
}

// Launch starts the app by the server that it was built with, as long as that
// is there: one of an earlier version may know of no sockets.
func (k *Kind) Launch(ctx context.Context, b kind.Bundle) (slipway.Launch, error) {
	node, err := k.tools.Exactly(ctx, b.Runtime[runtimeNode])
	if err != nil {
		return slipway.Launch{}, err
	}
	server := k.serverDir(b.Runtime[runtimeServer], node)
	if !exists(server) {
		if server, err = k.server(ctx, node, io.Discard); err != nil {
			return slipway.Launch{}, err
		}
	}
	return slipway.Launch{
		Args: []string{node.Path, filepath.Join(server, "serve.mjs")},
		Env: []slipway.EnvVar{
			{Name: "PATH", Value: filepath.Dir(node.Path) + ":/usr/local/bin:/usr/bin:/bin"},
			{Name: "SLIPWAY_APP_DIR", Value: b.Dir},
			{Name: "SLIPWAY_CONFIG", Value: b.Config},
			{Name: "SLIPWAY_DRAIN_SECONDS", Value: strconv.Itoa(int((drain - wrapUp).Seconds()))},
		},
		Read:   append(k.tools.RuntimeFiles(node), k.files(b, server)...),
		Socket: exists(filepath.Join(server, "serve", "door.mjs")),
	}, nil
}

// files that an app needs beside its Node.
func (k *Kind) files(b kind.Bundle, server string) []string {
	files := []string{b.Dir, server}
	if name := b.Runtime[kind.RuntimeDependencies]; name != "" && name != kind.OwnDependencies {
		files = append(files, filepath.Join(k.cache, kind.Dependencies, name))
	}
	return files
}

// Warm brings what every first build needs, before there is one.
func (k *Kind) Warm(ctx context.Context, log io.Writer) error {
	node, err := k.tools.Node(ctx, appconfig.MinNode, log)
	if err != nil {
		return err
	}
	_, err = k.server(ctx, node, log)
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// stepInstall is the step of every failure of an installation.
const stepInstall = "install"

func fail(code, format string, args ...any) *slipway.Failure {
	return failure.New(stepInstall, code, format, args...)
}
