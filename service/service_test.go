package service_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/enginetest"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/service"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// plane is a control plane on a real store, with a clock that tests turn, and
// the hands of a data plane.
type plane struct {
	*service.Service
	t     *testing.T
	dir   string
	store slipway.Store
	who   slipway.Principal

	images *registry.Registry
	blobs  *stubbornBlobs

	forgotten int // how often who may do what has changed

	mu  sync.Mutex
	now time.Time
}

var ports = slipway.PortRange{First: 20000, Last: 20009}

// newPlane returns a plane on which nothing that is deleted is kept aside, unless
// its settings are changed.
func newPlane(t *testing.T, edit ...func(*plane, *service.Config)) *plane {
	t.Helper()
	p := &plane{t: t, dir: t.TempDir(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	store := enginetest.Open(t)
	blobs, err := blob.OpenFolder(filepath.Join(p.dir, "blobs"))
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	ring, err := secret.NewKeyring(make([]byte, 32))
	must(t, err)
	p.store = store
	p.images, err = registry.Open(filepath.Join(p.dir, "registry"), registry.Config{
		Signer: ring, Now: p.clock, Lives: p.lives, Ours: func(host string) bool { return host == "slipway.test" },
	})
	must(t, err)
	t.Cleanup(func() { must(t, p.images.Close()) })
	config := service.Config{
		URL: func(slug string) string { return "http://slipway.test/d/" + slug }, Now: p.clock,
		Forget: func() { p.forgotten++ }, Tree: treeOf,
	}
	p.blobs = &stubbornBlobs{Folder: blobs}
	for _, e := range edit {
		e(p, &config)
	}
	p.Service = service.New(store, p.blobs, p.images, ring, config)
	must(t, p.Bootstrap(t.Context(), func(string) error { return nil }))
	must(t, store.View(t.Context(), func(tx slipway.Tx) error {
		workspaces, err := tx.ListWorkspaces()
		p.who = slipway.Principal{Workspace: workspaces[0].ID, Scopes: slipway.DefaultScopes()}
		return err
	}))
	return p
}

// treeOf stands for the digest of a source's files: its first line, packed how
// it may be; nothing for what is no tarball.
func treeOf(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 1<<20)).ReadString('\n')
	return "tree of " + line, err
}

func (p *plane) lives(ctx context.Context, d slipway.DeploymentID) (bool, error) {
	return p.TakesPushes(ctx, d)
}

func (p *plane) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *plane) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) create(name string) slipway.DeploymentView {
	p.t.Helper()
	d, err := p.Create(p.t.Context(), p.who, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalSource})
	must(p.t, err)
	p.pass(time.Second)
	return d
}

func (p *plane) upload(d slipway.DeploymentID, content string) string {
	p.t.Helper()
	u, err := p.NewUpload(p.t.Context(), p.who, d)
	must(p.t, err)
	must(p.t, p.ReceiveUpload(p.t.Context(), u.ID, strings.NewReader(content)))
	return u.Object
}

// push makes a revision of a new upload.
func (p *plane) push(d slipway.DeploymentID) slipway.Revision {
	p.t.Helper()
	object := p.upload(d, "source "+p.clock().String())
	p.pass(time.Second)
	v, err := p.Patch(p.t.Context(), p.who, d, slipway.Change{TarballPath: &object})
	must(p.t, err)
	return p.newest(v)
}

// newest reads the whole of a deployment's newest revision.
func (p *plane) newest(v slipway.DeploymentView) slipway.Revision {
	p.t.Helper()
	r, err := p.GetRevision(p.t.Context(), p.who, v.ID, v.Newest.ID)
	must(p.t, err)
	return r.Revision
}

func (p *plane) statuses(d slipway.DeploymentID) string {
	p.t.Helper()
	found, err := p.ListRevisions(p.t.Context(), p.who, slipway.RevisionFilter{Deployment: d, Limit: 100})
	must(p.t, err)
	var all []string
	for _, r := range slices.Backward(found) {
		all = append(all, string(r.Status))
	}
	return strings.Join(all, " ")
}

