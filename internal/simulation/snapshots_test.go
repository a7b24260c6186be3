package simulation

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/reconcile"
	"github.com/slipwayhq/slipway/snapshot"
)

// keepingLast has the last states of what is purged be kept.
func keepingLast(w *world) {
	var err error
	w.final, err = snapshot.Open(filepath.Join(w.dir, "final"), exporter{w}, w.servers)
	if err != nil {
		w.t.Fatal(err)
	}
}

// exporter is the driver of the moment.
type exporter struct{ w *world }

func (e exporter) Export(ctx context.Context, d slipway.DeploymentID, to io.Writer) error {
	return e.w.fake.Export(ctx, d, to)
}

// finalSnapshots are those that one life keeps, nil for none.
func (w *world) finalSnapshots(p *plane) reconcile.FinalSnapshots {
	if w.final == nil {
		return nil
	}
	return mortalFinal{w.final, p}
}

type mortalFinal struct {
	*snapshot.Folder
	p *plane
}

func (m mortalFinal) Keep(ctx context.Context, d slipway.Deployment, last *slipway.Revision) (string, error) {
	return live(m.p, "Keep", func() (string, error) { return m.Folder.Keep(ctx, d, last) })
}

func (m mortalFinal) Look(ctx context.Context, path string) (slipway.SnapshotContents, error) {
	return live(m.p, "Look", func() (slipway.SnapshotContents, error) { return m.Folder.Look(ctx, path) })
}

func (m mortalDatabases) Import(ctx context.Context, d slipway.DeploymentID, r io.Reader, replace func(context.Context) error) error {
	return do(m.p, "ImportDatabase", func() error { return m.servers.Import(ctx, d, r, replace) })
}

// Export writes what was written to a database.
func (s *servers) Export(_ context.Context, d slipway.DeploymentID, to io.Writer) error {
	leave, err := s.enter("postgres")
	if err != nil {
		return err
	}
	defer leave()
	if !s.of(d).there {
		return slipway.ErrDatabaseGone
	}
	_, err = io.WriteString(to, s.of(d).content)
	return err
}

func (s *servers) Import(ctx context.Context, d slipway.DeploymentID, r io.Reader, replace func(context.Context) error) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if running := s.w.running(d); len(running) > 0 {
		s.w.fault("the database of %s is replaced while %v run", d, running)
	}
	put := func(text func(was string) string) error {
		leave, err := s.enter("postgres")
		if err != nil {
			return err
		}
		defer leave()
		if !s.of(d).there {
			return slipway.ErrDatabaseGone
		}
		s.of(d).content = text(s.of(d).content)
		return nil
	}
	if err := put(func(was string) string { return was }); err != nil { // it is read in beside
		return err
	}
	if err := replace(ctx); err != nil {
		return err
	}
	return put(func(string) string { return string(content) })
}

// running lists the agents of a deployment that run.
func (w *world) running(d slipway.DeploymentID) (all []slipway.InstanceID) {
	list, _ := w.fake.List(context.Background())
	for _, o := range list {
		if o.Deployment == d && o.Phase == slipway.PhaseRunning && !isRedis(d, o.Instance) {
			all = append(all, o.Instance)
		}
	}
	return all
}

// content is what a deployment knows.
func (w *world) content(a *app) string {
	w.servers.mu.Lock()
	defer w.servers.mu.Unlock()
	return string(w.fake.State(a.id)) + w.servers.of(a.id).content
}

func (w *world) write(a *app, text string) {
	w.servers.mu.Lock()
	defer w.servers.mu.Unlock()
	w.servers.of(a.id).content = text
}

// older deploys a source twice: what the first knew is in a final snapshot.
func older(source string) func(*world, *app) {
	return func(w *world, a *app) {
		old := w.create(a.name + "-old")
		w.push(old, source)
		w.push(a, source)
		w.settle()
		if strings.Contains(source, "kind=based") {
			w.write(old, "known")
			w.write(a, "own")
		}
		known := w.content(old)
		w.delete(old)
		w.settle()
		w.kept = keptLast{old.id, known}
		delete(w.apps, old.id)
	}
}

// keptLast is what is in a final snapshot.
type keptLast struct {
	of      slipway.DeploymentID
	content string
}

func (w *world) refill(a *app) {
	s, _ := w.control.current()
	if _, err := s.RestoreSnapshot(context.Background(), w.who, a.id, w.kept.of, true); err != nil {
		w.expected("restore a snapshot", err)
	}
}

func (w *world) cancelRefill(a *app) {
	s, _ := w.control.current()
	if _, err := s.CancelSnapshotRestore(context.Background(), w.who, a.id); err != nil {
		w.expected("cancel the restore of a snapshot", err)
	}
}

