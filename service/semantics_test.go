package service_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

const image = "registry.test/team/app:1"

func internalSource(edit func(*slipway.NewDeployment)) slipway.NewDeployment {
	n := slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource}
	edit(&n)
	return n
}

func gitHub(edit func(*slipway.NewDeployment)) slipway.NewDeployment {
	n := slipway.NewDeployment{
		Name: "app", Source: slipway.SourceGitHub,
		Config:   slipway.SourceConfig{IntegrationID: "i", RepoURL: "https://git.test/a/b"},
		Revision: slipway.RevisionConfig{RepoRef: "main", ConfigPath: "langgraph.json"},
	}
	edit(&n)
	return n
}

func TestWhatEachSourceNeeds(t *testing.T) {
	p := newPlane(t)
	for name, c := range map[string]struct {
		n    slipway.NewDeployment
		text string
	}{
		"github without integration": {gitHub(func(n *slipway.NewDeployment) { n.Config.IntegrationID = "" }), "'source_config.integration_id' is required for source 'github'"},
		"github without repository":  {gitHub(func(n *slipway.NewDeployment) { n.Config.RepoURL = "" }), "'source_config.repo_url' is required for source 'github'"},
		"github without ref":         {gitHub(func(n *slipway.NewDeployment) { n.Revision.RepoRef = "" }), "'source_revision_config.repo_ref' is required for source 'github'"},
		"github without path":        {gitHub(func(n *slipway.NewDeployment) { n.Revision.ConfigPath = "" }), "'source_revision_config.langgraph_config_path' is required for source 'github'"},
		"github builds a tag on push": {
			gitHub(func(n *slipway.NewDeployment) { n.Config.BuildOnPush, n.Revision.RepoRef = new(true), "refs/tags/v1" }), "'source_config.build_on_push' cannot be used with a tag",
		},
		"github":             {gitHub(func(*slipway.NewDeployment) {}), "GitHub integration, and none is set up"},
		"docker, no image":   {slipway.NewDeployment{Name: "app", Source: slipway.SourceExternalDocker}, "'source_revision_config.image_uri' is required for source 'external_docker'"},
		"docker, bad image":  {slipway.NewDeployment{Name: "app", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "-v /:/x"}}, "is no reference to an image"},
		"foreign upload":     {internalSource(func(n *slipway.NewDeployment) { n.Revision.TarballPath = "x" }), "must be the object_path of an upload"},
		"image at creation":  {internalSource(func(n *slipway.NewDeployment) { n.Revision.ImageURI = image }), "set it by an update"},
		"path out of source": {internalSource(func(n *slipway.NewDeployment) { n.Revision.ConfigPath = "../x" }), "must lie within the source"},
		"custom url":         {internalSource(func(n *slipway.NewDeployment) { n.Config.CustomURL = "javascript:alert(1)" }), "must be an http or https URL"},
		"install command":    {internalSource(func(n *slipway.NewDeployment) { n.Config.InstallCommand = "npm ci; id" }), `'source_config.install_command' contains ";"`},
		"build command":      {internalSource(func(n *slipway.NewDeployment) { n.Config.BuildCommand = "npm run x &" }), `'source_config.build_command' contains "&"`},
		"resources": {internalSource(func(n *slipway.NewDeployment) {
			n.Config.Resources = &slipway.Resources{Server: slipway.Share{MemoryMB: new(-1)}}
		}), "resource_spec.memory_mb"},
		"reserved reference": {internalSource(func(n *slipway.NewDeployment) { n.Refs = []slipway.SecretRef{{Name: "PORT"}} }), "'PORT' is reserved"},
		"masked from nothing": {
			internalSource(func(n *slipway.NewDeployment) {
				n.Variables = []slipway.EnvVar{{Name: "A", Value: slipway.MaskedValue}}
			}), "no value of it is known",
		},
		"value and reference": {
			internalSource(func(n *slipway.NewDeployment) {
				n.Variables, n.Refs = []slipway.EnvVar{{Name: "A", Value: "1"}}, []slipway.SecretRef{{Name: "A"}}
			}), "both in 'secrets' and in 'secret_references'",
		},
	} {
		_, err := p.Create(t.Context(), p.who, c.n)
		if slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
	}
	if left, err := p.List(t.Context(), p.who, slipway.DeploymentFilter{}); err != nil || len(left) > 0 {
		t.Errorf("what was refused left %v, %v", left, err)
	}
}