func (p *plane) acquire(d slipway.DeploymentID) slipway.Lease {
	p.t.Helper()
	c, err := p.Acquire(p.t.Context(), "test", d)
	must(p.t, err)
	return c.Lease
}

func (p *plane) report(l slipway.Lease, events ...slipway.Event) slipway.Assignment {
	p.t.Helper()
	a, err := p.Report(p.t.Context(), l, events...)
	must(p.t, err)
	return a
}

// lost reports that things were removed, and that they were looked for again.
func (p *plane) lost(l slipway.Lease, kind slipway.ItemKind, refs ...string) (a slipway.Assignment) {
	p.t.Helper()
	for _, ref := range refs {
		removed := slipway.Event(slipway.ItemRemoved{Kind: kind, Ref: ref})
		if kind == slipway.ItemInstance {
			removed = slipway.InstanceGone{Instance: slipway.InstanceID(ref)}
		}
		a = p.report(l, removed, slipway.ItemVerified{Kind: kind, Ref: ref})
	}
	return a
}

// deploy reports a revision through to its gate.
func (p *plane) deploy(l slipway.Lease, r slipway.RevisionID) slipway.Assignment {
	p.t.Helper()
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemBundle, Ref: "bundle"}, slipway.BuildStarted{Revision: r})
	p.report(l, slipway.BuildDone{Revision: r, Artefact: slipway.Artefact{Kind: "k", Digest: "bundle"}},
		slipway.DeployStarted{Revision: r}, slipway.InstanceWanted{Revision: r, Ports: ports})
	return p.report(l, slipway.GatePassed{Revision: r})
}

func TestCreateAnswersAsTheContractSays(t *testing.T) {
	p := newPlane(t)
	d := p.create("my_app")
	if d.Status != slipway.Ready || d.Slug != "my-app" || d.Newest != nil || d.URL != "" || d.Project == "" {
		t.Errorf("created %+v", d)
	}
	for name, c := range map[string]struct {
		n    slipway.NewDeployment
		code slipway.Code
		text string
	}{
		"taken name":    {slipway.NewDeployment{Name: "my_app", Source: slipway.SourceInternalSource}, slipway.CodeConflict, "There already exists a project in LangSmith named: my_app."},
		"bad name":      {slipway.NewDeployment{Name: "My App", Source: slipway.SourceInternalSource}, slipway.CodeInvalid, "Invalid deployment name"},
		"github":        {slipway.NewDeployment{Name: "a", Source: slipway.SourceGitHub}, slipway.CodeInvalid, "integration"},
		"no image":      {slipway.NewDeployment{Name: "a", Source: slipway.SourceExternalDocker}, slipway.CodeInvalid, "image_uri"},
		"reserved name": {slipway.NewDeployment{Name: "a", Source: slipway.SourceInternalSource, Variables: []slipway.EnvVar{{Name: "PORT"}}}, slipway.CodeInvalid, "'PORT' is reserved"},
	} {
		_, err := p.Create(t.Context(), p.who, c.n)
		if slipway.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.text)
		}
	}
}

