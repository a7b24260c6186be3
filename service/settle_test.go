package service_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func serveFails(r slipway.RevisionID) slipway.ServingFailed {
	return slipway.ServingFailed{Revision: r, Return: true, Failure: slipway.Failure{
		Phase: slipway.PhaseServe, Step: "serve", Code: "crash_loop", Message: "It crashed 3 times in a row.", Hint: "Look.",
	}}
}

func (p *plane) revision(d slipway.DeploymentID, r slipway.RevisionID) slipway.RevisionView {
	p.t.Helper()
	v, err := p.GetRevision(p.t.Context(), p.who, d, r)
	must(p.t, err)
	return v
}

// gate takes a revision that needs no build through its gate.
func (p *plane) gate(l slipway.Lease, r slipway.RevisionID) slipway.Assignment {
	p.t.Helper()
	p.pass(time.Second)
	p.report(l, slipway.DeployStarted{Revision: r}, slipway.InstanceWanted{Revision: r, Ports: ports})
	return p.report(l, slipway.GatePassed{Revision: r})
}

// A revision that does not settle gives way to a copy of the last good one, once,
// and what is said of both can be read.
func TestTheLastGoodRevisionTakesThePlaceOfOneThatFails(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: "old"}}})
	must(t, err)
	good := p.bundle(l, d.ID, "good")
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: "new"}}, ConfigPath: new("new.json")})
	must(t, err)
	p.report(l, slipway.RevisionFailed{Revision: p.report(l).InProgress.ID, Failure: slipway.Failure{Code: "x"}})
	bad := p.bundle(l, d.ID, "bad")
	if got := p.report(l).Deployment.Running; got.Before != good.ID || got.Since.IsZero() {
		t.Fatalf("after the gate: %+v, want to have come from %s", got, good.ID)
	}
	was := p.revision(d.ID, bad.ID)

	var a slipway.Assignment
	for range 2 { // the answer to the first was lost
		a = p.report(l, serveFails(bad.ID))
	}
	if got := p.statuses(d.ID); got != "DEPLOYED BUILD_FAILED DEPLOYED AWAITING_DEPLOY" {
		t.Fatalf("statuses: %s", got)
	}
	made := a.InProgress
	if made.ReturnsFrom != bad.ID || made.Artefact.Digest != "good" || made.Config.ConfigPath != "" || made.Secrets != p.revision(d.ID, good.ID).Secrets {
		t.Errorf("made in its place: %+v", made)
	}
	env, err := p.Environment(t.Context(), l, made.ID, "")
	if err != nil || !slices.Contains(env, slipway.EnvVar{Name: "A", Value: "old"}) {
		t.Errorf("its variables: %v, %v", env, err)
	}
	for _, text := range []string{string(bad.ID), string(good.ID), "It crashed 3 times in a row."} {
		if !strings.Contains(made.Message, text) {
			t.Errorf("its message %q lacks %q", made.Message, text)
		}
	}
	after := p.revision(d.ID, bad.ID)
	if after.Status != slipway.Deployed || after.Failure == nil || after.Failure.Code != "crash_loop" || after.Failure.Hint != "Look." ||
		!strings.Contains(after.Message, string(made.ID)) || !slices.Equal(after.History, was.History) || !after.UpdatedAt.Equal(was.UpdatedAt) {
		t.Errorf("the one that failed: %+v", after)
	}
	if h := a.Deployment.Health; h.State != slipway.Unhealthy || h.Reason != "It crashed 3 times in a row." {
		t.Errorf("health meanwhile: %+v", h)
	}
	if h := p.report(l, slipway.HealthChanged{Health: slipway.Health{State: slipway.Healthy}}).Deployment.Health; h.State != slipway.Unhealthy {
		t.Errorf("health when it came back once more: %+v", h)
	}

	a = p.gate(l, made.ID)
	if a.Deployment.Active != made.ID || a.Deployment.Health.State != slipway.Healthy || a.Deployment.Running.Before != "" {
		t.Errorf("afterwards: %+v", a.Deployment)
	}
	if a = p.report(l, serveFails(bad.ID)); a.Active.Failure != nil || a.InProgress != nil {
		t.Errorf("a late word of the one that failed: %+v", a.Active)
	}
	if a = p.report(l, serveFails(made.ID)); a.InProgress != nil || a.Active.Failure == nil {
		t.Errorf("it fails too: %+v", a.InProgress)
	}
}

// One that recovers while another is on its way to take its place is not gone
// back to from that.
func TestAReturnIsNotGoneBackFrom(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.bundle(l, d.ID, "good")
	bad := p.bundle(l, d.ID, "bad")
	made := p.report(l, serveFails(bad.ID)).InProgress
	p.report(l, slipway.ServingRecovered{Revision: bad.ID})
	if a := p.gate(l, made.ID); a.Active.ID != made.ID || a.Deployment.Running.Before != "" {
		t.Errorf("after its gate: %+v", a.Deployment.Running)
	}
}

