package simulation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/internal/sqlitetest"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/snapshot"
	"github.com/slipwayhq/slipway/store/sqlite"
)

// patience is how long the world may take to settle: longer than any deadline.
const patience = 45 * time.Minute

// undo is how long what was deleted is kept aside: longer than the world takes to
// settle.
const undo = 3 * time.Hour

// world is everything: what outlives processes, one control plane, and the data
// plane of the moment.
type world struct {
	t       *testing.T
	dir     string
	store   *watched
	blobs   *blob.Folder
	images  *registry.Registry
	traces  *traces
	ring    *secret.Keyring
	control *control
	builder *builder
	agents  *agents
	servers *servers
	fake    *drivers
	plane   *plane
	life    atomic.Pointer[plane] // the same, for those who are told of something meanwhile
	who     slipway.Principal
	log     *slog.Logger
	said    *diary
	watch   *watchdog

	mu     sync.Mutex
	faults []string
	failed map[string]bool // what fails at the moment
	apps   map[slipway.DeploymentID]*app
	nonces int
	final  *snapshot.Folder // of last states; nil for none
	kept   keptLast         // there
	paired bool             // each deployment that needs a Redis has one of its own

	heldOver int // deployments whose old instance lived through the death of who held
}

// app is a deployment as its owner knows it.
type app struct {
	id      slipway.DeploymentID
	name    string
	scripts map[slipway.RevisionID]script
	sources map[string]script // by the object of the upload
}

func newWorld(t *testing.T, edits ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, dir: sqlitetest.Folder(t), failed: map[string]bool{}, apps: map[slipway.DeploymentID]*app{}}
	w.traces = &traces{left: map[slipway.ProjectID]int{}}
	w.said = &diary{}
	w.watch = &watchdog{w: w}
	w.log = slog.New(watchedLog{slog.NewTextHandler(w.said, &slog.HandlerOptions{Level: slog.LevelDebug}), w.watch})
	sqlitetest.Prepare(t, filepath.Join(w.dir, "slipway.db"))
	store, err := sqlite.Open(t.Context(), filepath.Join(w.dir, "slipway.db"))
	must(t, err)
	w.store = &watched{Store: store, w: w}
	w.images, err = registry.Open(filepath.Join(w.dir, "registry"), registry.Config{})
	must(t, err)
	w.blobs, err = blob.OpenFolder(filepath.Join(w.dir, "blobs"))
	must(t, err)
	w.ring, err = secret.NewKeyring(make([]byte, 32))
	must(t, err)
	w.control = &control{w: w}
	w.control.start()
	w.builder, w.agents, w.servers = newBuilder(w), newAgents(), newServers(w)
	w.fake = openDrivers(w.agents.start)
	must(t, w.control.service.Bootstrap(t.Context(), func(string) error { return nil }))
	w.view(func(tx slipway.Tx) {
		workspaces, err := tx.ListWorkspaces()
		must(t, err)
		w.who = slipway.Principal{Workspace: workspaces[0].ID, Scopes: slipway.DefaultScopes()}
	})
	for _, edit := range edits {
		edit(w)
	}
	w.live(w.startPlane(0, false))
	t.Cleanup(w.end)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// end stops everything and says what was wrong.
func (w *world) end() {
	w.plane.bury()
	w.control.end()
	all, _ := w.fake.List(context.Background())
	for _, o := range all {
		_ = w.fake.Stop(context.Background(), o.Deployment, o.Instance, 0)
	}
	w.fake.Close()
	must(w.t, w.store.Close())
	must(w.t, w.blobs.Close())
	must(w.t, w.images.Close())
	for _, f := range w.faults {
		w.t.Error(f)
	}
	if w.t.Failed() {
		w.t.Logf("the last lines of the log:\n%s", w.said.last())
	}
}

func (w *world) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.said.Write([]byte("FAULT " + text + "\n"))
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 10 {
		w.faults = append(w.faults, text)
	}
}

func (w *world) faulty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.faults) > 0
}

// fail has what a name stands for fail, or not any more.
func (w *world) fail(what string, fails bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed[what] = fails
}

func (w *world) failing(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed[what]
}

