// Package kind is what a builder asks of a kind of Agent Server. Each kind is a
// folder below; adding one touches nothing else but the place that lists them.
package kind

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/command"
)

// Kind of Agent Server.
type Kind interface {
	// Agent says how it is run once it is built.
	Agent() slipway.AgentKind
	// Fingerprint changes when the same source would be built differently.
	Fingerprint() string
	// Accepts says whether it serves such an app by the server asked for, or by
	// default.
	Accepts(c appconfig.Config, server slipway.AgentServer) bool
	// Prepare makes an unpacked source ready to be started, in its folder, and
	// returns the versions that it settled on. A *slipway.Failure is final,
	// every other error temporary.
	Prepare(ctx context.Context, app App, log io.Writer) (runtime map[string]string, err error)
	// Launch says how a bundle is started. It is quick, unless something that
	// bundles share has to be made again.
	Launch(ctx context.Context, b Bundle) (slipway.Launch, error)
}

// Dependencies is the folder, below that for what bundles share, with a folder
// for each set of dependencies. Prepare names that of an app under
// RuntimeDependencies: it is kept as long as a bundle that does so. One that is
// used for another bundle is marked by Touch first.
const (
	Dependencies        = "dependencies"
	RuntimeDependencies = "dependencies"
	// OwnDependencies stands there for an app that shares none.
	OwnDependencies = "own"
)

// Touch says that a shared folder is in use, though no bundle names it yet.
func Touch(dir string) error {
	now := time.Now()
	return os.Chtimes(dir, now, now)
}

// App is a source on its way to be a bundle.
type App struct {
	Dir            string // its root; moved elsewhere, at the same depth, when it is finished
	Home           string // where Dir will be then
	Scratch        string // for temporary things, on the same file system
	Config         appconfig.Config
	InstallCommand string // in place of the usual one, "" for that
	BuildCommand   string // after the installation, "" for none
	Secrets        []slipway.EnvVar
	// Sandbox is what every program of the build runs in.
	Sandbox *command.Sandbox
}

// Bundle is a finished app. It is read-only and shared.
type Bundle struct {
	Dir     string            // its root
	Config  string            // langgraph.json, relative to the root
	Runtime map[string]string // what Prepare returned
}
