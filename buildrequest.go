package slipway

import (
	"context"
	"io"
)

// BuildRequest is one build: a source, and what is to be made of it.
type BuildRequest struct {
	Deployment     DeploymentID
	Revision       RevisionID
	SourceDigest   string // SHA-256 of the tarball, hex
	Source         func(context.Context) (io.ReadCloser, error)
	ConfigPath     string // langgraph.json within the source, "" for its root
	InstallCommand string
	BuildCommand   string
}