func (w *world) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.failed)
}

// view reads rows, past all that watches.
func (w *world) view(fn func(slipway.Tx)) {
	err := w.store.View(context.Background(), func(tx slipway.Tx) error {
		fn(tx)
		return nil
	})
	if err != nil {
		w.fault("read rows: %v", err)
	}
}

// mustOwn: what is made is in the inventory before.
func (w *world) mustOwn(d slipway.DeploymentID, kind slipway.ItemKind, ref string) {
	w.view(func(tx slipway.Tx) {
		items, err := tx.ListItems(d)
		if err == nil && !slices.ContainsFunc(items, func(i slipway.Item) bool {
			return i.Kind == kind && i.Ref == ref && i.RemovedAt.IsZero()
		}) {
			w.fault("%s %s is made for %s, and the inventory does not know it", kind, ref, d)
		}
	})
}

// owns says whether an instance is of a kind that owns the state, which others
// may run beside.
func (w *world) owns(o slipway.Observed) bool {
	var in slipway.Instance
	w.view(func(tx slipway.Tx) { in, _ = tx.Instance(o.Instance) })
	return w.script(o.Deployment, in.Revision)["kind"] != "plain"
}

// mayStop: a failure stops nothing that serves.
func (w *world) mayStop(id slipway.DeploymentID, i slipway.InstanceID) {
	w.view(func(tx slipway.Tx) {
		d, err := tx.Deployment(id)
		if err != nil || d.Deleting() || d.Active == "" {
			return
		}
		in, err := tx.Instance(i)
		if err != nil || in.Revision != d.Active {
			return
		}
		s := w.script(id, d.Active)
		open, _ := tx.OpenRevisions(id)
		takesOver := slices.ContainsFunc(open, func(r slipway.Revision) bool {
			return r.Status == slipway.Deploying && w.script(id, r.ID).ownsState()
		})
		runs := w.agents.at(fmt.Sprintf("127.0.0.1:%d", in.Port))
		if s["kind"] == "plain" && !takesOver && runs == serves && in.State == slipway.InstanceServing {
			w.fault("instance %s is stopped, which serves revision %s", i, d.Active)
		}
	})
}

// script is what a revision does; one that was made by itself, what that does
// which it is a copy of.
func (w *world) script(d slipway.DeploymentID, r slipway.RevisionID) script {
	w.mu.Lock()
	a := w.apps[d]
	if a == nil || a.scripts[r] != nil {
		defer w.mu.Unlock()
		if a == nil {
			return nil
		}
		return a.scripts[r]
	}
	w.mu.Unlock()
	var copied slipway.Revision
	w.view(func(tx slipway.Tx) { copied, _ = tx.Revision(d, r) })
	w.mu.Lock()
	defer w.mu.Unlock()
	return a.sources[copied.Config.TarballPath]
}

// watched is the store with eyes.
type watched struct {
	slipway.Store
	w      *world
	writes atomic.Int64
	full   atomic.Int64 // updates that fail from now on
	traced atomic.Bool  // the diary has who makes each update
}

var errFull = errors.New("database or disk is full")

func (s *watched) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	s.writes.Add(1)
	if s.traced.Load() {
		s.w.said.Write(debug.Stack())
	}
	if s.full.Add(-1) >= 0 {
		return errFull
	}
	return s.Store.Update(ctx, func(tx slipway.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		s.w.checkQueues(tx)
		return nil
	})
}

// checkQueues: at most one revision of a deployment is in progress, and none is
// open once it is being deleted.
func (w *world) checkQueues(tx slipway.Tx) {
	for _, a := range w.known() {
		d, err := tx.Deployment(a.id)
		if err != nil {
			continue
		}
		open, _ := tx.OpenRevisions(a.id)
		n := 0
		for _, r := range open {
			if r.Status.InProgress() {
				n++
			}
		}
		if n > 1 {
			w.fault("%d revisions of %s are in progress", n, a.name)
		}
		if n == 0 && len(open) > 0 {
			w.fault("revisions of %s wait for nothing", a.name)
		}
		if d.Deleting() && len(open) > 0 {
			w.fault("%d revisions of %s are open after its deletion", len(open), a.name)
		}
	}
}