func TestADeploymentOfAnImageBeginsAtOnce(t *testing.T) {
	p := newPlane(t)
	d, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
		Name: "app", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: image},
		Config: slipway.SourceConfig{Resources: &slipway.Resources{}},
	})
	must(t, err)
	if d.Newest == nil || d.Newest.Status != slipway.AwaitingDeploy || d.Latest != d.Newest.ID || d.Active != "" {
		t.Errorf("created %+v", d)
	}
	if c := d.Config; c.DeploymentType != "prod" || c.BuildOnPush == nil || *c.BuildOnPush || c.Resources == nil {
		t.Errorf("config %+v", c)
	}
}

func TestImmutablesMayBeRepeatedAndNotChanged(t *testing.T) {
	p := newPlane(t)
	d, err := p.Create(t.Context(), p.who, internalSource(func(n *slipway.NewDeployment) {
		n.Config = slipway.SourceConfig{DeploymentType: "dev", K8sNamespace: new("a"), HasListener: true}
	}))
	must(t, err)
	for field, c := range map[string]slipway.SourceConfig{
		"integration_id":                {IntegrationID: "x"},
		"repo_url":                      {RepoURL: "x"},
		"deployment_type":               {DeploymentType: "prod"},
		"listener_id":                   {ListenerID: "x"},
		"listener_config.k8s_namespace": {K8sNamespace: new("b")},
	} {
		_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Immutable: c})
		if slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), "'source_config."+field+"' cannot be changed") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{BuildCommand: new("a | b")}); slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), "'source_config.build_command' contains") {
		t.Errorf("a command for a shell: %v", err)
	}
	same := slipway.SourceConfig{DeploymentType: "dev", K8sNamespace: new("a")}
	if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Immutable: same}); err != nil {
		t.Errorf("what is the same was refused: %v", err)
	}
}

func TestSettingsBeforeTheFirstRevisionAreKept(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	early, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{
		ConfigPath: new("app/langgraph.json"), Variables: []slipway.EnvVar{{Name: "A", Value: "1"}}, Resources: &slipway.Resources{Server: slipway.Share{CPU: new(1.0)}},
	})
	must(t, err)
	if early.Newest != nil || early.RevisionConfig.ConfigPath != "app/langgraph.json" || !slices.Equal(early.Variables, []string{"A"}) {
		t.Errorf("before there is anything to run: %+v", early)
	}
	if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{RevisionSource: slipway.SourceInternalSource}); slipway.CodeOf(err) != slipway.CodeInvalid ||
		!strings.Contains(err.Error(), "'source_revision_config.source_tarball_path' is required") {
		t.Errorf("a revision of nothing: %v", err)
	}
	r := p.push(d.ID)
	if r.Config.ConfigPath != "app/langgraph.json" || r.Secrets != early.Deployment.Secrets || *r.Config.Resources.Server.CPULimit != 2 {
		t.Errorf("the first revision is of %+v", r)
	}
}

func TestAnInternalDeploymentHasAnUploadOrAnImage(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	built := p.push(d.ID)
	p.pass(time.Second)
	v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{RevisionSource: slipway.SourceInternalDocker, ImageURI: new(image)})
	must(t, err)
	if r := p.newest(v); r.Source != slipway.SourceInternalDocker || r.Config.ImageURI != image || r.Config.TarballPath != "" || r.Config.SourceDigest != "" {
		t.Errorf("a pushed image: %+v", r)
	}
	p.pass(time.Second)
	v, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: "1"}}})
	must(t, err)
	if r := p.newest(v); r.Source != slipway.SourceInternalDocker || r.Config.ImageURI != image {
		t.Errorf("new variables for an image: %+v", r)
	}
	if again := p.push(d.ID); again.Source != slipway.SourceInternalSource || again.Config.ImageURI != "" || again.Config.SourceDigest == built.Config.SourceDigest {
		t.Errorf("an upload again: %+v", again)
	}
	if v, err = p.Get(t.Context(), p.who, d.ID); err != nil || v.Source != slipway.SourceInternalSource {
		t.Errorf("the deployment's own source is %s, %v", v.Source, err)
	}
	if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{RevisionSource: slipway.SourceGitHub}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("a revision from elsewhere: %v", err)
	}
}

