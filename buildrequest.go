package slipway

import (
	"context"
	"io"
)

// BuildRequest is one build: a source, and what is to be made of it; or an image
// that is to be fetched.
type BuildRequest struct {
	Deployment     DeploymentID
	Revision       RevisionID
	Image          string // to be fetched instead of being built, "" for a source
	SourceDigest   string // SHA-256 of the tarball, hex
	SourceTree     string // digest of the files in it, hex; "" if they could not be read
	Source         func(context.Context) (io.ReadCloser, error)
	ConfigPath     string // langgraph.json within the source, "" for its root
	InstallCommand string
	BuildCommand   string
	AgentServer    AgentServer
	// Secrets are the deployment's variables for builds, and RegistryAuth what
	// an image is fetched with. Both are read when they are needed.
	Secrets func(context.Context) ([]EnvVar, error)
	// Confidential are values that nothing may show that a build says; nil for none.
	Confidential func(context.Context) ([]string, error)
	RegistryAuth func(context.Context) (RegistryAuth, error)
}

// RegistryAuth is what a registry wants to know of who fetches an image; zero
// where it wants nothing.
type RegistryAuth struct{ Username, Password string }