func TestAnotherWorkspaceSeesNothing(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	other := slipway.Principal{Workspace: slipway.NewID[slipway.WorkspaceID](p.clock()), Scopes: slipway.DefaultScopes()}
	ctx, want := t.Context(), "Deployment ID "+string(d.ID)+" not found."
	object := "x"
	for name, call := range map[string]func() error{
		"get":      func() error { _, err := p.Get(ctx, other, d.ID); return err },
		"patch":    func() error { _, err := p.Patch(ctx, other, d.ID, slipway.Change{TarballPath: &object}); return err },
		"delete":   func() error { return p.Delete(ctx, other, d.ID, slipway.DeleteOptions{}) },
		"force":    func() error { return p.ForceDelete(ctx, other, d.ID, slipway.DeleteOptions{}) },
		"revision": func() error { _, err := p.GetRevision(ctx, other, d.ID, r.ID); return err },
		"revisions": func() error {
			_, err := p.ListRevisions(ctx, other, slipway.RevisionFilter{Deployment: d.ID, Limit: 1})
			return err
		},
		"redeploy":  func() error { _, err := p.Redeploy(ctx, other, d.ID, r.ID); return err },
		"rotate":    func() error { _, err := p.RotatePassword(ctx, other, d.ID); return err },
		"interrupt": func() error { return p.Interrupt(ctx, other, d.ID, r.ID) },
		"upload":    func() error { _, err := p.NewUpload(ctx, other, d.ID); return err },
		"push":      func() error { _, err := p.NewPushToken(ctx, other, d.ID); return err },
		"logs":      func() error { _, _, err := p.Logs(ctx, other, slipway.LogQuery{Deployment: d.ID}); return err },
	} {
		if err := call(); slipway.CodeOf(err) != slipway.CodeNotFound || err.Error() != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if found, err := p.List(ctx, other, slipway.DeploymentFilter{Limit: 10}); err != nil || len(found) > 0 {
		t.Errorf("list: %v, %v", found, err)
	}
	if got, err := p.Get(ctx, p.who, d.ID); err != nil || got.Deleting() {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

func TestWhatMakesARevision(t *testing.T) {
	p := newPlane(t)
	str := func(s string) *string { return &s }
	refs := []slipway.SecretRef{}
	for name, c := range map[string]struct {
		ch   slipway.Change
		want bool
	}{
		"nothing":              {slipway.Change{}, false},
		"display name":         {slipway.Change{DisplayName: str("An app")}, false},
		"custom url":           {slipway.Change{CustomURL: str("https://x.test")}, false},
		"build on push":        {slipway.Change{BuildOnPush: new(true)}, false},
		"same build command":   {slipway.Change{BuildCommand: str("")}, false},
		"other build command":  {slipway.Change{BuildCommand: str("make it")}, true},
		"same config path":     {slipway.Change{ConfigPath: str("langgraph.json")}, true},
		"secrets":              {slipway.Change{Variables: []slipway.EnvVar{{Name: "A", Value: "b"}}}, true},
		"references":           {slipway.Change{Refs: &refs}, true},
		"resources":            {slipway.Change{Resources: &slipway.Resources{}}, true},
		"asked for explicitly": {slipway.Change{AlwaysRevise: true}, true},
	} {
		d := p.create(strings.ReplaceAll(name, " ", "-"))
		p.push(d.ID)
		before, err := p.Get(t.Context(), p.who, d.ID)
		must(t, err)
		p.pass(time.Second)
		after, err := p.Patch(t.Context(), p.who, d.ID, c.ch)
		must(t, err)
		if made := before.Newest.ID != after.Newest.ID; made != c.want {
			t.Errorf("%s makes a revision: %t, want %t", name, made, c.want)
		}
		if moved := before.Generation != after.Generation; moved != c.want {
			t.Errorf("%s: the generation moved: %t, want %t", name, moved, c.want)
		}
	}
}

func TestQueueKeepsTheNewestAndSkipsTheRest(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	first := p.push(d.ID)
	p.push(d.ID)
	p.push(d.ID)
	newest := p.push(d.ID)
	if got := p.statuses(d.ID); got != "AWAITING_BUILD QUEUED QUEUED QUEUED" {
		t.Fatalf("while the first is in progress: %s", got)
	}
	l := p.acquire(d.ID)
	p.report(l, slipway.BuildStarted{Revision: first.ID})
	a := p.report(l, slipway.RevisionFailed{Revision: first.ID, Failure: slipway.Failure{Phase: "build", Code: "x", Message: "it broke"}})
	if got := p.statuses(d.ID); got != "BUILD_FAILED SKIPPED SKIPPED AWAITING_BUILD" {
		t.Errorf("after it failed: %s", got)
	}
	if a.InProgress == nil || a.InProgress.ID != newest.ID {
		t.Errorf("in progress is %+v, want the newest", a.InProgress)
	}
	failed, err := p.GetRevision(t.Context(), p.who, d.ID, first.ID)
	must(t, err)
	if failed.Message != "it broke" || failed.Failure == nil || failed.Failure.Code != "x" {
		t.Errorf("the failed one says %q, %+v", failed.Message, failed.Failure)
	}
	var history []string
	for _, h := range failed.History {
		history = append(history, string(h.Status))
	}
	if got := strings.Join(history, " "); got != "CREATING QUEUED AWAITING_BUILD BUILDING BUILD_FAILED" {
		t.Errorf("history: %s", got)
	}
}

func TestAFailureChangesNothingThatServes(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	good := p.push(d.ID)
	p.deploy(l, good.ID)
	bad := p.push(d.ID)
	a := p.report(l, slipway.BuildStarted{Revision: bad.ID},
		slipway.RevisionFailed{Revision: bad.ID, Failure: slipway.Failure{Phase: "build", Message: "no"}})
	if a.Deployment.Active != good.ID || a.Active == nil || a.InProgress != nil {
		t.Errorf("active is %s, want %s", a.Deployment.Active, good.ID)
	}
	v, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	if v.URL != "http://slipway.test/d/app" || v.Newest.ID != bad.ID || v.Status != slipway.Ready {
		t.Errorf("deployment: %+v", v)
	}
}

func TestRedeployCopiesWithoutABuild(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	first := p.push(d.ID)
	p.deploy(l, first.ID)
	v, err := p.Redeploy(t.Context(), p.who, d.ID, first.ID)
	must(t, err)
	if v.Newest.Status != slipway.AwaitingDeploy || p.newest(v).Artefact.Digest != "bundle" || v.Newest.ID == first.ID {
		t.Errorf("redeployed: %+v", v.Newest)
	}
	unbuilt := p.push(d.ID)
	if _, err := p.Redeploy(t.Context(), p.who, d.ID, unbuilt.ID); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("redeploy of what was never built: %v", err)
	}
}

func TestInterruptEndsARevisionAndLetsTheNextBegin(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	first := p.push(d.ID)
	p.push(d.ID)
	must(t, p.Interrupt(t.Context(), p.who, d.ID, first.ID))
	if got := p.statuses(d.ID); got != "INTERRUPTED AWAITING_BUILD" {
		t.Errorf("statuses: %s", got)
	}
	if err := p.Interrupt(t.Context(), p.who, d.ID, first.ID); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("interrupted twice: %v", err)
	}
}

func TestReportsNeedTheLease(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	old := p.acquire(d.ID)
	if _, err := p.Acquire(t.Context(), "other", d.ID); !errors.Is(err, slipway.ErrLeased) {
		t.Errorf("a held lease was given away: %v", err)
	}
	p.pass(time.Minute)
	c, err := p.Acquire(t.Context(), "other", d.ID)
	must(t, err)
	if c.Lease.Term <= old.Term {
		t.Errorf("term %d after %d", c.Lease.Term, old.Term)
	}
	if _, err := p.Report(t.Context(), old, slipway.BuildStarted{Revision: r.ID}); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("a report under an old term: %v", err)
	}
	if _, err := p.Environment(t.Context(), old, r.ID, ""); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("secrets under an old term: %v", err)
	}
	must(t, p.Release(t.Context(), c.Lease, c.Assignment.Deployment.Generation, time.Time{}))
	must(t, p.Attach(t.Context(), "other"))
}

