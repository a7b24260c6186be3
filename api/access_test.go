package api_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// accessAsked is what the control was asked about workspaces and keys.
type accessAsked struct {
	page      slipway.Page
	name      string
	workspace slipway.WorkspaceID
	key       slipway.KeyID
	made      slipway.NewKey
}

var (
	workspace = slipway.Workspace{ID: tenantID, Name: "team", CreatedAt: at}
	apiKey    = slipway.Key{
		ID: otherID, Workspace: tenantID, Name: "ci", Hash: "never shown", Scopes: []slipway.Scope{slipway.ScopeRead, slipway.ScopeSecretsRead},
		CreatedAt: at, ExpiresAt: at.Add(time.Hour), LastUsedAt: at,
	}
)

func (c *control) ListWorkspaces(_ context.Context, _ slipway.Principal, p slipway.Page) ([]slipway.Workspace, error) {
	c.access.page = p
	return []slipway.Workspace{workspace}, c.err
}

func (c *control) CreateWorkspace(_ context.Context, _ slipway.Principal, name string) (slipway.Workspace, error) {
	c.access.name = name
	return workspace, c.err
}

func (c *control) GetWorkspace(_ context.Context, _ slipway.Principal, id slipway.WorkspaceID) (slipway.Workspace, error) {
	c.access.workspace = id
	return workspace, c.err
}

func (c *control) RenameWorkspace(_ context.Context, _ slipway.Principal, id slipway.WorkspaceID, name string) (slipway.Workspace, error) {
	c.access.workspace, c.access.name = id, name
	return workspace, c.err
}

func (c *control) DeleteWorkspace(_ context.Context, _ slipway.Principal, id slipway.WorkspaceID) error {
	c.access.workspace = id
	return c.err
}

func (c *control) ListKeys(_ context.Context, _ slipway.Principal, p slipway.Page) ([]slipway.Key, error) {
	c.access.page = p
	return []slipway.Key{apiKey, {ID: someID, CreatedAt: at}}, c.err
}

func (c *control) CreateKey(_ context.Context, _ slipway.Principal, n slipway.NewKey) (slipway.Key, string, error) {
	c.access.made = n
	return apiKey, "slipway_token", c.err
}

func (c *control) GetKey(_ context.Context, _ slipway.Principal, id slipway.KeyID) (slipway.Key, error) {
	c.access.key = id
	return apiKey, c.err
}

func (c *control) RevokeKey(_ context.Context, _ slipway.Principal, id slipway.KeyID) error {
	c.access.key = id
	return c.err
}

func TestWorkspacesOnTheWire(t *testing.T) {
	const shown = `{"created_at":"2026-01-02T03:04:05.000006Z","id":"` + tenantID + `","name":"team"}`
	for _, r := range []struct {
		method, path, body string
		status             int
		answer             string
		want               accessAsked
	}{
		{"GET", "/v1/workspaces?limit=5&offset=2", "", 200, `{"offset":3,"resources":[` + shown + `]}`, accessAsked{page: slipway.Page{Limit: 5, Offset: 2}}},
		{"GET", "/v1/workspaces", "", 200, `{"offset":1,"resources":[` + shown + `]}`, accessAsked{page: slipway.Page{Limit: 20}}},
		{"POST", "/v1/workspaces", `{"name":"team"}`, 201, shown, accessAsked{name: "team"}},
		{"GET", "/v1/workspaces/" + someID, "", 200, shown, accessAsked{workspace: someID}},
		{"PATCH", "/v1/workspaces/" + someID, `{"name":"other"}`, 200, shown, accessAsked{workspace: someID, name: "other"}},
		{"PATCH", "/v1/workspaces/" + someID, `{"name":null}`, 200, shown, accessAsked{workspace: someID}},
		{"DELETE", "/v1/workspaces/" + someID, "", 204, "", accessAsked{workspace: someID}},
	} {
		c, s := serve(t)
		status, _, body := ask(t, s, r.method, r.path, "all", r.body)
		if status != r.status || !sameJSON(t, body, r.answer) || !reflect.DeepEqual(c.access, r.want) {
			t.Errorf("%s %s: %d %s\nasked %+v", r.method, r.path, status, body, c.access)
		}
	}
}

