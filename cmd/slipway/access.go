package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
)

// Wrong keys of an address: enough for what is misconfigured, and little work.
const (
	guessesPerSecond = 20
	guessesAtOnce    = 400
)

// accessFlags say who is let in, and how often.
type accessFlags struct {
	rate, burst       int
	issuer, audience  string
	scopesClaim       string
	workspacesClaim   string
	scopes, workspace []string
}

func (f *accessFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.rate, "rate-limit", 100, "requests per second of each key to the control plane (0: no limit)")
	flags.IntVar(&f.burst, "rate-burst", 0, "requests of a key at once (default: twice the rate)")
	flags.StringVar(&f.issuer, "oidc-issuer", "", "URL of an OpenID Connect issuer whose tokens are taken as bearers")
	flags.StringVar(&f.audience, "oidc-audience", "", "audience of its tokens, usually our client id")
	flags.StringVar(&f.scopesClaim, "oidc-scopes-claim", "slipway_scopes", "claim that names the scopes of a token")
	flags.StringVar(&f.workspacesClaim, "oidc-workspaces-claim", "slipway_workspaces", "claim that names the workspaces of a token, by id; * for all")
	flags.StringSliceVar(&f.scopes, "oidc-default-scopes", []string{"read"}, "scopes of a token without that claim, without admin and secrets:read")
	flags.StringSliceVar(&f.workspace, "oidc-default-workspaces", nil, "workspaces of a token without that claim (default: none, such a token is refused)")
}

func (f accessFlags) config() (access.Config, error) {
	c := access.Config{Rate: float64(f.rate), Burst: f.burst, Guesses: guessesPerSecond, GuessBurst: guessesAtOnce}
	if f.rate < 0 || f.burst < 0 {
		return c, usagef("--rate-limit and --rate-burst can not be negative")
	}
	if f.burst == 0 {
		c.Burst = 2 * f.rate
	}
	if f.issuer == "" {
		return c, nil
	}
	scopes, err := slipway.ParseScopes(f.scopes)
	if err != nil {
		return c, usagef("--oidc-default-scopes: %v", err)
	}
	issuer := access.IssuerConfig{
		URL: f.issuer, Audience: f.audience, ScopesClaim: f.scopesClaim, WorkspacesClaim: f.workspacesClaim, DefaultScopes: scopes,
	}
	for _, id := range f.workspace {
		issuer.DefaultWorkspaces = append(issuer.DefaultWorkspaces, slipway.WorkspaceID(strings.ToLower(id)))
	}
	if c.Issuer, err = access.NewIssuer(issuer); err != nil {
		return c, usagef("--oidc-issuer: %v", err)
	}
	return c, nil
}