func TestLinesGoWithTheReport(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	line := slipway.LogLine{Deployment: d.ID, Revision: r.ID, Kind: slipway.BuildLog, Origin: "build", Offset: 5, At: p.clock(), Level: "INFO", Message: "said"}
	said := slipway.Logged{Lines: []slipway.LogLine{line}}
	stored := func() int {
		lines, _, err := p.Logs(t.Context(), p.who, slipway.LogQuery{Deployment: d.ID, Limit: 10})
		must(t, err)
		return len(lines)
	}
	if _, err := p.Report(t.Context(), l, said, slipway.DeployStarted{Revision: r.ID}); err == nil || stored() != 0 {
		t.Errorf("a refused report stored %d lines (%v)", stored(), err)
	}
	must(t, p.Log(t.Context(), said.Lines))
	p.report(l, said, slipway.BuildStarted{Revision: r.ID})
	if n := stored(); n != 1 {
		t.Errorf("a line that was there is there %d times", n)
	}
}

func TestClaimGivesWhatIsDueOnce(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	claims, err := p.Claim(t.Context(), "test", 10)
	must(t, err)
	if len(claims) != 1 || claims[0].Assignment.InProgress == nil {
		t.Fatalf("claims: %+v", claims)
	}
	got := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		claims, err := p.Claim(ctx, "test", 10)
		if len(claims) > 0 {
			err = errors.New("claimed twice")
		}
		got <- err
	}()
	must(t, p.Release(t.Context(), claims[0].Lease, claims[0].Assignment.Deployment.Generation, time.Time{}))
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("a released deployment without work: %v", err)
	}
	p.push(d.ID)
	if claims, err = p.Claim(t.Context(), "test", 10); err != nil || len(claims) != 1 {
		t.Errorf("after a change: %+v, %v", claims, err)
	}
}

