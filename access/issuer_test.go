package access_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// vouched is a setting whose authority takes the tokens of a provider. Its clock
// begins with the provider's.
func vouched(t *testing.T, p *provider, edit func(*access.IssuerConfig)) *setting {
	t.Helper()
	s := newSetting(t, access.Config{})
	s.now = time.Now()
	config := access.IssuerConfig{
		URL: p.url, Audience: "slipway", ScopesClaim: "slipway_scopes", WorkspacesClaim: "slipway_workspaces",
		DefaultScopes: []slipway.Scope{slipway.ScopeRead}, DefaultWorkspaces: []slipway.WorkspaceID{"w"},
		Now: func() time.Time { return s.now },
	}
	if edit != nil {
		edit(&config)
	}
	issuer, err := access.NewIssuer(config)
	if err != nil {
		t.Fatal(err)
	}
	s.Authority = access.New(s.store, access.Config{Now: config.Now, Issuer: issuer})
	return s
}

func (s *setting) bear(token, tenant string) (slipway.Principal, error) {
	return s.Authenticate(s.t.Context(), slipway.Caller{Credential: slipway.Credential{Token: token, Bearer: true}, Tenant: tenant})
}

func TestATokenOfTheIssuer(t *testing.T) {
	p := newProvider(t)
	s := vouched(t, p, nil)
	token := p.token("slipway")
	got, err := s.bear(token, "")
	if err != nil || got.Subject != "id1" || got.Key != "" || got.Workspace != "w" || !slices.Equal(got.Scopes, []slipway.Scope{slipway.ScopeRead}) {
		t.Fatalf("%+v, %v", got, err)
	}
	asked := p.asked.Load()
	s.now = s.now.Add(5 * time.Second)
	if _, err := s.bear(token, ""); err != nil || p.asked.Load() != asked {
		t.Errorf("again: %v, %d questions of the issuer", err, p.asked.Load()-asked)
	}
	if _, err := s.ask(token); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("as X-Api-Key: %v", err)
	}
	key := s.key("k", func(*slipway.Key) {})
	if got, err := s.bear(key, ""); err != nil || got.Key != "k" {
		t.Errorf("a key as a bearer: %+v, %v", got, err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	p := newProvider(t)
	s := vouched(t, p, nil)
	twin := newProvider(t) // signs with the same key
	twin.key = p.key
	token, part := p.token("slipway"), strings.Split(p.token("slipway"), ".")
	for name, bad := range map[string]string{
		"another audience":  p.token("other"),
		"another issuer":    newProvider(t).token("slipway"),
		"another, same key": twin.token("slipway"),
		"no signature":      encode(`{"alg":"none"}`) + "." + part[1] + ".",
		"alg none, signed":  encode(`{"alg":"none"}`) + "." + part[1] + "." + part[2],
		"alg HS256":         encode(`{"alg":"HS256"}`) + "." + part[1] + "." + part[2],
		"tampered": part[0] + "." + encode(strings.Replace(decode(t, part[1]), `"sub":"id1"`, `"sub":"id2"`, 1)) +
			"." + part[2],
		"cut":      token[:len(token)-10],
		"nonsense": "a.b.c",
	} {
		if got, err := s.bear(bad, ""); slipway.CodeOf(err) != slipway.CodeUnauthenticated || err.Error() != "Invalid API key." {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := s.bear(token, ""); err != nil {
		t.Errorf("the one that is right: %v", err)
	}
	s.now = s.now.Add(2 * time.Hour)
	if _, err := s.bear(token, ""); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("expired: %v", err)
	}
}

func TestATokenThatIsNotGoodYet(t *testing.T) {
	p := newProvider(t)
	s := vouched(t, p, nil)
	p.claim(map[string]any{"nbf": s.now.Add(30 * time.Second).Unix()})
	if _, err := s.bear(p.token("slipway"), ""); err != nil {
		t.Errorf("within the skew of clocks: %v", err)
	}
	p.claim(map[string]any{"nbf": s.now.Add(2 * time.Minute).Unix()})
	if _, err := s.bear(p.token("slipway"), ""); slipway.CodeOf(err) != slipway.CodeUnauthenticated {
		t.Errorf("two minutes early: %v", err)
	}
}

func TestKeysOfTheIssuerRotate(t *testing.T) {
	p := newProvider(t)
	s := vouched(t, p, nil)
	old := p.token("slipway")
	if _, err := s.bear(old, ""); err != nil {
		t.Fatal(err)
	}
	p.rotate()
	if _, err := s.bear(p.token("slipway"), ""); err != nil {
		t.Errorf("by the new key: %v", err)
	}
	tries := 0 // the library hands the new keys out a moment before it forgets the old ones
	testsignal.Until(t, "the key that was withdrawn to be refused", func() bool {
		if tries++; tries < 100 { // long before the token ends
			s.now = s.now.Add(5 * time.Second)
		}
		_, err := s.bear(old, "")
		return slipway.CodeOf(err) == slipway.CodeUnauthenticated
	})
}

func TestAnIssuerThatCannotBeReached(t *testing.T) {
	p := newProvider(t)
	token := p.token("slipway")
	p.down.Store(true)
	s := vouched(t, p, nil)
	key := s.key("k", func(*slipway.Key) {})
	unavailable := func(when string) {
		t.Helper()
		_, err := s.bear(token, "")
		e, ok := errors.AsType[*slipway.Error](err)
		if !ok || e.Code != slipway.CodeUnavailable || e.After <= 0 || !strings.Contains(e.Text, "identity provider") {
			t.Errorf("%s: %v", when, err)
		}
	}
	unavailable("from the start")
	if _, err := s.bear(key, ""); err != nil {
		t.Errorf("a key meanwhile: %v", err)
	}
	asked := p.asked.Load()
	unavailable("again")
	if p.asked.Load() != asked {
		t.Error("the issuer was asked again at once")
	}
	p.down.Store(false)
	s.now = s.now.Add(5 * time.Second)
	if _, err := s.bear(token, ""); err != nil {
		t.Errorf("when it is back: %v", err)
	}

	// A key that is not known could be a new one: without the issuer that can
	// not be told.
	p.rotate()
	token = p.token("slipway")
	p.down.Store(true)
	unavailable("when its keys can not be had")
}

func TestClaimsSayWhatATokenMay(t *testing.T) {
	p := newProvider(t)
	s := vouched(t, p, nil)
	none := vouched(t, p, func(c *access.IssuerConfig) { c.DefaultWorkspaces = nil })
	type claims = map[string]any
	for name, c := range map[string]struct {
		s      *setting
		claims claims
		tenant string
		want   slipway.Principal
		code   slipway.Code
	}{
		"defaults":                 {s, nil, "", slipway.Principal{Workspace: "w", Home: true, Scopes: []slipway.Scope{"read"}}, ""},
		"defaults, named":          {s, nil, "W", slipway.Principal{Workspace: "w", Home: true, Scopes: []slipway.Scope{"read"}}, ""},
		"not the default":          {s, nil, "v", slipway.Principal{}, slipway.CodeForbidden},
		"no default":               {none, nil, "", slipway.Principal{}, slipway.CodeForbidden},
		"no default, named":        {none, nil, "w", slipway.Principal{}, slipway.CodeForbidden},
		"scopes as a text":         {s, claims{"slipway_scopes": "deploy other:scope admin"}, "", slipway.Principal{Workspace: "w", Home: true, Scopes: []slipway.Scope{"deploy", "admin"}}, ""},
		"scopes as a list":         {s, claims{"slipway_scopes": []string{"read", "secrets:read"}}, "", slipway.Principal{Workspace: "w", Home: true, Scopes: []slipway.Scope{"read", "secrets:read"}}, ""},
		"scopes of another kind":   {s, claims{"slipway_scopes": claims{"admin": true}}, "", slipway.Principal{Workspace: "w", Home: true}, ""},
		"no scopes":                {s, claims{"slipway_scopes": []string{}}, "", slipway.Principal{Workspace: "w", Home: true}, ""},
		"a workspace":              {none, claims{"slipway_workspaces": "V"}, "", slipway.Principal{Workspace: "v", Scopes: []slipway.Scope{"read"}}, ""},
		"a workspace, not another": {s, claims{"slipway_workspaces": "v"}, "w", slipway.Principal{}, slipway.CodeForbidden},
		"two, none named":          {s, claims{"slipway_workspaces": []string{"v", "w"}}, "", slipway.Principal{}, slipway.CodeForbidden},
		"two, one named":           {s, claims{"slipway_workspaces": []string{"v", "w"}}, "v", slipway.Principal{Workspace: "v", Scopes: []slipway.Scope{"read"}}, ""},
		"all, none named":          {s, claims{"slipway_workspaces": "*"}, "", slipway.Principal{}, slipway.CodeForbidden},
		"all, one named":           {s, claims{"slipway_workspaces": "*"}, "v", slipway.Principal{Workspace: "v", Organisation: true, Scopes: []slipway.Scope{"read"}}, ""},
		"all, none such":           {s, claims{"slipway_workspaces": []string{"*"}}, "u", slipway.Principal{}, slipway.CodeForbidden},
		"workspaces, none":         {s, claims{"slipway_workspaces": []string{}}, "", slipway.Principal{}, slipway.CodeForbidden},
		"gone":                     {s, claims{"slipway_workspaces": "u"}, "", slipway.Principal{}, slipway.CodeForbidden},
	} {
		p.claim(c.claims)
		got, err := c.s.bear(p.token("slipway"), c.tenant)
		if slipway.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Workspace != c.want.Workspace || got.Home != c.want.Home || got.Organisation != c.want.Organisation || !slices.Equal(got.Scopes, c.want.Scopes) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestDefaultsGiveNoPower(t *testing.T) {
	for _, c := range []access.IssuerConfig{
		{URL: "http://issuer.test"},
		{URL: "http://issuer.test", Audience: "slipway", DefaultScopes: []slipway.Scope{slipway.ScopeAdmin}},
		{URL: "http://issuer.test", Audience: "slipway", DefaultScopes: []slipway.Scope{slipway.ScopeRead, slipway.ScopeSecretsRead}},
	} {
		if _, err := access.NewIssuer(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decode(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
