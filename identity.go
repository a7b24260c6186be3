package slipway

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Credential is a token, and how it came.
type Credential struct {
	Token  string
	Bearer bool // as Authorization: Bearer, where an identity provider's tokens are taken too
}

// Identity is who presents a credential, before a workspace is chosen.
type Identity struct {
	Key        KeyID         // "" for whom the identity provider vouches
	Subject    string        // of the identity provider; "" for a key
	Scopes     []Scope       // rights, the same in every workspace
	Everywhere bool          // good for every workspace, also for those made later
	Workspaces []WorkspaceID // good for these, unless Everywhere
	Deployment DeploymentID  // of the agent that holds the key; good for nothing else
	Until      time.Time     // not a moment longer; zero: no end
}

// May says whether the identity has the right.
func (i Identity) May(s Scope) bool { return slices.Contains(i.Scopes, s) }

// Reaches says whether a deployment of a workspace is there for the identity.
func (i Identity) Reaches(w WorkspaceID, d DeploymentID) bool {
	if i.Deployment != "" && i.Deployment != d {
		return false
	}
	return w != "" && (i.Everywhere || slices.Contains(i.Workspaces, w))
}

// needsWorkspace is the machine-readable word of the contract (§1) for a
// credential that is good for several workspaces and came without one.
const needsWorkspace = "org_scoped_key_requires_workspace"

// Choose returns the workspace that a request is about: the one that it asks
// for, else the only one that there is for the identity. Whether an identity
// that is good everywhere asks for one that exists, is for the caller to look up.
func (i Identity) Choose(tenant string) (WorkspaceID, error) {
	if i.Deployment != "" {
		return "", Errorf(CodeForbidden, "This API key belongs to an agent and is good for its deployment only.")
	}
	return i.ChooseForTraces(tenant)
}

// ChooseForTraces is Choose where the key of an agent is good too.
func (i Identity) ChooseForTraces(tenant string) (WorkspaceID, error) {
	asked := WorkspaceID(strings.ToLower(tenant))
	switch {
	case asked != "" && !i.Reaches(asked, i.Deployment):
		return "", ErrNotYours(tenant)
	case asked != "":
		return asked, nil
	case !i.Everywhere && len(i.Workspaces) == 1:
		return i.Workspaces[0], nil
	case i.Key != "":
		return "", &Error{
			Code: CodeForbidden, Reason: needsWorkspace,
			Text: "This API key is org-scoped and requires workspace specification. Please provide 'X-Tenant-ID' header.",
		}
	case !i.Everywhere && len(i.Workspaces) == 0:
		return "", Errorf(CodeForbidden, "This token is good for no workspace of this server.")
	}
	return "", &Error{
		Code: CodeForbidden, Reason: needsWorkspace,
		Text: "This token requires workspace specification. Please provide 'X-Tenant-ID' header.",
	}
}

// ErrNotYours refuses a workspace. It is the same for one that does not exist.
func ErrNotYours(tenant string) error {
	return Errorf(CodeForbidden, "This API key does not belong to workspace %s.", tenant)
}

// Principal is who asks the control plane: an identity, in one workspace.
type Principal struct {
	Key          KeyID       // "" for whom the identity provider vouches
	Subject      string      // of the identity provider; "" for a key
	Workspace    WorkspaceID // "" where an operation needs none and none was named
	Home         bool        // Workspace is the installation's first
	Organisation bool        // good for every workspace
	Scopes       []Scope
	Deployment   DeploymentID // of the agent that asks: only for its own traces; "" for people
}

// May says whether the principal has the right.
func (p Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Administers says whether the principal is an administrator of the whole
// installation: admin in its first workspace, or in all of them.
func (p Principal) Administers() bool { return p.May(ScopeAdmin) && (p.Home || p.Organisation) }

// Sees says whether a workspace exists for the principal.
func (p Principal) Sees(w WorkspaceID) bool {
	return p.Workspace == w || p.Organisation || p.Administers()
}

// Caller is who calls an operation of the control plane, before they are
// believed.
type Caller struct {
	Credential
	Tenant   string // the workspace asked for, in any case; "" for none
	Anywhere bool   // the operation is about no workspace: none has to be chosen
	Address  string // where the call comes from, host:port; "" if that is not known
}

// Identifier says who presents a credential. One that is unknown, has expired
// or was revoked is an Error with CodeUnauthenticated; one that can not be
// checked just now an Error with CodeUnavailable.
type Identifier interface {
	Identify(context.Context, Credential) (Identity, error)
}

// Authenticator says who calls the control plane, and in which workspace. Who
// calls too often gets an Error with CodeRateLimited.
type Authenticator interface {
	Authenticate(context.Context, Caller) (Principal, error)
}

// Tracers says who writes or reads traces, and in which workspace: agents too,
// each for its own, with the key that they were given. Who knows a good key is
// never refused for calling often, since what they tell would be lost.
type Tracers interface {
	Tracer(context.Context, Caller) (Principal, error)
}