func (w *world) known() []*app {
	w.mu.Lock()
	defer w.mu.Unlock()
	apps := make([]*app, 0, len(w.apps))
	for _, a := range w.apps {
		apps = append(apps, a)
	}
	return apps
}

// What an owner does.

func (w *world) create(name string) *app {
	s, _ := w.control.current()
	v, err := s.Create(context.Background(), w.who, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalSource, Config: slipway.SourceConfig{DeploymentType: "serverless"}})
	if err != nil {
		w.expected("create", err)
		return nil
	}
	a := &app{id: v.ID, name: name, scripts: map[slipway.RevisionID]script{}, sources: map[string]script{}}
	w.mu.Lock()
	w.apps[a.id] = a
	w.mu.Unlock()
	return a
}

// expected: requests fail for reasons of their own, or with what was broken.
func (w *world) expected(doing string, err error) {
	if slipway.CodeOf(err) == "" && !errors.Is(err, errFull) {
		w.fault("%s: %v", doing, err)
	}
}

// push uploads a source and makes a revision of it.
func (w *world) push(a *app, source string) slipway.RevisionID {
	w.mu.Lock()
	w.nonces++
	if !strings.Contains(source, "nonce=") {
		source += fmt.Sprint(" nonce=", w.nonces)
	}
	w.mu.Unlock()
	s, _ := w.control.current()
	ctx := context.Background()
	u, err := s.NewUpload(ctx, w.who, a.id)
	if err == nil {
		err = s.ReceiveUpload(ctx, u.ID, strings.NewReader(source))
	}
	var v slipway.DeploymentView
	if err == nil {
		v, err = s.Patch(ctx, w.who, a.id, slipway.Change{TarballPath: &u.Object})
	}
	if err != nil {
		w.expected("push", err)
		return ""
	}
	w.mu.Lock()
	a.sources[u.Object] = parse(source)
	w.mu.Unlock()
	w.remember(a, v.Newest.ID, parse(source))
	return v.Newest.ID
}

func (w *world) remember(a *app, r slipway.RevisionID, s script) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.scripts[r] = s
}

func (w *world) redeploy(a *app, r slipway.RevisionID) {
	s, _ := w.control.current()
	v, err := s.Redeploy(context.Background(), w.who, a.id, r)
	if err != nil {
		w.expected("redeploy", err)
		return
	}
	w.remember(a, v.Newest.ID, w.script(a.id, r))
}

func (w *world) interrupt(a *app, r slipway.RevisionID) {
	s, _ := w.control.current()
	if err := s.Interrupt(context.Background(), w.who, a.id, r); err != nil {
		w.expected("interrupt", err)
	}
}

// scale has a load come for which so many replicas are needed. One that is busy
// with something else is left as it is.
func (w *world) scale(a *app, n int) {
	var serving int
	w.view(func(tx slipway.Tx) {
		if d, err := tx.Deployment(a.id); err == nil {
			serving = max(d.Running.Replicas, 1)
		}
	})
	m := slipway.Sample{Deployment: a.id, Replicas: serving, RunsKnown: true, Pending: 10 * n, LastUse: time.Now()}
	w.measure(m, time.Second)
}

// lull has nobody ask for a deployment for long.
func (w *world) lull(a *app) {
	w.measure(slipway.Sample{Deployment: a.id, Replicas: 1, RunsKnown: true}, time.Hour)
}

// measure reports a sample, and the same after a while.
func (w *world) measure(m slipway.Sample, after time.Duration) {
	s, _ := w.control.current()
	for _, m.At = range []time.Time{time.Now(), time.Now().Add(after)} {
		if err := s.Measured(context.Background(), owner, []slipway.Sample{m}); err != nil {
			w.expected("measure", err)
		}
	}
}

// ask has a request come, which wakes what sleeps.
func (w *world) ask(a *app) {
	if r, _ := w.plane.router.of(a.id); r.State == slipway.RouteAsleep {
		w.rouse(a)
	}
}