func TestKeysOnTheWire(t *testing.T) {
	const (
		rest = `"created_at":"2026-01-02T03:04:05.000006Z","deployment_id":null,"expires_at":"2026-01-02T04:04:05.000006Z","id":"` + otherID +
			`","last_used_at":"2026-01-02T03:04:05.000006Z","name":"ci","revoked_at":null,"scopes":["read","secrets:read"],"workspace_id":"` + tenantID + `"}`
		shown = `{` + rest
		bare  = `{"created_at":"2026-01-02T03:04:05.000006Z","deployment_id":null,"expires_at":null,"id":"` + someID +
			`","last_used_at":null,"name":"","revoked_at":null,"scopes":[],"workspace_id":null}`
	)
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range []struct {
		method, path, body string
		status             int
		answer             string
		want               accessAsked
	}{
		{"GET", "/v1/api-keys?limit=5&offset=2", "", 200, `{"offset":4,"resources":[` + shown + `,` + bare + `]}`, accessAsked{page: slipway.Page{Limit: 5, Offset: 2}}},
		{"GET", "/v1/api-keys/" + someID, "", 200, shown, accessAsked{key: someID}},
		{"DELETE", "/v1/api-keys/" + someID, "", 204, "", accessAsked{key: someID}},
		{"POST", "/v1/api-keys", `{"name":"k"}`, 201, `{"key":"slipway_token",` + rest, accessAsked{made: slipway.NewKey{Name: "k"}}},
		{
			"POST", "/v1/api-keys", `{"name":"k","scopes":["read","read"],"workspace_id":"` + someID + `","organization":false,"expires_at":"2030-01-01T01:00:00+01:00"}`,
			201, `{"key":"slipway_token",` + rest,
			accessAsked{made: slipway.NewKey{Name: "k", Scopes: []slipway.Scope{slipway.ScopeRead}, Workspace: someID, ExpiresAt: until}},
		},
		{
			"POST", "/v1/api-keys", `{"name":"k","scopes":[],"organization":true,"expires_at":null}`, 201, `{"key":"slipway_token",` + rest,
			accessAsked{made: slipway.NewKey{Name: "k", Scopes: []slipway.Scope{}, Organisation: true}},
		},
	} {
		c, s := serve(t)
		status, _, body := ask(t, s, r.method, r.path, "all", r.body)
		if status != r.status || !sameJSON(t, body, r.answer) || !reflect.DeepEqual(c.access, r.want) {
			t.Errorf("%s %s %s: %d %s\nasked %+v", r.method, r.path, r.body, status, body, c.access)
		}
	}
}

func TestSecretsInClear(t *testing.T) {
	c, s := serve(t)
	shown := view
	shown.Values = map[string]string{"TOKEN": "in clear"}
	c.view = &shown
	if _, _, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); !strings.Contains(body, `"secrets":[{"name":"TOKEN","value":"in clear"}]`) {
		t.Error(body)
	}
	c.view = nil
	if _, _, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); !strings.Contains(body, `"secrets":[{"name":"TOKEN","value":"********"}]`) {
		t.Error(body)
	}
}

func TestWhatErrorsSayBesideTheirText(t *testing.T) {
	c, s := serve(t)
	c.err = &slipway.Error{Code: slipway.CodeForbidden, Text: "no", Reason: "a_word"}
	if status, h, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); status != 403 || body != `{"detail":"no","error":"a_word"}` || h["Retry-After"] != nil {
		t.Errorf("%d %v %s", status, h, body)
	}
	for wait, want := range map[time.Duration]string{1: "1", time.Second: "1", 1100 * time.Millisecond: "2"} {
		c.err = &slipway.Error{Code: slipway.CodeRateLimited, Text: "slow", After: wait}
		if status, h, body := ask(t, s, "GET", "/v2/deployments/"+someID, "all", ""); status != 429 || body != `{"detail":"slow"}` || !slices.Equal(h["Retry-After"], []string{want}) {
			t.Errorf("%v: %d %v %s", wait, status, h, body)
		}
	}
}