func TestKeepTellsOfChanges(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	c, err := p.Acquire(t.Context(), "test", d.ID)
	must(t, err)
	seen := c.Assignment.Deployment.Generation
	got := make(chan int64, 1)
	go func() {
		g, err := p.Keep(t.Context(), c.Lease, seen)
		if err != nil {
			t.Error(err)
		}
		got <- g
	}()
	p.push(d.ID)
	if g := <-got; g <= seen {
		t.Errorf("generation %d, was %d", g, seen)
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if g, err := p.Keep(t.Context(), c.Lease, seen); err != nil || g <= seen {
		t.Errorf("what was missed before: %d, %v", g, err)
	}
}

func TestSecretsLeaveTowardsTheInstanceOnly(t *testing.T) {
	p := newPlane(t)
	canary := "canary-5up3r-s3cret"
	d, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
		Name: "app", Source: slipway.SourceInternalSource, Variables: []slipway.EnvVar{{Name: "TOKEN", Value: canary}, {Name: "PLAIN", Value: "x"}},
	})
	must(t, err)
	if !slices.Equal(d.Variables, []string{"TOKEN", "PLAIN"}) && !slices.Equal(d.Variables, []string{"PLAIN", "TOKEN"}) {
		t.Errorf("names: %v", d.Variables)
	}
	first := p.push(d.ID)
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "TOKEN", Value: slipway.MaskedValue}, {Name: "NEW", Value: "y"}}})
	must(t, err)
	l := p.acquire(d.ID)
	env, err := p.Environment(t.Context(), l, first.ID, "")
	must(t, err)
	if !slices.Contains(env, slipway.EnvVar{Name: "TOKEN", Value: canary}) || !slices.Contains(env, slipway.EnvVar{Name: "LANGSMITH_PROJECT", Value: "app", Public: true}) {
		t.Errorf("environment of the first revision: %v", env)
	}
	v, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	env, err = p.Environment(t.Context(), l, v.Newest.ID, "")
	must(t, err)
	if !slices.Contains(env, slipway.EnvVar{Name: "TOKEN", Value: canary}) || !slices.Contains(env, slipway.EnvVar{Name: "NEW", Value: "y"}) || slices.ContainsFunc(env, func(v slipway.EnvVar) bool { return v.Name == "PLAIN" }) {
		t.Errorf("environment of the second: %v", env)
	}
	_, err = p.Patch(t.Context(), p.who, d.ID, slipway.Change{Variables: []slipway.EnvVar{{Name: "NEVER", Value: slipway.MaskedValue}}})
	if slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("a masked value of an unknown name: %v", err)
	}
	must(t, filepath.WalkDir(p.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s holds the secret in clear", path)
		}
		return err
	}))
}

