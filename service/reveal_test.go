package service_test

import (
	"maps"
	"testing"

	"github.com/slipwayhq/slipway"
)

func TestSecretsAreShownToWhoMayReadThem(t *testing.T) {
	p := newPlane(t)
	trusted := p.who
	trusted.Key, trusted.Scopes = "trusted", append([]slipway.Scope{slipway.ScopeSecretsRead}, trusted.Scopes...)
	vars := []slipway.EnvVar{{Name: "A", Value: "one"}, {Name: "B", Value: ""}}
	d, err := p.Create(t.Context(), p.who, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource, Variables: vars})
	must(t, err)
	p.create("bare")
	events := len(p.audited())

	// hidden and shown run a use case as somebody and look at what is answered.
	hidden := func(what string, v slipway.DeploymentView, err error) {
		t.Helper()
		if err != nil || v.Values != nil || len(v.Variables) != 2 || len(p.audited()) != events {
			t.Errorf("%s: %+v, %v, %d audit events more", what, v, err, len(p.audited())-events)
		}
	}
	shown := func(what string, want map[string]string, target string, v slipway.DeploymentView, err error) {
		t.Helper()
		got := p.audited()
		if err != nil || !maps.Equal(v.Values, want) || len(got) != events+1 {
			t.Fatalf("%s: %v, %v, %d audit events more", what, v.Values, err, len(got)-events)
		}
		if e := got[0]; e.Action != slipway.AuditSecretsRead || e.Key != "trusted" || e.Target != target || e.Workspace != trusted.Workspace {
			t.Errorf("%s: audit: %+v", what, e)
		}
		events++
	}
	list := func(who slipway.Principal) (slipway.DeploymentView, error) {
		found, err := p.List(t.Context(), who, slipway.DeploymentFilter{NameContains: "app"})
		if err != nil || len(found) != 1 {
			t.Fatalf("list: %v, %v", found, err)
		}
		return found[0], nil
	}
	v, err := p.Get(t.Context(), p.who, d.ID)
	hidden("get", v, err)
	v, err = list(p.who)
	hidden("list", v, err)
	v, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{DisplayName: new("x")})
	hidden("patch", v, err)

	was := map[string]string{"A": "one", "B": ""}
	v, err = p.Get(t.Context(), trusted, d.ID)
	shown("get", was, string(d.ID), v, err)
	v, err = list(trusted)
	shown("list", was, "", v, err)
	v, err = p.Patch(t.Context(), trusted, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: slipway.MaskedValue}, {Name: "C", Value: "3"}}})
	shown("patch", map[string]string{"A": "one", "C": "3"}, string(d.ID), v, err)
	created, err := p.Create(t.Context(), trusted, slipway.NewDeployment{Name: "new", Source: slipway.SourceInternalSource, Variables: vars})
	shown("create", was, string(created.ID), created, err)

	// Where no value is shown, nothing is written.
	if found, err := p.List(t.Context(), trusted, slipway.DeploymentFilter{NameContains: "bare"}); err != nil || len(found) != 1 || len(p.audited()) != events {
		t.Errorf("without secrets: %v, %v, %d audit events more", found, err, len(p.audited())-events)
	}
}
