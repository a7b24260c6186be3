package service_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/service"
)

// traces holds runs of projects, of which it removes two at a time.
type traces struct {
	mu    sync.Mutex
	runs  map[slipway.ProjectID]int
	names map[slipway.ProjectID]string // that were made
	down  bool
	hangs slipway.ProjectID // for ever, what is asked of this one; "" for none
}

var errDown = errors.New("traces are down")

func (tr *traces) DeleteProject(ctx context.Context, id slipway.ProjectID) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.hangs == id {
		<-ctx.Done()
		return tr.runs[id], ctx.Err()
	}
	if tr.down {
		return tr.runs[id], errDown
	}
	tr.runs[id] = max(0, tr.runs[id]-2)
	delete(tr.names, id)
	return tr.runs[id], nil
}

func (tr *traces) make(_ context.Context, p slipway.TracingProject) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.down {
		return errDown
	}
	tr.names[p.ID] = p.Name
	return nil
}

func (tr *traces) turn(down bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.down = down
}

func (tr *traces) left(id slipway.ProjectID) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.runs[id]
}

func (tr *traces) name(id slipway.ProjectID) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.names[id]
}

func newTracingPlane(t *testing.T, edit ...func(*plane, *service.Config)) (*plane, *traces) {
	t.Helper()
	tr := &traces{runs: map[slipway.ProjectID]int{}, names: map[slipway.ProjectID]string{}}
	edit = append(edit, func(_ *plane, config *service.Config) { config.Tracing.Runs = tr })
	return newPlane(t, edit...), tr
}

// rowOf reads a project whether it is seen or not.
func (p *plane) rowOf(id slipway.ProjectID) (project slipway.TracingProject, err error) {
	p.t.Helper()
	err = p.store.View(p.t.Context(), func(tx slipway.Tx) error {
		project, err = tx.Project(id)
		return err
	})
	return project, err
}

// triedInVain waits until a try is known to have failed: one that is under way
// would be put off by the clock as it is when it ends.
func (p *plane) triedInVain(id slipway.ProjectID) {
	p.t.Helper()
	testsignal.Until(p.t, "a try in vain", func() bool {
		row, err := p.rowOf(id)
		must(p.t, err)
		return row.Attempts > 0
	})
}

func (p *plane) isGone(id slipway.ProjectID) bool {
	p.t.Helper()
	_, err := p.rowOf(id)
	return errors.Is(err, slipway.ErrNoRow)
}

func TestTheRunsOfADeletedDeployment(t *testing.T) {
	p, tr := newTracingPlane(t, keeping)
	d, l := p.kept("app", slipway.DeleteOptions{TracingProject: true})
	tr.runs[d.Project] = 9
	if names := p.projects(p.who, slipway.ProjectFilter{}); len(names) != 0 {
		t.Errorf("a project is seen that is to go: %q", names)
	}
	p.coordinate()
	tr.turn(true)
	must(t, p.Purge(t.Context(), p.who, d.ID))
	p.cleared(d.ID, l)
	testsignal.Until(t, "a try in vain", func() bool {
		for _, i := range p.receipt(d.ID).Items {
			if i.Kind == slipway.ItemProject && i.Attempts > 0 {
				return strings.Contains(i.LastError, errDown.Error())
			}
		}
		return false
	})
	tr.turn(false)
	p.pass(time.Hour)
	r := p.ended(d.ID)
	for _, i := range r.Items {
		if i.Kind == slipway.ItemProject && (i.RemovedAt.IsZero() || i.VerifiedAt.IsZero() || i.Ref != string(d.Project)) {
			t.Errorf("receipt: %+v", i)
		}
	}
	if tr.left(d.Project) != 0 || !p.isGone(d.Project) {
		t.Errorf("%d runs are left, and the project: %t", tr.left(d.Project), !p.isGone(d.Project))
	}
}

// What is asked to remove something, and does not answer, holds up other deletions
// for a while only.
func TestTracesThatHang(t *testing.T) {
	p, tr := newTracingPlane(t, func(_ *plane, c *service.Config) { c.ClearLimit = 10 * time.Millisecond })
	deleted := func(name string) slipway.DeploymentView {
		d, l := p.served(name)
		must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
		p.stop(d.ID, l)
		p.cleared(d.ID, l)
		return d
	}
	stuck := deleted("stuck")
	tr.hangs = stuck.Project
	p.coordinate()
	p.ended(deleted("well").ID)
	if r := p.receipt(stuck.ID); r.State != slipway.DeletionPurging {
		t.Errorf("what hangs is %s", r.State)
	}
}

// The last runs of an agent arrive after its deployment was deleted with its
// project: they do not bring that back, nor do they go to the project of a new
// deployment of the name.
func TestRunsThatArriveLate(t *testing.T) {
	p, _ := newTracingPlane(t, keeping)
	d, l := p.served("app")
	agent := slipway.Principal{Key: "its own", Workspace: p.who.Workspace, Deployment: d.ID}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	refused := func(when string) {
		t.Helper()
		_, err := p.ProjectNamed(t.Context(), agent, "app")
		wantError(t, when+", by its own key", err, slipway.CodeNotFound, "has no tracing project")
		_, err = p.GetProject(t.Context(), agent, d.Project)
		wantError(t, when+", by its own key and the id", err, slipway.CodeNotFound, "not found")
	}
	refused("while it stops")
	_, err := p.ProjectNamed(t.Context(), p.who, "app") // by a key of the workspace, which it may have been given
	wantError(t, "while it stops", err, slipway.CodeForbidden, "is being deleted with its deployment")
	if names := p.projects(p.who, slipway.ProjectFilter{}); len(names) != 0 {
		t.Errorf("there are projects again: %q", names)
	}
	again, l2 := p.served("app")
	refused("beside a new deployment")
	if own, err := p.ProjectNamed(t.Context(), p.who, "app"); err != nil || own.ID != again.Project || again.Project == d.Project {
		t.Errorf("%+v, %v, want that of the new deployment, %s", own, err, again.Project)
	}
	must(t, p.Delete(t.Context(), p.who, again.ID, slipway.DeleteOptions{TracingProject: true}))
	p.stop(d.ID, l)
	p.stop(again.ID, l2)
	refused("once it has stopped")
	if own, err := p.ProjectNamed(t.Context(), p.who, "app"); err != nil || own.ID == d.Project || own.Deployment != "" {
		t.Errorf("once nothing runs: %+v, %v, want a new one of nobody", own, err)
	}
}