func TestUploadsAreOneUseAndOwned(t *testing.T) {
	p := newPlane(t)
	d, other := p.create("app"), p.create("other")
	u, err := p.NewUpload(t.Context(), p.who, d.ID)
	must(t, err)
	if _, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{TarballPath: &u.Object}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("a revision of an empty upload: %v", err)
	}
	must(t, p.ReceiveUpload(t.Context(), u.ID, strings.NewReader("x")))
	if err := p.ReceiveUpload(t.Context(), u.ID, strings.NewReader("y")); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("filled twice: %v", err)
	}
	if _, err := p.Patch(t.Context(), p.who, other.ID, slipway.Change{TarballPath: &u.Object}); slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("another deployment's upload: %v", err)
	}
	late, err := p.NewUpload(t.Context(), p.who, d.ID)
	must(t, err)
	p.pass(time.Hour)
	if err := p.ReceiveUpload(t.Context(), late.ID, strings.NewReader("x")); slipway.CodeOf(err) != slipway.CodeForbidden {
		t.Errorf("after its time: %v", err)
	}
	dead, err := p.NewUpload(t.Context(), p.who, d.ID)
	must(t, err)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if err := p.ReceiveUpload(t.Context(), dead.ID, strings.NewReader("x")); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("after deletion: %v", err)
	}
}

