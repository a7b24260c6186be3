package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// principals of a plane: the first workspace's and another's administrator, and
// the organisation's, in the other workspace.
func (p *plane) principals() (home, other, organisation slipway.Principal) {
	p.t.Helper()
	home = slipway.Principal{Key: "home", Workspace: p.who.Workspace, Home: true, Scopes: slipway.DefaultScopes()}
	w, err := p.CreateWorkspace(p.t.Context(), home, "other")
	must(p.t, err)
	other = slipway.Principal{Key: "other", Workspace: w.ID, Scopes: slipway.DefaultScopes()}
	p.pass(time.Second)
	organisation = slipway.Principal{Key: "organisation", Workspace: w.ID, Organisation: true, Scopes: slipway.DefaultScopes()}
	return home, other, organisation
}

// wantError checks the code of an error, and for a text in it.
func wantError(t *testing.T, what string, err error, code slipway.Code, text string) {
	t.Helper()
	if err == nil || slipway.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %s with %q", what, err, code, text)
	}
}

// audited lists what was written down, the newest first, and lets time pass so
// that it can be told from what comes.
func (p *plane) audited() []slipway.AuditEvent {
	p.t.Helper()
	defer p.pass(time.Second)
	var found []slipway.AuditEvent
	must(p.t, p.store.View(p.t.Context(), func(tx slipway.Tx) (err error) {
		found, err = tx.ListAuditEvents(0, 0)
		return err
	}))
	return found
}