func TestResourceSpecIsReplacedWhole(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	patch := func(r slipway.Resources) slipway.Resources {
		t.Helper()
		p.pass(time.Second)
		v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Resources: &r})
		must(t, err)
		if !reflect.DeepEqual(p.newest(v).Config.Resources, v.Config.Resources) {
			t.Errorf("the revision has %+v, the deployment %+v", p.newest(v).Config.Resources, v.Config.Resources)
		}
		return *v.Config.Resources
	}
	patch(slipway.Resources{Server: slipway.Share{CPU: new(1.0), MemoryMB: new(100)}})
	if got := patch(slipway.Resources{Server: slipway.Share{MemoryMB: new(200)}}); got.Server.CPU != nil || *got.Server.MemoryLimitMB != 400 || *got.Queue.MemoryMB != 200 {
		t.Errorf("after the second: %+v", got)
	}
}

// secrets reads a revision's variables as its agent would get them.
func (p *plane) secrets(d slipway.DeploymentID, r slipway.RevisionID) map[string]string {
	p.t.Helper()
	l := p.acquire(d)
	defer func() { must(p.t, p.Release(p.t.Context(), l, 0, time.Time{})) }()
	vars, err := p.Environment(p.t.Context(), l, r, "")
	must(p.t, err)
	own := map[string]string{}
	for _, v := range vars {
		if !v.Public {
			own[v.Name] = v.Value
		}
	}
	return own
}

func TestASetOfSecretsReplacesTheWhole(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	patch := func(vars ...slipway.EnvVar) map[string]string {
		t.Helper()
		p.pass(time.Second)
		v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: vars})
		must(t, err)
		return p.secrets(d.ID, v.Newest.ID)
	}
	patch(slipway.EnvVar{Name: "A", Value: "1"}, slipway.EnvVar{Name: "B", Value: "2"}, slipway.EnvVar{Name: "POSTGRES_URI_CUSTOM", Value: "postgres://mine"})
	for name, c := range map[string]struct {
		given []slipway.EnvVar
		want  map[string]string
	}{
		"masked is unchanged": {
			[]slipway.EnvVar{{Name: "A", Value: slipway.MaskedValue}, {Name: "B", Value: "3"}},
			map[string]string{"A": "1", "B": "3", "POSTGRES_URI_CUSTOM": "postgres://mine"},
		},
		"an empty value takes no database away": {
			[]slipway.EnvVar{{Name: "A", Value: slipway.MaskedValue}, {Name: "POSTGRES_URI_CUSTOM", Value: ""}},
			map[string]string{"A": "1", "POSTGRES_URI_CUSTOM": "postgres://mine"},
		},
		"none given, none changed": {nil, nil},
		"the last of a name counts": {
			[]slipway.EnvVar{{Name: "A", Value: "0"}, {Name: "A", Value: "1"}, {Name: "POSTGRES_URI_CUSTOM", Value: "postgres://mine"}},
			map[string]string{"A": "1", "POSTGRES_URI_CUSTOM": "postgres://mine"},
		},
	} {
		before, err := p.Get(t.Context(), p.who, d.ID)
		must(t, err)
		got := patch(c.given...)
		if c.want == nil {
			after, err := p.Get(t.Context(), p.who, d.ID)
			must(t, err)
			if after.Newest.ID != before.Newest.ID || after.Deployment.Secrets != before.Deployment.Secrets {
				t.Errorf("%s: it made a revision", name)
			}
			continue
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRedeployBringsBackWhatTheRevisionWasMadeOf(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: "old"}}, ConfigPath: new("old.json"), InstallCommand: new("old")})
	must(t, err)
	old := p.push(d.ID)
	p.deploy(l, old.ID)
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{
		Variables:  []slipway.EnvVar{{Name: "A", Value: "new"}, {Name: "REDIS_URI_CUSTOM", Value: "redis://mine"}},
		ConfigPath: new("new.json"), InstallCommand: new("new"), Resources: &slipway.Resources{Server: slipway.Share{CPU: new(1.0)}},
	})
	must(t, err)
	must(t, p.Release(t.Context(), l, 0, time.Time{}))
	p.pass(time.Second)
	v, err := p.Redeploy(t.Context(), p.who, d.ID, old.ID)
	must(t, err)
	if v.RevisionConfig.ConfigPath != "old.json" || v.Config.InstallCommand != "old" || v.Config.Resources != nil || p.newest(v).Config.ConfigPath != "old.json" {
		t.Errorf("redeployed %+v", v)
	}
	want := map[string]string{"A": "old", "REDIS_URI_CUSTOM": "redis://mine"} // a database stays set
	if got := p.secrets(d.ID, v.Newest.ID); !maps.Equal(got, want) {
		t.Errorf("its secrets are %v, want %v", got, want)
	}
	if p.newest(v).Secrets != v.Deployment.Secrets {
		t.Error("the deployment shows other secrets than its newest revision has")
	}
}

