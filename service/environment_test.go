package service_test

import (
	"maps"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/service"
)

const reach = "http://127.0.0.1:8124"

// environment reads the variables that an agent of the newest revision gets, and
// wants each once.
func (p *plane) environment(d slipway.DeploymentID, reach string) map[string]string {
	p.t.Helper()
	v, err := p.Get(p.t.Context(), p.who, d)
	must(p.t, err)
	l := p.acquire(d)
	defer func() { must(p.t, p.Release(p.t.Context(), l, 0, time.Time{})) }()
	vars, err := p.Environment(p.t.Context(), l, v.Newest.ID, reach)
	must(p.t, err)
	env := map[string]string{}
	for _, v := range vars {
		if _, twice := env[v.Name]; twice {
			p.t.Errorf("%s is given twice", v.Name)
		}
		if env[v.Name] = v.Value; v.Public && slipway.IsToken(v.Value) {
			p.t.Errorf("the token in %s may be shown", v.Name)
		}
	}
	return env
}

// keysOf lists the keys of a deployment's agent.
func (p *plane) keysOf(d slipway.DeploymentID) (keys []slipway.Key) {
	p.t.Helper()
	all, err := p.ListKeys(p.t.Context(), p.who, slipway.Page{})
	must(p.t, err)
	for _, k := range all {
		if k.Deployment == d {
			keys = append(keys, k)
		}
	}
	return keys
}

func (p *plane) set(d slipway.DeploymentID, vars ...slipway.EnvVar) {
	p.t.Helper()
	_, err := p.Patch(p.t.Context(), p.who, d, slipway.Change{Variables: vars})
	must(p.t, err)
	p.pass(time.Second)
}

func TestWhatAnAgentIsGiven(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	env := p.environment(d.ID, reach)
	key := env["LANGSMITH_API_KEY"]
	want := map[string]string{
		"LANGSMITH_PROJECT": "app", "HOSTED_LANGSERVE_PROJECT_NAME": "app", "LANGSMITH_TRACING": "true",
		"LANGSMITH_ENDPOINT": reach + "/api/v1", "LANGSMITH_API_KEY": key,
		"LANGSMITH_AUTH_ENDPOINT": reach + "/api/v1", "LANGSMITH_AUTH_VERIFY_TENANT_ID": "true", "LANGSMITH_TENANT_ID": string(d.Workspace),
		"LANGSMITH_HOST_PROJECT_ID": string(d.ID), "LANGSMITH_HOST_PROJECT_NAME": "app", "LANGSMITH_HOST_REVISION_ID": string(r.ID),
		"LANGCHAIN_CALLBACKS_BACKGROUND": "true", "LANGSMITH_LANGGRAPH_API_VARIANT": "licensed",
	}
	if !maps.Equal(env, want) {
		t.Errorf("got  %v\nwant %v", env, want)
	}
	keys := p.keysOf(d.ID)
	if len(keys) != 1 || keys[0].Hash != slipway.HashToken(key) || keys[0].Workspace != d.Workspace || keys[0].Name != "agent of app" {
		t.Fatalf("keys: %+v", keys)
	}
	if again := p.environment(d.ID, reach); !maps.Equal(again, want) {
		t.Errorf("again: %v", again)
	}
	if other := p.create("other"); p.push(other.ID).ID != "" && p.environment(other.ID, reach)["LANGSMITH_API_KEY"] == key {
		t.Error("two agents have one key")
	}
}

// An image says itself what its server is.
func TestAnImageIsGivenNoVariant(t *testing.T) {
	p := newPlane(t)
	d, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
		Name: "brought", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "example.com/app:1"},
	})
	must(t, err)
	env := p.environment(d.ID, reach)
	if value, given := env["LANGSMITH_LANGGRAPH_API_VARIANT"]; given || env["LANGSMITH_PROJECT"] != "brought" {
		t.Errorf("given %t, as %q: %v", given, value, env)
	}
}

func TestAnAgentsKeyThatIsRevokedIsReplacedAtTheNextStart(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	first := p.environment(d.ID, reach)["LANGSMITH_API_KEY"]
	must(t, p.RevokeKey(t.Context(), p.who, p.keysOf(d.ID)[0].ID))
	p.pass(time.Second)
	second := p.environment(d.ID, reach)["LANGSMITH_API_KEY"]
	if second == first || !slipway.IsToken(second) || len(p.keysOf(d.ID)) != 2 {
		t.Errorf("%q after %q, keys: %+v", second, first, p.keysOf(d.ID))
	}
}