func TestAKeyThatIsMade(t *testing.T) {
	p := newPlane(t)
	_, other, _ := p.principals()
	until := p.clock().Add(time.Hour)
	p.pass(time.Second)
	k, token, err := p.CreateKey(t.Context(), other, slipway.NewKey{Name: "ci", ExpiresAt: until})
	must(t, err)
	if k.Workspace != other.Workspace || k.Name != "ci" || !k.ExpiresAt.Equal(until) || k.Hash != slipway.HashToken(token) ||
		!slices.Equal(k.Scopes, []slipway.Scope{slipway.ScopeRead, slipway.ScopeDeploy, slipway.ScopeDelete}) {
		t.Errorf("%+v", k)
	}
	got, err := p.GetKey(t.Context(), other, k.ID)
	if err != nil || got.ID != k.ID || got.Hash != k.Hash {
		t.Errorf("%+v, %v", got, err)
	}
	if e := p.audited()[0]; e.Action != slipway.AuditKeyCreated || e.Target != string(k.ID) || e.Key != "other" || e.Workspace != other.Workspace || !e.At.Equal(k.CreatedAt) {
		t.Errorf("audit: %+v", e)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	p := newPlane(t)
	home, other, organisation := p.principals()
	nowhere := slipway.Principal{Organisation: true, Scopes: slipway.DefaultScopes()}
	secrets := []slipway.Scope{slipway.ScopeSecretsRead}
	for name, c := range map[string]struct {
		who  slipway.Principal
		n    slipway.NewKey
		code slipway.Code
		text string
	}{
		"no name":               {home, slipway.NewKey{}, slipway.CodeInvalid, "Invalid name"},
		"no scope":              {home, slipway.NewKey{Name: "k", Scopes: []slipway.Scope{}}, slipway.CodeInvalid, "at least one scope"},
		"a scope it lacks":      {home, slipway.NewKey{Name: "k", Scopes: secrets}, slipway.CodeForbidden, "lacks the scope 'secrets:read'"},
		"expired":               {home, slipway.NewKey{Name: "k", ExpiresAt: p.clock()}, slipway.CodeInvalid, "future"},
		"both":                  {home, slipway.NewKey{Name: "k", Organisation: true, Workspace: home.Workspace}, slipway.CodeInvalid, "either"},
		"organisation":          {other, slipway.NewKey{Name: "k", Organisation: true}, slipway.CodeForbidden, "administrator of the installation"},
		"another's":             {other, slipway.NewKey{Name: "k", Workspace: home.Workspace}, slipway.CodeNotFound, "Workspace ID " + string(home.Workspace) + " not found."},
		"nobody's":              {home, slipway.NewKey{Name: "k", Workspace: "gone"}, slipway.CodeNotFound, "Workspace ID gone not found."},
		"of no workspace":       {nowhere, slipway.NewKey{Name: "k"}, slipway.CodeInvalid, "Name the workspace"},
		"default scopes lacked": {slipway.Principal{Workspace: other.Workspace, Scopes: []slipway.Scope{slipway.ScopeAdmin}}, slipway.NewKey{Name: "k"}, slipway.CodeForbidden, "lacks the scope 'read'"},
	} {
		_, token, err := p.CreateKey(t.Context(), c.who, c.n)
		wantError(t, name, err, c.code, c.text)
		if token != "" {
			t.Errorf("%s: a token came out", name)
		}
	}
	for name, c := range map[string]struct {
		who  slipway.Principal
		n    slipway.NewKey
		want slipway.WorkspaceID
	}{
		"home, for another":         {home, slipway.NewKey{Name: "k", Workspace: other.Workspace}, other.Workspace},
		"home, of the organisation": {home, slipway.NewKey{Name: "k", Organisation: true}, ""},
		"organisation, elsewhere":   {organisation, slipway.NewKey{Name: "k", Workspace: home.Workspace}, home.Workspace},
		"organisation, where it is": {organisation, slipway.NewKey{Name: "k"}, other.Workspace},
	} {
		if k, _, err := p.CreateKey(t.Context(), c.who, c.n); err != nil || k.Workspace != c.want {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
}

func TestWhoManagesWhichKeys(t *testing.T) {
	p := newPlane(t)
	home, other, _ := p.principals()
	make := func(who slipway.Principal, n slipway.NewKey) slipway.Key {
		t.Helper()
		p.pass(time.Second)
		n.Name = "k"
		k, _, err := p.CreateKey(t.Context(), who, n)
		must(t, err)
		return k
	}
	theirs, ours, all := make(other, slipway.NewKey{}), make(home, slipway.NewKey{}), make(home, slipway.NewKey{Organisation: true})
	for _, k := range []slipway.Key{ours, all} {
		_, err := p.GetKey(t.Context(), other, k.ID)
		wantError(t, "get another's", err, slipway.CodeNotFound, "API key ID "+string(k.ID)+" not found.")
		wantError(t, "revoke another's", p.RevokeKey(t.Context(), other, k.ID), slipway.CodeNotFound, "API key ID "+string(k.ID)+" not found.")
	}
	list := func(who slipway.Principal, page slipway.Page) (ids []slipway.KeyID) {
		t.Helper()
		found, err := p.ListKeys(t.Context(), who, page)
		must(t, err)
		for _, k := range found {
			ids = append(ids, k.ID)
		}
		return ids
	}
	if got := list(other, slipway.Page{}); !slices.Equal(got, []slipway.KeyID{theirs.ID}) {
		t.Errorf("a workspace's administrator sees %v", got)
	}
	if got := list(home, slipway.Page{Limit: 3}); !slices.Equal(got, []slipway.KeyID{all.ID, ours.ID, theirs.ID}) {
		t.Errorf("the installation's sees %v", got)
	}
	if got := list(home, slipway.Page{Limit: 1, Offset: 1}); !slices.Equal(got, []slipway.KeyID{ours.ID}) {
		t.Errorf("its second page: %v", got)
	}
}

func TestARevocation(t *testing.T) {
	p := newPlane(t)
	_, other, _ := p.principals()
	k, _, err := p.CreateKey(t.Context(), other, slipway.NewKey{Name: "k"})
	must(t, err)
	if p.forgotten != 0 {
		t.Error("a new key made others be asked for")
	}
	p.pass(time.Second)
	must(t, p.RevokeKey(t.Context(), other, k.ID))
	revoked := p.clock()
	if p.forgotten != 1 {
		t.Errorf("forgotten %d times", p.forgotten)
	}
	events := len(p.audited())
	p.pass(time.Minute)
	must(t, p.RevokeKey(t.Context(), other, k.ID))
	got, err := p.GetKey(t.Context(), other, k.ID)
	if err != nil || !got.RevokedAt.Equal(revoked) {
		t.Errorf("revoked twice: %+v, %v", got, err)
	}
	if got := p.audited(); len(got) != events || got[0].Action != slipway.AuditKeyRevoked || got[0].Target != string(k.ID) {
		t.Errorf("audit: %+v", got)
	}
}

func TestTheLastAdminKeyStays(t *testing.T) {
	p := newPlane(t)
	home, other, _ := p.principals()
	found, err := p.ListKeys(t.Context(), home, slipway.Page{})
	must(t, err)
	first := found[0]
	admin := []slipway.Scope{slipway.ScopeAdmin}
	make := func(who slipway.Principal, n slipway.NewKey) slipway.Key {
		t.Helper()
		n.Name = "k"
		k, _, err := p.CreateKey(t.Context(), who, n)
		must(t, err)
		return k
	}
	elsewhere := make(other, slipway.NewKey{Scopes: admin})
	make(home, slipway.NewKey{Scopes: []slipway.Scope{slipway.ScopeRead}})
	make(home, slipway.NewKey{Scopes: admin, ExpiresAt: p.clock().Add(time.Minute)})
	p.pass(time.Minute)
	err = p.RevokeKey(t.Context(), home, first.ID)
	wantError(t, "the last", err, slipway.CodeConflict, "Make another first, by POST /v1/api-keys or by 'slipway admin key'")
	if p.forgotten != 0 {
		t.Error("a refusal changed something")
	}
	must(t, p.RevokeKey(t.Context(), other, elsewhere.ID)) // an administrator of one workspace

	second := make(home, slipway.NewKey{Scopes: admin, Organisation: true})
	must(t, p.RevokeKey(t.Context(), home, first.ID))
	wantError(t, "the last again", p.RevokeKey(t.Context(), home, second.ID), slipway.CodeConflict, "last valid admin key")
	must(t, p.NewAdminKey(t.Context(), slipway.NewKey{Name: "local"}, func(string) error { return nil }))
	must(t, p.RevokeKey(t.Context(), home, second.ID))
}

func TestKeysMadeOnTheServersOwnMachine(t *testing.T) {
	p := newPlane(t)
	home, other, _ := p.principals()
	for name, c := range map[string]struct {
		n    slipway.NewKey
		want slipway.Key
	}{
		"as the first":    {slipway.NewKey{Name: "k"}, slipway.Key{Workspace: home.Workspace, Scopes: slipway.DefaultScopes()}},
		"secrets":         {slipway.NewKey{Name: "k", Scopes: []slipway.Scope{slipway.ScopeSecretsRead}}, slipway.Key{Workspace: home.Workspace, Scopes: []slipway.Scope{slipway.ScopeSecretsRead}}},
		"organisation":    {slipway.NewKey{Name: "k", Organisation: true}, slipway.Key{Scopes: slipway.DefaultScopes()}},
		"other workspace": {slipway.NewKey{Name: "k", Workspace: other.Workspace}, slipway.Key{Workspace: other.Workspace, Scopes: slipway.DefaultScopes()}},
	} {
		p.pass(time.Second)
		var token string
		must(t, p.NewAdminKey(t.Context(), c.n, func(kept string) error { token = kept; return nil }))
		found, err := p.ListKeys(t.Context(), home, slipway.Page{Limit: 1})
		must(t, err)
		if k := found[0]; k.Hash != slipway.HashToken(token) || k.Workspace != c.want.Workspace || !slices.Equal(k.Scopes, c.want.Scopes) {
			t.Errorf("%s: %+v", name, k)
		}
		if e := p.audited()[0]; e.Subject != slipway.LocalSubject || e.Action != slipway.AuditKeyCreated || e.Target != string(found[0].ID) {
			t.Errorf("%s: audit: %+v", name, e)
		}
	}
	err := p.NewAdminKey(t.Context(), slipway.NewKey{Name: "k", Workspace: "gone"}, func(string) error { return nil })
	wantError(t, "no such workspace", err, slipway.CodeNotFound, "gone")
}

// A request that comes again makes nothing twice, and no token is kept for it.
func TestAKeyIsMadeOnce(t *testing.T) {
	p := newPlane(t)
	home, _, _ := p.principals()
	ctx := slipway.WithRequestKey(t.Context(), slipway.RequestKey{Value: "again", Hash: "h"})
	k, _, err := p.CreateKey(ctx, home, slipway.NewKey{Name: "k"})
	must(t, err)
	_, token, err := p.CreateKey(ctx, home, slipway.NewKey{Name: "k"})
	wantError(t, "again", err, slipway.CodeConflict, "made API key ID "+string(k.ID)+" before")
	if found, err := p.ListKeys(t.Context(), home, slipway.Page{}); token != "" || err != nil || len(found) != 2 {
		t.Errorf("a token %q, keys %+v, %v", token, found, err)
	}
	ctx = slipway.WithRequestKey(t.Context(), slipway.RequestKey{Value: "another", Hash: "h"})
	w, err := p.CreateWorkspace(ctx, home, "w")
	must(t, err)
	if again, err := p.CreateWorkspace(ctx, home, "w"); err != nil || again != w {
		t.Errorf("a workspace again: %+v, %v", again, err)
	}
}