// What an app is run by is a setting of its deployment that revisions pin.
func TestTheAgentServerIsPinned(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	aegra := slipway.AgentServerAegra
	v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{AgentServer: &aegra})
	must(t, err)
	if v.Newest != nil || v.Config.AgentServer != aegra {
		t.Errorf("before there is anything to run: %+v", v)
	}
	first := p.push(d.ID)
	if first.Config.AgentServer != aegra {
		t.Errorf("the first revision is run by %q", first.Config.AgentServer)
	}
	revise := func(server slipway.AgentServer) slipway.Revision {
		p.pass(time.Second)
		v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{AgentServer: &server})
		must(t, err)
		return p.newest(v)
	}
	if r := revise(aegra); r.ID != first.ID {
		t.Error("the same value makes a revision")
	}
	if r := revise(slipway.AgentServerLangGraph); r.ID == first.ID || r.Config.AgentServer != slipway.AgentServerLangGraph || r.Config.SourceDigest != first.Config.SourceDigest {
		t.Errorf("another value makes %+v", r)
	}
}

// Variables for builds reach builds, by the name without the prefix, and never
// an agent.
func TestSecretsOfBuildsAreForBuilds(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	for _, name := range []string{"BUILD_SECRET_PATH", "BUILD_SECRET_SLIPWAY_X", "BUILD_SECRET_1"} {
		if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: name, Value: "x"}}}); slipway.CodeOf(err) != slipway.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{
		{Name: "BUILD_SECRET_NPM_TOKEN", Value: "for builds"}, {Name: "TOKEN", Value: "for agents"},
	}})
	must(t, err)
	r := p.push(d.ID)
	claim, err := p.Acquire(t.Context(), "plane", d.ID)
	must(t, err)
	secrets, err := p.BuildSecrets(t.Context(), claim.Lease, r.ID)
	if want := []slipway.EnvVar{{Name: "NPM_TOKEN", Value: "for builds"}}; err != nil || !slices.Equal(secrets, want) {
		t.Errorf("a build gets %v, %v", secrets, err)
	}
	env, err := p.Environment(t.Context(), claim.Lease, r.ID, "")
	must(t, err)
	has := func(value string) bool {
		return slices.ContainsFunc(env, func(v slipway.EnvVar) bool { return v.Value == value })
	}
	if !has("for agents") || has("for builds") {
		t.Errorf("an agent gets %v", env)
	}
	claim.Lease.Term--
	if _, err := p.BuildSecrets(t.Context(), claim.Lease, r.ID); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("without the lease: %v", err)
	}
}

// What an image was when it was fetched is what runs, and what comes back.
func TestAnImageIsPinned(t *testing.T) {
	p := newPlane(t)
	v, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
		Name: "app", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "registry.test/app:latest"},
	})
	must(t, err)
	r := p.newest(v)
	if !r.Fetches() || r.Status != slipway.AwaitingDeploy {
		t.Fatalf("the revision is %+v", r)
	}
	claim, err := p.Acquire(t.Context(), "plane", v.ID)
	must(t, err)
	pinned := slipway.Artefact{Kind: "image", Digest: "d", Image: "registry.test/app@sha256:d"}
	p.report(claim.Lease, slipway.ItemPlanned{Kind: slipway.ItemImage, Ref: "registry.test/app:latest"},
		slipway.ImageFetched{Revision: r.ID, Artefact: pinned}, slipway.DeployStarted{Revision: r.ID})
	if got := p.newest(v); got.Fetches() || got.Artefact.Image != pinned.Image || got.Status != slipway.Deploying {
		t.Errorf("after it was fetched: %+v", got)
	}
	if _, err := p.Report(t.Context(), claim.Lease, slipway.ImageFetched{Revision: r.ID}); !errors.Is(err, slipway.ErrTransition) {
		t.Errorf("fetched again: %v", err)
	}
	p.pass(time.Second)
	again, err := p.Redeploy(t.Context(), p.who, v.ID, r.ID)
	must(t, err)
	if got := p.newest(again); got.Fetches() || got.Artefact.Image != pinned.Image {
		t.Errorf("deployed again: %+v", got)
	}
}