func (w *world) rouse(a *app) {
	s, _ := w.control.current()
	if err := s.Rouse(context.Background(), a.id); err != nil && !errors.Is(err, slipway.ErrNoRow) {
		w.expected("rouse", err)
	}
}

// unroute is what the gateway of this life is told. There may be none.
func (w *world) unroute(d slipway.DeploymentID, generation int64) {
	if p := w.life.Load(); p != nil {
		p.workers.Unroute(d, generation)
	}
}

// delete leaves nothing, and putAside all but what runs.
func (w *world) delete(a *app) bool {
	return w.erase(a, slipway.DeleteOptions{Now: true, TracingProject: true})
}
func (w *world) putAside(a *app) bool { return w.erase(a, slipway.DeleteOptions{}) }

func (w *world) erase(a *app, o slipway.DeleteOptions) bool {
	s, _ := w.control.current()
	if err := s.Delete(context.Background(), w.who, a.id, o); err != nil {
		w.expected("delete", err)
		return false
	}
	if _, routed := w.life.Load().router.of(a.id); routed {
		w.fault("%s has a route when DELETE answers", a.name)
	}
	return true
}

func (w *world) restore(a *app) {
	s, _ := w.control.current()
	if _, err := s.Restore(context.Background(), w.who, a.id, ""); err != nil {
		w.expected("restore", err)
	}
}

func (w *world) force(a *app) {
	s, _ := w.control.current()
	if err := s.ForceDelete(context.Background(), w.who, a.id, slipway.DeleteOptions{}); err != nil {
		w.expected("force", err)
	}
}

func (w *world) revisions(a *app) []slipway.Revision {
	var all []slipway.Revision
	w.view(func(tx slipway.Tx) { all, _ = tx.ListRevisions(slipway.RevisionFilter{Deployment: a.id}) })
	slices.Reverse(all)
	return all
}

func (w *world) instances(a *app) (all []slipway.Instance) {
	w.view(func(tx slipway.Tx) { all, _ = tx.ListInstances(a.id) })
	return all
}

func (w *world) statuses(a *app) string {
	var all []string
	for _, r := range w.revisions(a) {
		all = append(all, string(r.Status))
	}
	return strings.Join(all, " ")
}

// address is where the active revision is said to serve.
func (w *world) address(a *app) string {
	r, _ := w.plane.router.of(a.id)
	if len(r.Addresses) == 0 {
		return ""
	}
	return r.Addresses[0]
}

// revive puts a new life in the place of one that is over.
func (w *world) revive() {
	if w.plane.isDead() {
		w.plane.bury()
		w.live(w.startPlane(0, false))
	}
}

// live makes a life that of the data plane.
func (w *world) live(p *plane) {
	w.plane = p
	w.life.Store(p)
}

// settle lets time pass until nothing is left to do, and checks what must hold
// then.
func (w *world) settle() {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for wait := 10 * time.Millisecond; !w.staysSettled(); wait = min(2*wait, 30*time.Second) {
		if w.faulty() { // it is told already, and what follows from it is not to hide it
			w.said.Write([]byte(w.describe()))
			return
		}
		if time.Now().After(deadline) {
			w.check()
			w.fault("the world does not settle:\n%s", w.describe())
			return
		}
		time.Sleep(wait)
	}
	synctest.Wait()
	w.check()
}

// staysSettled leaves time for what was noticed and could not be looked at.
func (w *world) staysSettled() bool {
	if !w.settled() {
		return false
	}
	time.Sleep(5 * time.Second)
	return w.settled()
}

// settled: nothing is wanted that is not so.
func (w *world) settled() bool {
	synctest.Wait()
	quiet := true
	broken := false
	w.view(func(tx slipway.Tx) {
		for _, a := range w.known() {
			d, err := tx.Deployment(a.id)
			if errors.Is(err, slipway.ErrNoRow) {
				continue
			}
			open, _ := tx.OpenRevisions(a.id)
			quiet = quiet && err == nil && (!d.Deleting() || d.Status == slipway.Kept) && len(open) == 0
			if d.Status == slipway.Kept {
				continue
			}
			mode := w.agents.mode(w.script(a.id, d.Active))
			if d.Active != "" && !works(mode) {
				// what may give way still has not settled
				quiet = quiet && !(doesNotSettle(mode) && d.Running.Before != "" && time.Since(d.Running.Since) < settle)
				broken = true
				continue
			}
			instances, _ := tx.ListInstances(a.id) // what is to go may be going still
			quiet = quiet && len(instances) == w.wanted(a, d)
		}
		due, err := tx.NextDue()
		quiet = quiet && err == nil && (broken || due.IsZero())
	})
	return quiet
}

