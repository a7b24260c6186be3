package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway"
)

func TestAccessFlags(t *testing.T) {
	parse := func(args string) accessFlags {
		t.Helper()
		var f accessFlags
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.register(flags)
		if err := flags.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for args, want := range map[string]struct {
		rate   float64
		burst  int
		issuer bool
	}{
		"":                                  {100, 200, false},
		"--rate-limit 5":                    {5, 10, false},
		"--rate-limit 5 --rate-burst 7":     {5, 7, false},
		"--rate-limit 0":                    {0, 0, false},
		"--oidc-issuer u --oidc-audience a": {100, 200, true},
	} {
		c, err := parse(args).config()
		if err != nil || c.Rate != want.rate || c.Burst != want.burst || (c.Issuer != nil) != want.issuer || c.Guesses == 0 {
			t.Errorf("%q: %+v, %v", args, c, err)
		}
	}
	for args, text := range map[string]string{
		"--rate-limit -1": "negative",
		"--oidc-issuer u": "audience",
		"--oidc-issuer u --oidc-audience a --oidc-default-scopes read,admin": "admin can not be a default",
		"--oidc-issuer u --oidc-audience a --oidc-default-scopes all":        `Unknown scope "all"`,
	} {
		_, err := parse(args).config()
		if _, usage := errors.AsType[usageError](err); !usage || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %q", args, err, text)
		}
	}
}

func TestAdminKeyFlags(t *testing.T) {
	n, err := adminKeyFlags{name: "admin"}.key()
	if err != nil || n.Name != "admin" || n.Scopes != nil || n.Organisation || !n.ExpiresAt.IsZero() {
		t.Errorf("as the first: %+v, %v", n, err)
	}
	n, err = adminKeyFlags{output: "-", scopes: []string{"read", "secrets:read"}, organization: true, expiresIn: time.Hour}.key()
	if err != nil || !n.Organisation || !slices.Equal(n.Scopes, []slipway.Scope{slipway.ScopeRead, slipway.ScopeSecretsRead}) || !n.ExpiresAt.After(time.Now()) {
		t.Errorf("a special one: %+v, %v", n, err)
	}
	for text, f := range map[string]adminKeyFlags{
		"--output":        {organization: true},
		"either":          {output: "-", organization: true, workspace: "w"},
		"negative":        {output: "-", expiresIn: -1},
		"Unknown scope":   {output: "-", scopes: []string{"root"}},
		"say by --output": {scopes: []string{"read"}},
	} {
		_, err := f.key()
		if _, usage := errors.AsType[usageError](err); !usage || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want %q", f, err, text)
		}
	}
}