// What is made in the place of one that failed, and what is not.
func TestReturnsThatAreNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		before func(p *plane, d slipway.DeploymentID)
		want   string // statuses after those of good and bad
		says   string
	}{
		"the owner deploys": {func(p *plane, d slipway.DeploymentID) { p.push(d) }, " AWAITING_BUILD", ""},
		"it was given up": {func(p *plane, d slipway.DeploymentID) {
			must(p.t, p.store.Update(p.t.Context(), func(tx slipway.Tx) error {
				return tx.ReleaseItem(d, slipway.ItemBundle, "good", p.clock())
			}))
		}, "", "Deploy its source again"},
	} {
		p := newPlane(t)
		d := p.create("app")
		l := p.acquire(d.ID)
		p.bundle(l, d.ID, "good")
		bad := p.bundle(l, d.ID, "bad")
		c.before(p, d.ID)
		a := p.report(l, serveFails(bad.ID))
		if got := p.statuses(d.ID); got != "DEPLOYED DEPLOYED"+c.want {
			t.Errorf("%s: %s", name, got)
		}
		if a.Active.Failure == nil || !strings.Contains(a.Active.Message, c.says) {
			t.Errorf("%s: what is said of it: %q", name, a.Active.Message)
		}
		if again := a.Deployment.Running.Before != ""; again != (a.InProgress != nil) {
			t.Errorf("%s: it can be returned later: %t", name, again)
		}
	}
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	first := p.bundle(l, d.ID, "first")
	if a := p.report(l, serveFails(first.ID)); a.InProgress != nil || a.Active.Failure == nil {
		t.Errorf("nothing served before: %+v", a.InProgress)
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if _, err := p.Report(t.Context(), l, serveFails(first.ID)); !errors.Is(err, slipway.ErrDeleting) {
		t.Errorf("of a deployment that is being deleted: %v", err)
	}
}

// The last good one is what served well, not what failed in between.
func TestWhatIsGoneBackTo(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	before := func() slipway.RevisionID { return p.report(l).Deployment.Running.Before }
	good := p.bundle(l, d.ID, "good")
	if before() != "" {
		t.Errorf("the first came from %s", before())
	}
	bad := p.bundle(l, d.ID, "bad")
	failed := serveFails(bad.ID)
	failed.Return = false
	p.report(l, failed)
	p.bundle(l, d.ID, "mended")
	if before() != good.ID {
		t.Errorf("after one that failed: %s, want %s", before(), good.ID)
	}
	p.report(l, slipway.HealthChanged{Health: slipway.Health{State: slipway.Restarts, Reason: "it crashed"}})
	p.bundle(l, d.ID, "another")
	if before() != good.ID {
		t.Errorf("after one that was crashing: %s, want %s", before(), good.ID)
	}
}

func TestWhatRecoversHasNotFailed(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	r := p.bundle(l, d.ID, "app")
	failed := serveFails(r.ID)
	failed.Return = false
	p.report(l, failed)
	a := p.report(l, slipway.ServingRecovered{Revision: r.ID})
	if a.Active.Failure != nil || a.Active.Message != "" || a.Deployment.Health.State != slipway.Healthy {
		t.Errorf("it recovered: %+v, %+v", a.Active, a.Deployment.Health)
	}
}

// Nothing that a revision is made of is left as it was set since.
func TestRedeployRestoresEveryField(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	setting := func(word string, mb int) {
		_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{
			Variables: []slipway.EnvVar{{Name: "A", Value: word}}, Refs: &[]slipway.SecretRef{{Name: "R", SecretName: word, SecretKey: "k"}},
			ConfigPath: new(word + ".json"), InstallCommand: new(word), BuildCommand: new(word), RepoRef: new(word),
			AgentServer: new(map[bool]slipway.AgentServer{true: slipway.AgentServerAegra, false: slipway.AgentServerLangGraph}[word == "old"]),
			Resources:   &slipway.Resources{Server: slipway.Share{MemoryMB: &mb, MinScale: new(mb / 500), MaxScale: new(mb / 100)}},
		})
		must(t, err)
	}
	setting("old", 512)
	old := p.bundle(l, d.ID, "old")
	was, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	setting("new", 1024)
	p.report(l, slipway.RevisionFailed{Revision: p.report(l).InProgress.ID, Failure: slipway.Failure{Code: "x"}})
	p.bundle(l, d.ID, "new")
	v, err := p.Redeploy(t.Context(), p.who, d.ID, old.ID)
	must(t, err)
	if !reflect.DeepEqual(p.newest(v).Config, old.Config) || !reflect.DeepEqual(v.RevisionConfig, was.RevisionConfig) || !reflect.DeepEqual(v.Config, was.Config) {
		t.Errorf("redeployed:\n%+v\n%+v, was\n%+v\n%+v", v.RevisionConfig, v.Config, was.RevisionConfig, was.Config)
	}
	if p.newest(v).Artefact.Digest != "old" || p.newest(v).Secrets != old.Secrets || !reflect.DeepEqual(v.Refs, was.Refs) {
		t.Errorf("redeployed %+v with references %v", p.newest(v), v.Refs)
	}
}

// What a gate has allowed for is not held against what passed it.
func TestCrashesBeforeTheGateAreForgotten(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	p.bundle(l, d.ID, "good")
	v, err := p.Redeploy(t.Context(), p.who, d.ID, p.report(l).Active.ID)
	must(t, err)
	a := p.report(l, slipway.DeployStarted{Revision: v.Newest.ID}, slipway.InstanceWanted{Revision: v.Newest.ID, Ports: ports})
	for n, i := range a.Instances {
		i.Crashes = n + 1
		p.report(l, slipway.InstanceChanged{Instance: i})
	}
	for _, i := range p.report(l, slipway.GatePassed{Revision: v.Newest.ID}).Instances {
		if forgotten := i.Crashes == 0; forgotten != (i.Revision == v.Newest.ID) {
			t.Errorf("instance of %s has %d crashes after the gate", i.Revision, i.Crashes)
		}
	}
}