// check holds what must be so once all is settled.
func (w *world) check() {
	w.view(func(tx slipway.Tx) {
		for _, a := range w.known() {
			d, err := tx.Deployment(a.id)
			if errors.Is(err, slipway.ErrNoRow) {
				w.checkGone(tx, a)
				continue
			}
			if d.Status == slipway.Kept {
				w.checkKept(tx, a)
				continue
			}
			w.checkServes(tx, a, d)
			w.checkDatabase(a, d)
			w.checkRedis(tx, a, d)
			w.checkReturns(tx, a)
			w.checkState(tx, a, d)
		}
	})
	w.checkOwners()
}

// wanted is how many instances a deployment is to have when all is settled.
func (w *world) wanted(a *app, d slipway.Deployment) int {
	switch {
	case d.Active == "" || d.Running.Asleep:
		return 0
	case w.script(a.id, d.Active).ownsState():
		return 1
	}
	return max(d.Running.Replicas, 1)
}

// checkServes: the active revision has all instances that there are, as many as
// are wanted, and the route leads to each.
func (w *world) checkServes(tx slipway.Tx, a *app, d slipway.Deployment) {
	route, routed := w.plane.router.of(d.ID)
	instances, _ := tx.ListInstances(d.ID)
	if d.Active == "" {
		if routed || len(instances) > 0 {
			w.fault("%s: nothing is to serve, and there are the route %+v and the instances %+v", a.name, route, instances)
		}
		return
	}
	if !works(w.agents.mode(w.script(a.id, d.Active))) {
		return
	}
	if len(instances) != w.wanted(a, d) {
		w.fault("%s: the instances are %+v, %d are wanted", a.name, instances, w.wanted(a, d))
	}
	var addresses []string
	for _, i := range instances {
		o, err := w.fake.Inspect(context.Background(), d.ID, i.ID)
		if i.Revision != d.Active || i.State != slipway.InstanceServing || err != nil || o.Phase != slipway.PhaseRunning || o.Attempt != i.Attempt {
			w.fault("%s: an instance is %+v, seen as %+v, %v, active is %s", a.name, i, o, err, d.Active)
		}
		addresses = append(addresses, o.Address)
	}
	slices.Sort(addresses)
	if state := map[bool]slipway.RouteState{true: slipway.RouteAsleep, false: slipway.RouteServing}[d.Running.Asleep]; route.State != state ||
		!slices.Equal(slices.Sorted(slices.Values(route.Addresses)), addresses) {
		w.fault("%s: the route is %+v, the instances are at %q", a.name, route, addresses)
	}
	if d.Health.State != map[bool]slipway.HealthState{true: slipway.Asleep, false: slipway.Healthy}[d.Running.Asleep] {
		w.fault("%s: its health is %+v", a.name, d.Health)
	}
}

// checkReturns: of one revision there is one return at most, and none of a return.
func (w *world) checkReturns(tx slipway.Tx, a *app) {
	all, _ := tx.ListRevisions(slipway.RevisionFilter{Deployment: a.id})
	from := map[slipway.RevisionID]slipway.RevisionID{}
	for _, r := range all {
		if r.ReturnsFrom == "" {
			continue
		}
		if other := from[r.ReturnsFrom]; other != "" {
			w.fault("%s: %s and %s were both made in the place of %s", a.name, r.ID, other, r.ReturnsFrom)
		}
		from[r.ReturnsFrom] = r.ID
	}
	for _, r := range all {
		switch returned := from[r.ID]; {
		case returned == "":
		case r.ReturnsFrom != "":
			w.fault("%s: %s was made in the place of %s, which was made in the place of another", a.name, returned, r.ID)
		case r.Status != slipway.Deployed || r.Failure == nil:
			w.fault("%s: %s was made in the place of %s, which is %s and has the failure %v", a.name, returned, r.ID, r.Status, r.Failure)
		}
	}
}

