package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func TestAWorkspaceThatIsMade(t *testing.T) {
	p := newPlane(t)
	home, other, organisation := p.principals()
	w, err := p.CreateWorkspace(t.Context(), organisation, "Team Ä")
	must(t, err)
	if e := p.audited()[0]; e.Action != slipway.AuditWorkspaceCreated || e.Target != string(w.ID) || e.Workspace != w.ID || e.Key != "organisation" {
		t.Errorf("audit: %+v", e)
	}
	got, err := p.GetWorkspace(t.Context(), home, w.ID)
	if err != nil || got != w || w.Home {
		t.Errorf("%+v, %v, want %+v", got, err, w)
	}
	_, err = p.CreateWorkspace(t.Context(), other, "mine")
	wantError(t, "by a workspace's administrator", err, slipway.CodeForbidden, "administrator of the installation")
	_, err = p.CreateWorkspace(t.Context(), home, "a\nb")
	wantError(t, "a name with a control character", err, slipway.CodeInvalid, "Invalid name")
}

func TestWhoSeesWhichWorkspaces(t *testing.T) {
	p := newPlane(t)
	p.pass(time.Second)
	home, other, organisation := p.principals()
	reader := slipway.Principal{Workspace: home.Workspace, Home: true, Scopes: []slipway.Scope{slipway.ScopeRead}}
	nowhere := slipway.Principal{Organisation: true, Scopes: []slipway.Scope{slipway.ScopeRead}}
	both := []slipway.WorkspaceID{other.Workspace, home.Workspace}
	for name, c := range map[string]struct {
		who  slipway.Principal
		want []slipway.WorkspaceID
	}{
		"home":         {home, both},
		"organisation": {organisation, both},
		"no workspace": {nowhere, both},
		"other":        {other, both[:1]},
		"reader":       {reader, both[1:]},
	} {
		found, err := p.ListWorkspaces(t.Context(), c.who, slipway.Page{})
		must(t, err)
		var got []slipway.WorkspaceID
		for _, w := range found {
			got = append(got, w.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s sees %v, want %v", name, got, c.want)
		}
		for _, id := range both {
			if _, err := p.GetWorkspace(t.Context(), c.who, id); (err == nil) != slices.Contains(c.want, id) || err != nil && slipway.CodeOf(err) != slipway.CodeNotFound {
				t.Errorf("%s gets %s: %v", name, id, err)
			}
		}
	}
	for _, c := range []struct {
		page slipway.Page
		want int
	}{{slipway.Page{Limit: 1}, 1}, {slipway.Page{Limit: 5, Offset: 1}, 1}, {slipway.Page{Offset: 2}, 0}, {slipway.Page{Offset: 9, Limit: 1}, 0}} {
		if found, err := p.ListWorkspaces(t.Context(), home, c.page); err != nil || len(found) != c.want {
			t.Errorf("%+v: %d, %v", c.page, len(found), err)
		}
	}
}

func TestRenameAWorkspace(t *testing.T) {
	p := newPlane(t)
	home, other, _ := p.principals()
	w, err := p.RenameWorkspace(t.Context(), other, other.Workspace, "mine")
	if err != nil || w.Name != "mine" {
		t.Errorf("%+v, %v", w, err)
	}
	if got, err := p.GetWorkspace(t.Context(), home, other.Workspace); err != nil || got.Name != "mine" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = p.RenameWorkspace(t.Context(), other, home.Workspace, "mine too")
	wantError(t, "another's", err, slipway.CodeNotFound, "Workspace ID "+string(home.Workspace)+" not found.")
	_, err = p.RenameWorkspace(t.Context(), other, other.Workspace, "")
	wantError(t, "no name", err, slipway.CodeInvalid, "Invalid name")
}

func TestAWorkspaceIsDeletedOnceItIsEmpty(t *testing.T) {
	p := newPlane(t)
	home, other, _ := p.principals()
	_, _, err := p.CreateKey(t.Context(), other, slipway.NewKey{Name: "k"})
	must(t, err)
	d, err := p.Create(t.Context(), other, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource})
	must(t, err)
	err = p.DeleteWorkspace(t.Context(), home, other.Workspace)
	wantError(t, "full", err, slipway.CodeConflict, "is not empty: it has 1 deployment, 1 tracing project. Delete them first")
	wantError(t, "another's", p.DeleteWorkspace(t.Context(), other, home.Workspace), slipway.CodeNotFound, "not found")
	wantError(t, "the caller's own", p.DeleteWorkspace(t.Context(), other, other.Workspace), slipway.CodeForbidden, "administrator of the installation")
	wantError(t, "the first", p.DeleteWorkspace(t.Context(), home, home.Workspace), slipway.CodeConflict, "cannot be deleted")

	p.coordinate()
	must(t, p.Delete(t.Context(), other, d.ID, slipway.DeleteOptions{TracingProject: true}))
	testsignal.Until(t, "the end of the deployment", func() bool {
		r, err := p.DeletionReceipt(t.Context(), other, d.ID)
		return err == nil && r.State == slipway.DeletionDone
	})
	p.pass(time.Second)
	must(t, p.DeleteWorkspace(t.Context(), home, other.Workspace))
	if p.forgotten != 1 {
		t.Errorf("forgotten %d times", p.forgotten)
	}
	if e := p.audited()[0]; e.Action != slipway.AuditWorkspaceDeleted || e.Target != string(other.Workspace) {
		t.Errorf("audit: %+v", e)
	}
	wantError(t, "again", p.DeleteWorkspace(t.Context(), home, other.Workspace), slipway.CodeNotFound, "not found")
}