func TestTheSameFilesAreKnownAgain(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	revise := func(content string) slipway.RevisionConfig {
		object := p.upload(d.ID, content)
		p.pass(time.Second)
		v, err := p.Patch(t.Context(), p.who, d.ID, slipway.Change{TarballPath: &object})
		must(t, err)
		return p.newest(v).Config
	}
	first, again, other := revise("files\npacked once"), revise("files\npacked twice"), revise("unreadable")
	if first.SourceTree != "tree of files\n" || again.SourceTree != first.SourceTree || again.SourceDigest == first.SourceDigest {
		t.Errorf("the same files packed twice: %+v, %+v", first, again)
	}
	if other.SourceTree != "" || other.SourceDigest == "" {
		t.Errorf("what is no tarball is built all the same, to say so: %+v", other)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	u, err := p.NewUpload(t.Context(), p.who, d.ID)
	must(t, err)
	if err := p.ReceiveUpload(t.Context(), u.ID, endless{}); slipway.CodeOf(err) != slipway.CodeTooLarge {
		t.Errorf("an endless upload: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestDeadlinesEndWhatIsInProgress(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.push(d.ID)
	next := p.push(d.ID)
	p.pass(841 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		p.Coordinate(ctx)
		close(done)
	}()
	claims, err := p.Claim(t.Context(), "test", 1) // it is due since its revision began
	must(t, err)
	l, a := claims[0].Lease, claims[0].Assignment
	for a.InProgress == nil || a.InProgress.ID != next.ID {
		_, err := p.Keep(t.Context(), l, a.Deployment.Generation)
		must(t, err)
		a = p.report(l)
	}
	cancel()
	<-done
	if got := p.statuses(d.ID); got != "BUILD_FAILED AWAITING_BUILD" {
		t.Errorf("statuses: %s", got)
	}
}

func TestDeleteGoesByTheInventory(t *testing.T) {
	p := newPlane(t)
	ctx := t.Context()
	d := p.create("app")
	l := p.acquire(d.ID)
	r := p.push(d.ID)
	a := p.deploy(l, r.ID)
	p.push(d.ID)
	p.push(d.ID)
	must(t, p.Delete(ctx, p.who, d.ID, slipway.DeleteOptions{}))
	must(t, p.Delete(ctx, p.who, d.ID, slipway.DeleteOptions{})) // again is as good
	if got := p.statuses(d.ID); got != "DEPLOYED INTERRUPTED SKIPPED" {
		t.Errorf("revisions: %s", got)
	}
	if _, err := p.Patch(ctx, p.who, d.ID, slipway.Change{AlwaysRevise: true}); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("a revision of what is deleted: %v", err)
	}
	again := p.create("app")
	if again.ID == d.ID || again.Project != d.Project || again.Slug != "app" {
		t.Errorf("the name again: %+v", again)
	}
	a = p.lost(l, slipway.ItemInstance, string(a.Instances[0].ID))
	if v, err := p.Get(ctx, p.who, d.ID); err != nil || v.Status != slipway.AwaitingDelete {
		t.Errorf("with a bundle left: %+v, %v", v.Status, err)
	}
	coordinated, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		p.Coordinate(coordinated)
		close(done)
	}()
	if a = p.report(l, slipway.ItemRemoved{Kind: slipway.ItemBundle, Ref: "bundle"}); a.Deployment.Status != slipway.AwaitingDelete {
		t.Errorf("before it was looked for again: %s", a.Deployment.Status)
	}
	a = p.report(l, slipway.ItemVerified{Kind: slipway.ItemBundle, Ref: "bundle"})
	if len(a.Items) != 0 || a.Deployment.Status != slipway.AwaitingFinalDelete {
		t.Errorf("at the end: %+v", a)
	}
	if err := p.Release(ctx, l, a.Deployment.Generation, time.Time{}); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("the lease of what nobody has to do anything for: %v", err)
	}
	testsignal.Until(t, "404", func() bool {
		_, err := p.Get(ctx, p.who, d.ID)
		return slipway.CodeOf(err) == slipway.CodeNotFound
	})
	cancel()
	<-done
	if left, err := os.ReadDir(filepath.Join(p.dir, "blobs", "uploads")); err != nil || len(left) != 0 {
		t.Errorf("uploads left: %v, %v", left, err)
	}
}

func TestDeletedTracingProjectIsGone(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	if again := p.create("app"); again.Project == d.Project {
		t.Error("the deleted project was taken over")
	}
}

// A wish for instances that is told again, or with one there, makes no more than
// are wanted, each with a port of its own.
func TestInstancesAreMadeUpToTheNumber(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	p.report(l, slipway.InstanceWanted{Revision: r.ID, Ports: ports})
	for _, want := range []int{3, 3, 2, 4} {
		a := p.report(l, slipway.InstanceWanted{Revision: r.ID, Count: want, Ports: ports})
		taken := map[int]bool{}
		for _, i := range a.Instances {
			taken[i.Port] = true
		}
		if n := len(a.Instances); n != max(want, 3) || len(taken) != n {
			t.Errorf("after %d are wanted: %d instances with %d ports", want, n, len(taken))
		}
	}
}

func TestNoPortIsLeft(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	r := p.push(d.ID)
	l := p.acquire(d.ID)
	p.report(l, slipway.BuildStarted{Revision: r.ID}, slipway.BuildDone{Revision: r.ID, Artefact: slipway.Artefact{Kind: "k", Digest: "b"}})
	other := p.create("other")
	q := p.push(other.ID)
	k := p.acquire(other.ID)
	one := slipway.PortRange{First: 20000, Last: 20000}
	p.report(k, slipway.InstanceWanted{Revision: q.ID, Ports: one})
	_, err := p.Report(t.Context(), l, slipway.InstanceWanted{Revision: r.ID, Ports: one})
	f, ok := errors.AsType[*slipway.Failure](err)
	if !ok || f.Code != "no_free_port" {
		t.Errorf("a second instance on one port: %v", err)
	}
}