func TestReferencesNeedACluster(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Refs: &[]slipway.SecretRef{{Name: "A", SecretName: "s", SecretKey: "k"}}})
	must(t, err)
	_, err = p.Environment(t.Context(), p.acquire(d.ID), v.Newest.ID, "")
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || !strings.Contains(f.Message, "'A' refers to a secret of a Kubernetes cluster") {
		t.Errorf("the environment of a revision with a reference: %v", err)
	}
}

func TestADeploymentThatMadeNothingVanishes(t *testing.T) {
	p := newPlane(t)
	kept, gone := p.create("kept"), p.create("gone")
	must(t, p.Delete(t.Context(), p.who, kept.ID, slipway.DeleteOptions{}))
	must(t, p.Delete(t.Context(), p.who, gone.ID, slipway.DeleteOptions{TracingProject: true}))
	if _, err := p.Get(t.Context(), p.who, kept.ID); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("it is still there: %v", err)
	}
	waiting := p.create("waiting")
	p.upload(waiting.ID, "source")
	must(t, p.Delete(t.Context(), p.who, waiting.ID, slipway.DeleteOptions{}))
	if d, err := p.Get(t.Context(), p.who, waiting.ID); err != nil || !d.Deleting() {
		t.Errorf("one with an upload: %s, %v", d.Status, err)
	}
	p.coordinate() // traces are looked for
	p.ended(gone.ID)
	if again := p.create("kept"); again.Project != kept.Project {
		t.Errorf("the tracing project that was kept is %s, the new one has %s", kept.Project, again.Project)
	}
	if again := p.create("gone"); again.Project == gone.Project {
		t.Error("a tracing project came back that was to be deleted")
	}
}

func TestCreateAnswersWhatWillBeRead(t *testing.T) {
	p := newPlane(t)
	made, err := p.Create(t.Context(), p.who, internalSource(func(n *slipway.NewDeployment) {
		n.Config = slipway.SourceConfig{DeploymentType: "dev", CustomURL: "https://x.test", Resources: &slipway.Resources{Server: slipway.Share{CPU: new(1.0)}}}
		n.Revision.ConfigPath = "app/langgraph.json"
		n.Variables = []slipway.EnvVar{{Name: "B", Value: "2"}, {Name: "A", Value: "1"}}
		n.Refs = []slipway.SecretRef{{Name: "C", SecretName: "s", SecretKey: "k"}}
	}))
	must(t, err)
	plain, err := p.Create(t.Context(), p.who, internalSource(func(n *slipway.NewDeployment) {
		n.Name, n.Variables, n.Refs = "plain", []slipway.EnvVar{{Name: "A", Value: "1"}}, []slipway.SecretRef{}
	}))
	must(t, err)
	for _, made := range []slipway.DeploymentView{made, plain} {
		read, err := p.Get(t.Context(), p.who, made.ID)
		must(t, err)
		if !reflect.DeepEqual(made, read) {
			t.Errorf("created\n%+v, read\n%+v", made, read)
		}
	}
}

// Who may ask an agent is changed without a revision, and its data plane is told.
func TestAccessMakesNoRevision(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	first := p.push(d.ID)
	before := d
	for _, access := range []slipway.Access{slipway.AccessPublic, slipway.AccessKey} {
		v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Access: &access})
		must(t, err)
		if v.Config.Access != access || v.Deployment.Latest != first.ID || v.Generation <= before.Generation {
			t.Errorf("%s: %+v", access, v)
		}
		again, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{Access: &access})
		must(t, err)
		if again.Generation != v.Generation {
			t.Errorf("%s again is another wish", access)
		}
		before = v
	}
}
