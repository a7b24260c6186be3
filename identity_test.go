package slipway_test

import (
	"errors"
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestChoiceOfAWorkspace(t *testing.T) {
	const orgScoped = `This API key is org-scoped and requires workspace specification. Please provide 'X-Tenant-ID' header.`
	one, two := []slipway.WorkspaceID{"a"}, []slipway.WorkspaceID{"a", "b"}
	for name, c := range map[string]struct {
		id           slipway.Identity
		tenant       string
		want         slipway.WorkspaceID
		text, reason string
	}{
		"its own":                {slipway.Identity{Key: "k", Workspaces: one}, "", "a", "", ""},
		"its own, named":         {slipway.Identity{Key: "k", Workspaces: one}, "A", "a", "", ""},
		"another":                {slipway.Identity{Key: "k", Workspaces: one}, "b", "", "This API key does not belong to workspace b.", ""},
		"organisation":           {slipway.Identity{Key: "k", Everywhere: true}, "", "", orgScoped, "org_scoped_key_requires_workspace"},
		"organisation, named":    {slipway.Identity{Key: "k", Everywhere: true}, "B", "b", "", ""},
		"agent":                  {slipway.Identity{Key: "k", Workspaces: one, Deployment: "d"}, "", "", "This API key belongs to an agent and is good for its deployment only.", ""},
		"agent, named":           {slipway.Identity{Key: "k", Workspaces: one, Deployment: "d"}, "a", "", "This API key belongs to an agent and is good for its deployment only.", ""},
		"subject of one":         {slipway.Identity{Subject: "s", Workspaces: one}, "", "a", "", ""},
		"subject of two":         {slipway.Identity{Subject: "s", Workspaces: two}, "", "", "This token requires workspace specification. Please provide 'X-Tenant-ID' header.", "org_scoped_key_requires_workspace"},
		"subject of two, named":  {slipway.Identity{Subject: "s", Workspaces: two}, "b", "b", "", ""},
		"subject of none":        {slipway.Identity{Subject: "s"}, "", "", "This token is good for no workspace of this server.", ""},
		"subject of none, named": {slipway.Identity{Subject: "s"}, "a", "", "This API key does not belong to workspace a.", ""},
	} {
		got, err := c.id.Choose(c.tenant)
		if got != c.want || (err == nil) != (c.text == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if e, ok := errors.AsType[*slipway.Error](err); ok && (e.Code != slipway.CodeForbidden || e.Text != c.text || e.Reason != c.reason) {
			t.Errorf("%s: %+v, want %q, %q", name, e, c.text, c.reason)
		}
	}
}

func TestWhatAnIdentityReaches(t *testing.T) {
	for name, c := range map[string]struct {
		id   slipway.Identity
		w    slipway.WorkspaceID
		want bool
	}{
		"its own":              {slipway.Identity{Workspaces: []slipway.WorkspaceID{"a"}}, "a", true},
		"another":              {slipway.Identity{Workspaces: []slipway.WorkspaceID{"a"}}, "b", false},
		"organisation":         {slipway.Identity{Everywhere: true}, "b", true},
		"no workspace at all":  {slipway.Identity{Everywhere: true, Workspaces: []slipway.WorkspaceID{""}}, "", false},
		"its agent":            {slipway.Identity{Workspaces: []slipway.WorkspaceID{"a"}, Deployment: "d"}, "a", true},
		"another agent":        {slipway.Identity{Workspaces: []slipway.WorkspaceID{"a"}, Deployment: "e"}, "a", false},
		"agent of another one": {slipway.Identity{Workspaces: []slipway.WorkspaceID{"a"}, Deployment: "d"}, "b", false},
	} {
		if got := c.id.Reaches(c.w, "d"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWhoAdministers(t *testing.T) {
	admin := []slipway.Scope{slipway.ScopeAdmin}
	for name, c := range map[string]struct {
		p    slipway.Principal
		want bool
	}{
		"admin at home":               {slipway.Principal{Workspace: "a", Home: true, Scopes: admin}, true},
		"admin of the organisation":   {slipway.Principal{Organisation: true, Scopes: admin}, true},
		"admin elsewhere":             {slipway.Principal{Workspace: "b", Scopes: admin}, false},
		"nobody at home":              {slipway.Principal{Workspace: "a", Home: true}, false},
		"reader of the organisation":  {slipway.Principal{Organisation: true, Scopes: []slipway.Scope{slipway.ScopeRead}}, false},
		"everything but admin's self": {slipway.Principal{Home: true, Scopes: []slipway.Scope{slipway.ScopeSecretsRead, slipway.ScopeDelete}}, false},
	} {
		if got := c.p.Administers(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTitles(t *testing.T) {
	long := make([]rune, 100)
	for i := range long {
		long[i] = 'ä'
	}
	for name, good := range map[string]bool{
		"a": true, "Team Ä, 2nd": true, string(long): true,
		"": false, string(long) + "x": false, " a": false, "a\n": false, "a\x00b": false, "a\u0085b": false, "\xff": false,
	} {
		if err := slipway.CheckTitle(name); (err == nil) != good || err != nil && slipway.CodeOf(err) != slipway.CodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestScopesAreRead(t *testing.T) {
	got, err := slipway.ParseScopes([]string{"read", "secrets:read", "read"})
	if err != nil || len(got) != 2 || got[0] != slipway.ScopeRead || got[1] != slipway.ScopeSecretsRead {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := slipway.ParseScopes([]string{"root"}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("%v", err)
	}
}
