package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// Environment implements slipway.Sync: the deployment's own variables and what
// the contract promises an Agent Server (§8). Nothing else reads values.
func (s *Service) Environment(ctx context.Context, l slipway.Lease, id slipway.RevisionID, reach string) ([]slipway.EnvVar, error) {
	e := environment{tracing: s.config.Tracing, reach: reach}
	err := s.read(ctx, func(c *change) (err error) {
		e, err = c.environment(e, l, id)
		return err
	})
	if err == nil && e.lacksKey() {
		e.key, err = s.issueKey(ctx, l)
	}
	if err != nil {
		return nil, wrap("read environment", err)
	}
	return append(e.given(), e.own...), nil
}

// environment is what the variables of an agent follow from.
type environment struct {
	tracing    Tracing
	reach      string // where the agent reaches this server, "" if it can not
	deployment slipway.Deployment
	revision   slipway.Revision
	own        []slipway.EnvVar // that clients have set
	key        string           // the agent's, "" while it has none
}

func (c *change) environment(e environment, l slipway.Lease, id slipway.RevisionID) (environment, error) {
	var err error
	if e.revision, err = c.underLease(l, id); err != nil {
		return e, err
	}
	if e.deployment, err = c.Deployment(l.Deployment); err != nil {
		return e, err
	}
	if err := c.resolvable(e.revision.Secrets); err != nil {
		return e, err
	}
	own, err := c.variables(e.revision.Secrets)
	if err != nil {
		return e, err
	}
	_, e.own = slipway.ForBuilds(own)
	e.key, err = c.agentKey(l.Deployment)
	return e, err
}

// given are the variables that an agent gets from us. Those that a client has
// set too are the client's.
func (e environment) given() []slipway.EnvVar {
	d := e.deployment
	vars := []slipway.EnvVar{
		{Name: "LANGSMITH_PROJECT", Value: d.Name, Public: true},
		{Name: "LANGSMITH_HOST_PROJECT_ID", Value: string(d.ID), Public: true},
		{Name: "LANGSMITH_HOST_PROJECT_NAME", Value: d.Name, Public: true},
		{Name: "LANGSMITH_HOST_REVISION_ID", Value: string(e.revision.ID), Public: true},
		{Name: "LANGSMITH_TENANT_ID", Value: string(d.Workspace), Public: true},
		{Name: "LANGCHAIN_CALLBACKS_BACKGROUND", Value: "true", Public: true},
	}
	vars = slices.Concat(vars, e.variant(), e.forKeys(), e.forTraces())
	return slices.DeleteFunc(vars, func(v slipway.EnvVar) bool { return e.sets(v.Name) })
}

// variant is by what apps know that a server runs them, which keeps their threads
// for them. An image says itself what it is. The value is that of the vendor's own
// images: local_dev would open a server's doors, and cloud is the vendor's.
func (e environment) variant() []slipway.EnvVar {
	if !e.revision.Source.Uploads() {
		return nil
	}
	return []slipway.EnvVar{{Name: "LANGSMITH_LANGGRAPH_API_VARIANT", Value: "licensed", Public: true}}
}

// forKeys are those by which an agent asks whether a client's key is good. One
// that has its traces elsewhere, and looks at no keys, asks and tells that place.
func (e environment) forKeys() []slipway.EnvVar {
	if e.reach == "" || e.tracesElsewhere() && !e.revision.Artefact.TakesKeys {
		return nil
	}
	return []slipway.EnvVar{
		{Name: "LANGSMITH_AUTH_ENDPOINT", Value: e.endpoint(), Public: true},
		{Name: "LANGSMITH_AUTH_VERIFY_TENANT_ID", Value: "true", Public: true},
	}
}

// forTraces are those by which an agent traces. Where it can not reach us it is
// told not to: it would send to the vendor what was meant for us.
func (e environment) forTraces() []slipway.EnvVar {
	switch {
	case e.tracing.Off:
		return nil
	case e.tracesElsewhere():
		return []slipway.EnvVar{{Name: tracingVariable, Value: "true", Public: true}}
	case e.tracing.Endpoint != "":
		return e.tracingTo(e.tracing.Endpoint, e.tracing.Key)
	case e.reach == "":
		return []slipway.EnvVar{{Name: tracingVariable, Value: "false", Public: true}}
	}
	return e.tracingTo(e.endpoint(), e.key)
}