// checkNotRefilled: the deployment knows what it knew.
func (w *world) checkNotRefilled(a *app) {
	s, _ := w.control.current()
	v, err := s.Get(context.Background(), w.who, a.id)
	if err != nil {
		w.fault("read %s: %v", a.name, err)
		return
	}
	if r := v.Running.Restore; r == nil || r.Phase != slipway.RestoreFailed || r.Reason != "It was cancelled." {
		w.fault("%s: the restore is %+v", a.name, r)
	}
	if left := w.fake.Snapshots(a.id); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, "from-") }) {
		w.fault("%s: what was read in is left: %v", a.name, left)
	}
	if got := w.content(a); strings.HasPrefix(got, w.kept.content) {
		w.fault("%s knows %q, which it is not to", a.name, got)
	}
}

// checkEither: it was replaced, or it was not.
func (w *world) checkEither(a *app) {
	s, _ := w.control.current()
	if v, err := s.Get(context.Background(), w.who, a.id); err == nil && v.Running.Restore.Phase == slipway.RestoreDone {
		w.checkRefilled(a)
		return
	}
	w.checkNotRefilled(a)
}

// checkRefilled: what the other knew is known, and what was there before is not.
func (w *world) checkRefilled(a *app) {
	s, _ := w.control.current()
	v, err := s.Get(context.Background(), w.who, a.id)
	if err != nil {
		w.fault("read %s: %v", a.name, err)
		return
	}
	r := v.Running.Restore
	if r == nil || r.Phase != slipway.RestoreDone {
		w.fault("%s: the restore is %+v", a.name, r)
	}
	if got := w.content(a); w.kept.content == "" || !strings.HasPrefix(got, w.kept.content) {
		w.fault("%s knows %q, want %q", a.name, got, w.kept.content)
	}
}

var snapshotStories = map[string]story{
	"a state":               {before: older(state), change: (*world).refill, check: (*world).checkRefilled, want: "DEPLOYED"},
	"a state of containers": {before: older(state + " as=image"), change: (*world).refill, check: (*world).checkRefilled, want: "DEPLOYED"},
	"a database":            {before: older(based), change: (*world).refill, check: (*world).checkRefilled, want: "DEPLOYED"},
	"while the database is down": {before: older(based), change: func(w *world, a *app) {
		w.fail("postgres", true)
		w.refill(a)
		time.Sleep(time.Minute)
		w.mend()
	}, check: (*world).checkRefilled, want: "DEPLOYED"},
	"cancelled while the database is down": {before: older(based), change: func(w *world, a *app) {
		w.fail("postgres", true)
		w.refill(a)
		time.Sleep(time.Minute)
		w.cancelRefill(a)
		w.mend()
	}, check: (*world).checkNotRefilled, want: "DEPLOYED"},
	"cancelled on its way": {before: older(state), change: func(w *world, a *app) {
		w.refill(a)
		time.Sleep(500 * time.Millisecond)
		w.cancelRefill(a)
	}, check: (*world).checkEither, want: "DEPLOYED"},
	"and a new revision": {before: older(based), change: func(w *world, a *app) {
		w.refill(a)
		w.push(a, based)
	}, check: (*world).checkRefilled, want: "DEPLOYED DEPLOYED"},
	"and deletion": {before: older(state), change: func(w *world, a *app) {
		w.refill(a)
		time.Sleep(500 * time.Millisecond)
		w.delete(a)
	}},
}

// asideWhile has a deployment be put aside while a restore into it is in the phase
// before another.
func (w *world) asideWhile(a *app, next slipway.RestorePhase) {
	var once sync.Once
	w.control.onReport(func(e slipway.Event) {
		if moved, ok := e.(slipway.RestoreMoved); ok && moved.Phase == next {
			once.Do(func() { w.putAside(a) })
		}
	})
	w.refill(a)
}

// A restore of a snapshot ends with the deployment, and an undo of that does not
// revive it, unless it is replacing the data already: then it goes on.
func TestADeletionEndsTheRestoreOfASnapshot(t *testing.T) {
	stories := map[string]story{}
	for name, next := range map[string]slipway.RestorePhase{
		"checking": slipway.RestoreReading, "reading": slipway.RestoreReplacing, "replacing": slipway.RestoreDone,
	} {
		check := (*world).checkNotRefilled
		if next == slipway.RestoreDone {
			check = (*world).checkRefilled
		}
		for of, source := range map[string]string{"a state": state, "a database": based} {
			stories[name+" "+of] = story{before: older(source), change: func(w *world, a *app) { w.asideWhile(a, next) }, want: "DEPLOYED", left: -1}
			stories["undone, "+name+" "+of] = story{before: func(w *world, a *app) {
				older(source)(w, a)
				w.asideWhile(a, next)
			}, change: (*world).restore, check: check, want: "DEPLOYED"}
		}
	}
	dieInEach(t, stories, keepingLast)
}

// A data plane may die before or after any call while the data of a deployment is
// replaced, and the next one brings it to the same end.
func TestDeathWhileASnapshotIsRestored(t *testing.T) {
	dieInEach(t, snapshotStories, keepingLast)
}
