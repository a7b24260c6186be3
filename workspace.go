package slipway

import (
	"slices"
	"time"
)

// Workspace owns deployments, keys and tracing projects. It is the contract's
// tenant.
type Workspace struct {
	ID        WorkspaceID
	Name      string
	CreatedAt time.Time
}

// Scope is a right that a key carries and a route demands.
type Scope string

const (
	ScopeRead        Scope = "read"
	ScopeDeploy      Scope = "deploy"
	ScopeDelete      Scope = "delete"
	ScopeAdmin       Scope = "admin"
	ScopeSecretsRead Scope = "secrets:read" // secret values in clear; never given by default
)

// DefaultScopes are those of the first key: everything but reading secrets.
func DefaultScopes() []Scope {
	return []Scope{ScopeRead, ScopeDeploy, ScopeDelete, ScopeAdmin}
}

// Principal is who is asking: a key, resolved to one workspace.
type Principal struct {
	Key       KeyID
	Workspace WorkspaceID
	Scopes    []Scope
}

// May says whether the principal has the right.
func (p Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// TracingProject is where a deployment's traces go; it outlives the deployment
// unless its deletion is asked for (contract §3).
type TracingProject struct {
	ID         ProjectID
	Workspace  WorkspaceID
	Name       string
	Deployment DeploymentID // "" once the deployment is gone
	Kept       bool         // made for a deployment and kept after its end: the name may be taken again
	CreatedAt  time.Time
}