// checkState: what a revision wrote that failed is undone, what one wrote that
// served is there, and of snapshots one is left at most.
func (w *world) checkState(tx slipway.Tx, a *app, d slipway.Deployment) {
	if h := d.Running.Handover; h != nil || d.Running.Outdated != "" {
		w.fault("%s: a hand-over is left: %+v, %+v", a.name, h, d.Running)
	}
	for _, name := range w.fake.Snapshots(a.id) {
		if name != d.Running.Snapshot {
			w.fault("%s: the snapshot %s is left, and %q is known", a.name, name, d.Running.Snapshot)
		}
	}
	wrote := map[slipway.RevisionID]bool{}
	for line := range strings.Lines(string(w.fake.State(a.id))) {
		wrote[slipway.RevisionID(strings.TrimSpace(line))] = true
	}
	for _, r := range w.revisions(a) {
		deployed := r.Status == slipway.Deployed
		if s := w.script(a.id, r.ID); s.ownsState() && deployed && !wrote[r.ID] {
			w.fault("%s: what revision %d wrote is lost", a.name, r.Number)
		}
		if !deployed && wrote[r.ID] {
			w.fault("%s: what revision %d wrote is there, which is %s", a.name, r.Number, r.Status)
		}
	}
}

// checkGone: nothing is left of what was deleted.
func (w *world) checkGone(tx slipway.Tx, a *app) {
	if _, routed := w.plane.router.of(a.id); routed {
		w.fault("%s is gone and has a route", a.name)
	}
	if instances, _ := tx.ListInstances(a.id); len(instances) > 0 {
		w.fault("%s is gone and has rows of instances", a.name)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "blobs", "uploads", string(a.id))); err == nil {
		w.fault("%s is gone and has uploads", a.name)
	}
	w.checkReceipt(tx, a)
	things, err := w.fake.Remains(context.Background(), a.id)
	databases, err2 := w.servers.left(a.id)
	if things = append(things, databases...); len(things) > 0 || err != nil || err2 != nil {
		w.fault("%s is gone and has left %+v, %v", a.name, things, err)
	}
}

// checkKept: of what is kept aside nothing runs, nothing leads to it, and what a
// restore needs is there.
func (w *world) checkKept(tx slipway.Tx, a *app) {
	if _, routed := w.plane.router.of(a.id); routed {
		w.fault("%s is kept aside and has a route", a.name)
	}
	things, _ := w.fake.Remains(context.Background(), a.id)
	for _, t := range things {
		if t.Kind == slipway.ItemInstance && !w.onlyKept(a.id, t) {
			w.fault("%s is kept aside and has %s", a.name, t.What)
		}
	}
	items, _ := tx.ListItems(a.id)
	for _, i := range items {
		if i.Kind.Serves() != i.Settled() {
			w.fault("%s is kept aside and has the item %+v", a.name, i)
		}
	}
}

// checkReceipt: all that was made is known to be gone, or is left to others.
func (w *world) checkReceipt(tx slipway.Tx, a *app) {
	r, err := tx.DeletionReceipt(a.id)
	if err != nil || r.State != slipway.DeletionDone {
		w.fault("%s is gone, and its receipt is %+v, %v", a.name, r, err)
	}
	for _, i := range r.Items {
		if i.RemovedAt.IsZero() || i.VerifiedAt.IsZero() {
			w.fault("%s is gone, and its receipt says %+v", a.name, i)
		}
	}
}

// checkOwners: all that is there belongs to somebody.
func (w *world) checkOwners() {
	all, _ := w.fake.List(context.Background())
	w.view(func(tx slipway.Tx) {
		for _, o := range all {
			_, err := tx.Instance(o.Instance)
			if isRedis(o.Deployment, o.Instance) {
				_, err = tx.RedisServer(o.Deployment)
			}
			if err != nil {
				w.fault("instance %+v has no row: %v", o, err)
			}
		}
		w.builder.mu.Lock()
		defer w.builder.mu.Unlock()
		for key := range w.builder.bundles {
			if n, err := tx.ItemOwners(slipway.ItemBundle, key); n == 0 || err != nil {
				w.fault("%s has no owner: %v", key, err)
			}
		}
	})
}