// A name that is being deleted is taken by who asks for it outright.
func TestAProjectIsMadeBesideOneThatLeaves(t *testing.T) {
	p, _ := newTracingPlane(t, keeping)
	d, _ := p.served("app")
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	made := p.project(p.who, slipway.NewProject{Name: "app"})
	if own, err := p.ProjectNamed(t.Context(), p.who, "app"); err != nil || own != made {
		t.Errorf("%+v, %v, want %+v", own, err, made)
	}
}

// What is restored in time keeps its traces.
func TestTracesThatAreRestored(t *testing.T) {
	p, tr := newTracingPlane(t, keeping)
	d, _ := p.kept("app", slipway.DeleteOptions{TracingProject: true})
	tr.runs[d.Project] = 3
	_, err := p.Restore(t.Context(), p.who, d.ID, "")
	must(t, err)
	if own, err := p.ProjectNamed(t.Context(), p.who, "app"); err != nil || own.ID != d.Project || tr.left(d.Project) != 3 {
		t.Errorf("%+v, %v, %d runs", own, err, tr.left(d.Project))
	}
}

// A deployment that is kept aside does not get back a project that somebody has
// removed meanwhile.
func TestAProjectThatWasRemovedIsNotRestored(t *testing.T) {
	p, tr := newTracingPlane(t, keeping)
	d, _ := p.kept("app", slipway.DeleteOptions{})
	tr.runs[d.Project] = 3
	must(t, p.DeleteProject(t.Context(), p.who, d.Project))
	v, err := p.Restore(t.Context(), p.who, d.ID, "")
	must(t, err)
	if v.Project == d.Project {
		t.Error("it got the project back")
	}
	p.coordinate()
	testsignal.Until(t, "the end of the project", func() bool { return p.isGone(d.Project) && tr.left(d.Project) == 0 })
	if p.isGone(v.Project) {
		t.Error("the new project went too")
	}
}

func TestAProjectThatIsDeletedByItself(t *testing.T) {
	p, tr := newTracingPlane(t)
	home, other, _ := p.principals()
	mine, theirs := p.project(other, slipway.NewProject{Name: "mine"}), p.project(other, slipway.NewProject{Name: "theirs"})
	tr.runs[mine.ID], tr.runs[theirs.ID] = 7, 1
	tr.turn(true)
	p.coordinate()
	must(t, p.DeleteProject(t.Context(), other, mine.ID))
	p.triedInVain(mine.ID)
	must(t, p.DeleteProject(t.Context(), other, theirs.ID))
	p.triedInVain(theirs.ID)
	err := p.DeleteWorkspace(t.Context(), home, other.Workspace)
	wantError(t, "before the runs are gone", err, slipway.CodeConflict, "it has traces that are being removed, of projects that were deleted: 2.")
	tr.turn(false)
	p.pass(time.Hour)
	for _, id := range []slipway.ProjectID{mine.ID, theirs.ID} {
		testsignal.Until(t, "the end of the project", func() bool { return p.isGone(id) && tr.left(id) == 0 })
	}
	must(t, p.DeleteWorkspace(t.Context(), home, other.Workspace))
}

// A project that is to be made elsewhere is made, and renamed, however often that
// fails at first.
func TestAProjectElsewhere(t *testing.T) {
	var tr *traces
	p, made := newTracingPlane(t, keeping, func(_ *plane, config *service.Config) {
		config.Tracing.Endpoint, config.Tracing.Key = "https://traces.test/api/v1", "their key"
		config.Tracing.Make = func(ctx context.Context, p slipway.TracingProject) error { return tr.make(ctx, p) }
	})
	tr = made
	tr.turn(true)
	p.coordinate()
	d, l := p.served("app")
	must(t, p.Release(t.Context(), l, 0, time.Time{}))
	p.triedInVain(d.Project)
	tr.turn(false)
	p.pass(time.Hour)
	testsignal.Until(t, "the project", func() bool { return tr.name(d.Project) == "app" })

	env := p.environment(d.ID, "")
	if env["LANGSMITH_ENDPOINT"] != "https://traces.test/api/v1" || env["LANGSMITH_API_KEY"] != "their key" || env["LANGSMITH_TRACING"] != "true" || env["LANGSMITH_PROJECT"] != "app" || len(p.keysOf(d.ID)) != 0 {
		t.Errorf("%v, keys %v", env, p.keysOf(d.ID))
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true}))
	l = p.acquire(d.ID)
	p.stop(d.ID, l)
	_, err := p.Restore(t.Context(), p.who, d.ID, "renamed")
	must(t, err)
	testsignal.Until(t, "the new name", func() bool { return tr.name(d.Project) == "renamed" })
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{TracingProject: true, Now: true}))
	l = p.acquire(d.ID)
	p.stop(d.ID, l)
	p.cleared(d.ID, l)
	p.ended(d.ID)
	if name := tr.name(d.Project); name != "" {
		t.Errorf("%q is there still", name)
	}
}
