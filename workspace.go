package slipway

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Workspace owns deployments, keys and tracing projects. It is the contract's
// tenant.
type Workspace struct {
	ID        WorkspaceID
	Name      string
	Home      bool // the installation's first: its administrators are those of all, and it stays
	CreatedAt time.Time
}

// Page is a part of a list: Limit of it, all if that is 0, from Offset on.
type Page struct{ Limit, Offset int }

// maxTitle bounds the name of a workspace or a key, in characters.
const maxTitle = 100

// CheckTitle says what is wrong with the name of a workspace or a key.
func CheckTitle(name string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxTitle || strings.TrimSpace(name) != name || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Errorf(CodeInvalid, "Invalid name %q: use 1 to %d characters, none of them a control character, and no space at either end.", name, maxTitle)
	}
	return nil
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

// scopes are all that there are.
var scopes = []Scope{ScopeRead, ScopeDeploy, ScopeDelete, ScopeAdmin, ScopeSecretsRead}

// ParseScopes reads scopes by their names and leaves out what comes twice.
func ParseScopes(names []string) ([]Scope, error) {
	var found []Scope
	for _, name := range names {
		s := Scope(name)
		if !slices.Contains(scopes, s) {
			return nil, Errorf(CodeInvalid, "Unknown scope %q: there are read, deploy, delete, admin and secrets:read.", name)
		}
		if !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found, nil
}