// look is how long it is looked whether anything is written.
const look = 2 * time.Minute

// looks is how often it is looked whether anything is written: once more than
// what comes by the clock may fall into. That is what the coordinator gives up
// once an hour, what it sweeps every ten minutes, and a purge.
const looks = 4

// checkIdle: nothing is written while nothing happens.
func (w *world) checkIdle() {
	if n := w.writesWhileIdle(); n > 0 {
		w.fault("%d writes while idle", n)
	}
}

// writesWhileIdle is zero once there was a look in which nothing is written.
func (w *world) writesWhileIdle() (n int64) {
	time.Sleep(5 * time.Second) // for what agents printed to arrive
	for range looks {
		if n = w.writesIn(look); n == 0 {
			break
		}
	}
	return n
}

func (w *world) writesIn(d time.Duration) int64 {
	before := w.store.writes.Load()
	w.store.traced.Store(true)
	defer w.store.traced.Store(false)
	time.Sleep(d)
	synctest.Wait()
	return w.store.writes.Load() - before
}

// clear deletes everything and checks that nothing is left.
func (w *world) clear() {
	w.mend()
	for _, a := range w.known() {
		w.delete(a)
	}
	w.settle()
	if w.faulty() {
		return
	}
	w.view(func(tx slipway.Tx) {
		for _, a := range w.known() {
			if d, err := tx.Deployment(a.id); err == nil {
				w.fault("%s is not gone: %s", a.name, d.Status)
			}
		}
	})
	ctx := context.Background()
	w.clearProjects(ctx)
	running, err1 := w.fake.Remains(ctx, "")
	built, err2 := w.builder.Remains(ctx)
	pushed, err3 := w.images.Remains(ctx, "")
	databases, err5 := w.servers.left("")
	if left := slices.Concat(running, built, pushed, databases); len(left) > 0 {
		w.fault("a scan finds %+v", left)
	}
	uploads, err4 := w.blobs.List(ctx, "uploads")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || len(uploads) > 0 {
		w.fault("a scan finds uploads of %v, %v", uploads, err)
	}
}

// clearProjects deletes those that deployments left.
func (w *world) clearProjects(ctx context.Context) {
	s, _ := w.control.current()
	left, err := s.ListProjects(ctx, w.who, slipway.ProjectFilter{})
	must(w.t, err)
	for _, p := range left {
		must(w.t, s.DeleteProject(ctx, w.who, p.ID))
	}
	w.settle()
	w.traces.check(w)
}

// describe says how everything stands.
func (w *world) describe() string {
	var b strings.Builder
	w.view(func(tx slipway.Tx) {
		due, err := tx.NextDue()
		fmt.Fprintf(&b, "now %v, next due %v %v\n", time.Now().UTC(), due, err)
		for _, a := range w.known() {
			d, err := tx.Deployment(a.id)
			if err != nil {
				continue
			}
			fmt.Fprintf(&b, "%s %s %s active %s generation %d of %d\n", a.name, d.ID, d.Status, d.Active, d.Observed, d.Generation)
			revisions, _ := tx.ListRevisions(slipway.RevisionFilter{Deployment: a.id})
			for _, r := range revisions {
				fmt.Fprintf(&b, "  %d %s %s %q %v\n", r.Number, r.ID, r.Status, r.Message, w.script(a.id, r.ID))
			}
			instances, _ := tx.ListInstances(a.id)
			for _, i := range instances {
				o, _ := w.fake.Inspect(context.Background(), a.id, i.ID)
				fmt.Fprintf(&b, "  instance %s of %s: %s attempt %d, seen %s attempt %d\n", i.ID, i.Revision, i.State, i.Attempt, o.Phase, o.Attempt)
			}
			items, _ := tx.ListItems(a.id)
			for _, i := range items {
				fmt.Fprintf(&b, "  item %+v\n", i)
			}
		}
	})
	return b.String()
}