// What a client has set wins, and our key is never sent to another place than
// ours.
func TestWhereAnAgentTraces(t *testing.T) {
	token := slipway.NewToken()
	type vars = []slipway.EnvVar
	for name, c := range map[string]struct {
		own   vars
		reach string
		off   bool
		want  map[string]string // of the variables below; those that it lacks are absent
	}{
		"here": {nil, reach, false, map[string]string{"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": reach + "/api/v1", "LANGSMITH_API_KEY": "ours", "LANGSMITH_AUTH_ENDPOINT": reach + "/api/v1"}},
		"with a key of the workspace": {vars{{Name: "LANGSMITH_API_KEY", Value: token}}, reach, false, map[string]string{
			"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": reach + "/api/v1", "LANGSMITH_API_KEY": token, "LANGSMITH_AUTH_ENDPOINT": reach + "/api/v1",
		}},
		"with the vendor's key":     {vars{{Name: "LANGSMITH_API_KEY", Value: "lsv2_x"}}, reach, false, map[string]string{"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "lsv2_x"}},
		"to a place of its own":     {vars{{Name: "LANGSMITH_ENDPOINT", Value: "https://x"}}, reach, false, map[string]string{"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": "https://x"}},
		"to places of its own":      {vars{{Name: "LANGSMITH_RUNS_ENDPOINTS", Value: "{}"}}, reach, false, map[string]string{"LANGSMITH_TRACING": "true"}},
		"not, since it is told so":  {vars{{Name: "LANGSMITH_TRACING", Value: "false"}}, reach, false, map[string]string{"LANGSMITH_TRACING": "false", "LANGSMITH_ENDPOINT": reach + "/api/v1", "LANGSMITH_API_KEY": "ours", "LANGSMITH_AUTH_ENDPOINT": reach + "/api/v1"}},
		"not, without a way to us":  {nil, "", false, map[string]string{"LANGSMITH_TRACING": "false"}},
		"not to us, with our key":   {vars{{Name: "LANGSMITH_API_KEY", Value: token}}, "", false, map[string]string{"LANGSMITH_TRACING": "false", "LANGSMITH_API_KEY": token}},
		"elsewhere without a way":   {vars{{Name: "LANGSMITH_ENDPOINT", Value: "https://x"}}, "", false, map[string]string{"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": "https://x"}},
		"not, if nobody is to":      {nil, reach, true, map[string]string{"LANGSMITH_AUTH_ENDPOINT": reach + "/api/v1"}},
		"elsewhere if nobody is to": {vars{{Name: "LANGSMITH_ENDPOINT", Value: "https://x"}, {Name: "LANGSMITH_API_KEY", Value: "k"}}, reach, true, map[string]string{"LANGSMITH_ENDPOINT": "https://x", "LANGSMITH_API_KEY": "k"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t, func(_ *plane, config *service.Config) { config.Tracing.Off = c.off })
			d := p.create("app")
			p.push(d.ID)
			if len(c.own) > 0 {
				p.set(d.ID, c.own...)
			}
			env := p.environment(d.ID, c.reach)
			keys := p.keysOf(d.ID)
			if c.want["LANGSMITH_API_KEY"] != "ours" {
				if len(keys) != 0 {
					t.Errorf("a key was made for nothing: %+v", keys)
				}
			} else if slipway.HashToken(env["LANGSMITH_API_KEY"]) == keys[0].Hash {
				env["LANGSMITH_API_KEY"] = "ours"
			}
			for _, name := range []string{"LANGSMITH_TRACING", "LANGSMITH_ENDPOINT", "LANGSMITH_API_KEY", "LANGSMITH_AUTH_ENDPOINT"} {
				got, there := env[name]
				if want, wanted := c.want[name]; got != want || there != wanted {
					t.Errorf("%s is %q (%t), want %q (%t)", name, got, there, want, wanted)
				}
			}
		})
	}
}

// One that looks at its clients' keys asks us, wherever its traces go.
func TestAnAgentThatTakesKeysAsksUs(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.set(d.ID, slipway.EnvVar{Name: "LANGSMITH_API_KEY", Value: "lsv2_x"})
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	p.report(l, slipway.BuildStarted{Revision: r.ID}, slipway.BuildDone{Revision: r.ID, Artefact: slipway.Artefact{Kind: "k", Digest: "b", TakesKeys: true}})
	must(t, p.Release(t.Context(), l, 0, time.Time{}))
	if env := p.environment(d.ID, reach); env["LANGSMITH_AUTH_ENDPOINT"] != reach+"/api/v1" || env["LANGSMITH_ENDPOINT"] != "" {
		t.Errorf("%v", env)
	}
}

func TestAnAgentsKeyEndsWithItsDeploymentAndAnotherComesWithARestore(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.served("app")
	must(t, p.Release(t.Context(), l, 0, time.Time{}))
	first := p.environment(d.ID, reach)["LANGSMITH_API_KEY"]
	forgotten := p.forgotten
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if keys := p.keysOf(d.ID); len(keys) != 0 || p.forgotten != forgotten+1 {
		t.Errorf("once DELETE has answered there is %+v, and forgotten was %d times", keys, p.forgotten-forgotten)
	}
	l = p.acquire(d.ID)
	p.stop(d.ID, l)
	_, err := p.Restore(t.Context(), p.who, d.ID, "")
	must(t, err)
	if second := p.environment(d.ID, reach)["LANGSMITH_API_KEY"]; second == first || !slipway.IsToken(second) || len(p.keysOf(d.ID)) != 1 {
		t.Errorf("restored, it has %q after %q", second, first)
	}
}
