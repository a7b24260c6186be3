package slipway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// tokenPrefix makes tokens recognisable to people and to scanners for leaks.
const tokenPrefix = "slipway_"

// NewToken makes the secret half of a key. It carries 256 random bits, so that
// a plain hash of it is enough: there is nothing to guess.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// IsToken says whether a text looks like a token of ours.
func IsToken(text string) bool { return strings.HasPrefix(text, tokenPrefix) }

// HashToken is what is kept of a token.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Key is an API key as it is kept: a hash, never the token in clear.
type Key struct {
	ID         KeyID
	Workspace  WorkspaceID // "" for a key of the whole organisation
	Name       string
	Hash       string // SHA-256 of the token, hex
	Scopes     []Scope
	Deployment DeploymentID // set on a key that an agent holds; it dies with the deployment
	Sealed     []byte       // the token, for the agent whenever it starts; nil of any other key
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: valid
	LastUsedAt time.Time
}

// Valid says whether the key may be used at all.
func (k Key) Valid(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Administers says whether the key is an administrator's of the whole
// installation, whose first workspace is home.
func (k Key) Administers(home WorkspaceID) bool {
	return slices.Contains(k.Scopes, ScopeAdmin) && k.Deployment == "" && (k.Workspace == "" || k.Workspace == home)
}

// NewKey is what a key is asked for with.
type NewKey struct {
	Name         string
	Workspace    WorkspaceID // "" for that of whoever asks
	Organisation bool        // good for every workspace; Workspace is "" then
	Scopes       []Scope     // nil for read, deploy and delete
	ExpiresAt    time.Time   // zero: never
}

// Identity is who presents the key.
func (k Key) Identity() Identity {
	i := Identity{Key: k.ID, Scopes: k.Scopes, Everywhere: k.Workspace == "", Deployment: k.Deployment, Until: k.ExpiresAt}
	if !i.Everywhere {
		i.Workspaces = []WorkspaceID{k.Workspace}
	}
	return i
}