func (e environment) tracingTo(endpoint, key string) []slipway.EnvVar {
	return []slipway.EnvVar{
		{Name: tracingVariable, Value: "true", Public: true},
		{Name: "HOSTED_LANGSERVE_PROJECT_NAME", Value: e.deployment.Name, Public: true}, // outranks what an app sets
		{Name: slipway.TracesEndpointVariable, Value: endpoint, Public: true},
		{Name: slipway.TracesKeyVariable, Value: key},
	}
}

const tracingVariable = "LANGSMITH_TRACING"

// endpoint is where this server speaks the vendor's protocols for an agent. The
// SDKs take anything without that end for the vendor's (contract §8).
func (e environment) endpoint() string { return e.reach + "/api/v1" }

// lacksKey says whether the agent is to have a key of its own, and has none.
func (e environment) lacksKey() bool {
	return e.tracing.Endpoint == "" && slices.ContainsFunc(e.given(), func(v slipway.EnvVar) bool { return v.Name == slipway.TracesKeyVariable && v.Value == "" })
}

// tracesElsewhere says whether a client has named a place for the traces. A key
// that is none of ours is for the vendor's. Our own key must not get there.
func (e environment) tracesElsewhere() bool {
	return slices.ContainsFunc(e.own, func(v slipway.EnvVar) bool {
		switch v.Name {
		case slipway.TracesEndpointVariable, "LANGSMITH_RUNS_ENDPOINTS":
			return true
		case slipway.TracesKeyVariable:
			return !slipway.IsToken(v.Value)
		}
		return false
	})
}

func (e environment) sets(name string) bool {
	return slices.ContainsFunc(e.own, func(v slipway.EnvVar) bool { return v.Name == name })
}

// agentKeyScopes are what an agent may do with its traces.
var agentKeyScopes = []slipway.Scope{slipway.ScopeRead, slipway.ScopeDeploy}

// agentKey returns the token of a deployment's agent, "" if there is none that is
// good.
func (c *change) agentKey(d slipway.DeploymentID) (string, error) {
	k, err := c.AgentKey(d)
	if errors.Is(err, slipway.ErrNoRow) || err == nil && !k.Valid(c.now) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the agent's key: %w", err)
	}
	token, err := c.service.sealer.Open(k.Sealed, keyRow(k.ID))
	return token, wrap("open the agent's key", err)
}

// issueKey makes the key of an agent that is about to start, unless somebody was
// faster.
func (s *Service) issueKey(ctx context.Context, l slipway.Lease) (token string, err error) {
	err = s.change(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		d, err := c.Deployment(l.Deployment)
		if err != nil {
			return err
		}
		if token, err = c.agentKey(d.ID); err != nil || token != "" || d.Deleting() {
			return err
		}
		token = slipway.NewToken()
		id := slipway.NewID[slipway.KeyID](c.now)
		return c.InsertKey(slipway.Key{
			ID: id, Workspace: d.Workspace, Name: "agent of " + d.Name, Hash: slipway.HashToken(token), Sealed: s.sealer.Seal(token, keyRow(id)),
			Scopes: agentKeyScopes, Deployment: d.ID, CreatedAt: c.now,
		})
	})
	return token, wrap("issue the agent's key", err)
}

// keyRow names the row that a token is bound to.
func keyRow(id slipway.KeyID) string { return "key/" + string(id) }

// resolvable fails a revision whose variables are kept by a cluster: nothing
// here could read them, and an agent without them would fail in a stranger way.
func (c *change) resolvable(set slipway.SecretSetID) error {
	_, refs, err := c.sealed(set)
	if err != nil || len(refs) == 0 {
		return err
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "start", Code: "references_need_cluster",
		Message: fmt.Sprintf("Environment variable '%s' refers to a secret of a Kubernetes cluster, and this deployment does not run in one.", refs[0].Name),
		Hint:    "Give the value itself, in 'secrets'.",
	}
}
