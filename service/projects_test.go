package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func (p *plane) project(who slipway.Principal, n slipway.NewProject) slipway.TracingProject {
	p.t.Helper()
	made, err := p.CreateProject(p.t.Context(), who, n)
	must(p.t, err)
	p.pass(time.Second)
	return made
}

func (p *plane) projects(who slipway.Principal, f slipway.ProjectFilter) (names []string) {
	p.t.Helper()
	found, err := p.ListProjects(p.t.Context(), who, f)
	must(p.t, err)
	for _, f := range found {
		names = append(names, f.Name)
	}
	return names
}

const someProject slipway.ProjectID = "01890a5d-ac96-774b-bcce-b302099a8057"

func TestProjectsThatClientsMake(t *testing.T) {
	p := newPlane(t)
	_, other, _ := p.principals()
	made := p.project(p.who, slipway.NewProject{ID: someProject, Name: "Mine / 1", Description: "what", Extra: `{"a":1}`})
	if made.ID != someProject || made.Workspace != p.who.Workspace || made.Name != "Mine / 1" || made.Description != "what" || made.Extra != `{"a":1}` || made.Kept {
		t.Errorf("%+v", made)
	}
	if got, err := p.GetProject(t.Context(), p.who, made.ID); err != nil || got != made {
		t.Errorf("%+v, %v", got, err)
	}
	again := p.project(p.who, slipway.NewProject{Name: made.Name, Upsert: true, Extra: `{"a":2}`})
	if again.ID != made.ID || again.Extra != `{"a":2}` || again.Description != "what" {
		t.Errorf("upserted: %+v", again)
	}
	theirs := p.project(other, slipway.NewProject{Name: made.Name})
	if theirs.ID == made.ID {
		t.Error("another workspace got the same project")
	}
	changed, err := p.UpdateProject(t.Context(), p.who, made.ID, slipway.ProjectPatch{Name: new("renamed"), EndedAt: new(p.clock())})
	if err != nil || changed.Name != "renamed" || !changed.EndedAt.Equal(p.clock()) {
		t.Errorf("%+v, %v", changed, err)
	}
	if got, err := p.GetProject(t.Context(), p.who, made.ID); err != nil || got != changed {
		t.Errorf("%+v, %v, want %+v", got, err, changed)
	}
	p.project(p.who, slipway.NewProject{Name: "taken"})
	if names := p.projects(p.who, slipway.ProjectFilter{}); !slices.Equal(names, []string{"taken", "renamed"}) {
		t.Errorf("%q", names)
	}

	update := func(who slipway.Principal, patch slipway.ProjectPatch) error {
		_, err := p.UpdateProject(t.Context(), who, made.ID, patch)
		return err
	}
	create := func(n slipway.NewProject) error {
		_, err := p.CreateProject(t.Context(), p.who, n)
		return err
	}
	_, unseen := p.GetProject(t.Context(), other, made.ID)
	for name, c := range map[string]struct {
		err  error
		code slipway.Code
		text string
	}{
		"a name that is taken":      {create(slipway.NewProject{Name: "taken"}), slipway.CodeConflict, "already exists"},
		"an id that is taken":       {create(slipway.NewProject{Name: "new", ID: someProject}), slipway.CodeConflict, "is taken"},
		"another workspace's id":    {create(slipway.NewProject{Name: "new", ID: theirs.ID}), slipway.CodeConflict, "is taken"},
		"no id":                     {create(slipway.NewProject{Name: "new", ID: "x"}), slipway.CodeInvalid, "UUID"},
		"no name":                   {create(slipway.NewProject{}), slipway.CodeInvalid, "Invalid project name"},
		"renamed to what is taken":  {update(p.who, slipway.ProjectPatch{Name: new("taken")}), slipway.CodeConflict, "already exists"},
		"renamed to nothing":        {update(p.who, slipway.ProjectPatch{Name: new("")}), slipway.CodeInvalid, "Invalid project name"},
		"another workspace's":       {update(other, slipway.ProjectPatch{}), slipway.CodeNotFound, "not found"},
		"another workspace's, seen": {unseen, slipway.CodeNotFound, "not found"},
		"another workspace's, gone": {p.DeleteProject(t.Context(), other, made.ID), slipway.CodeNotFound, "not found"},
	} {
		wantError(t, name, c.err, c.code, c.text)
	}
}

func TestTheProjectOfAName(t *testing.T) {
	p := newPlane(t)
	made, err := p.ProjectNamed(t.Context(), p.who, "new")
	must(t, err)
	if again, err := p.ProjectNamed(t.Context(), p.who, "new"); err != nil || again != made {
		t.Errorf("%+v, %v, want %+v", again, err, made)
	}
	d := p.create("app")
	if of, err := p.ProjectNamed(t.Context(), p.who, "app"); err != nil || of.ID != d.Project || of.Deployment != d.ID {
		t.Errorf("%+v, %v", of, err)
	}
	_, err = p.ProjectNamed(t.Context(), p.who, "")
	wantError(t, "no name", err, slipway.CodeInvalid, "Invalid project name")
	_, err = p.Create(t.Context(), p.who, slipway.NewDeployment{Name: "new", Source: slipway.SourceInternalSource})
	wantError(t, "a deployment of its name", err, slipway.CodeConflict, "already exists a project in LangSmith named: new.")
}

func TestAnAgentHasOneProject(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	p.create("other")
	agent := slipway.Principal{Key: "k", Workspace: p.who.Workspace, Deployment: d.ID}
	if names := p.projects(agent, slipway.ProjectFilter{Deployment: "any", Workspace: "any"}); !slices.Equal(names, []string{"app"}) {
		t.Errorf("%q", names)
	}
	own, err := p.ProjectNamed(t.Context(), agent, "app")
	if err != nil || own.ID != d.Project {
		t.Errorf("%+v, %v", own, err)
	}
	if got, err := p.GetProject(t.Context(), agent, own.ID); err != nil || got != own {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := p.CreateProject(t.Context(), agent, slipway.NewProject{Name: "app", Upsert: true, Description: "x"}); err != nil || got != own {
		t.Errorf("%+v, %v", got, err)
	}
	others, err := p.ProjectNamed(t.Context(), p.who, "other")
	must(t, err)
	for _, name := range []string{"other", "new"} {
		_, err = p.ProjectNamed(t.Context(), agent, name)
		wantError(t, name, err, slipway.CodeForbidden, `good for the tracing project "app" only`)
		_, err = p.CreateProject(t.Context(), agent, slipway.NewProject{Name: name, Upsert: true})
		wantError(t, name, err, slipway.CodeForbidden, `good for the tracing project "app" only`)
	}
	_, err = p.GetProject(t.Context(), agent, others.ID)
	wantError(t, "another's", err, slipway.CodeNotFound, "not found")
	_, err = p.UpdateProject(t.Context(), agent, own.ID, slipway.ProjectPatch{})
	wantError(t, "update", err, slipway.CodeForbidden, "belongs to an agent")
	wantError(t, "delete", p.DeleteProject(t.Context(), agent, own.ID), slipway.CodeForbidden, "belongs to an agent")
}

func TestTheProjectOfADeploymentStaysWithIt(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	_, err := p.UpdateProject(t.Context(), p.who, d.Project, slipway.ProjectPatch{Name: new("other")})
	wantError(t, "rename", err, slipway.CodeConflict, "belongs to deployment ID "+string(d.ID))
	wantError(t, "delete", p.DeleteProject(t.Context(), p.who, d.Project), slipway.CodeConflict, "delete_tracing_project=true")
	if got, err := p.UpdateProject(t.Context(), p.who, d.Project, slipway.ProjectPatch{Name: new("app"), Description: new("what")}); err != nil || got.Description != "what" {
		t.Errorf("%+v, %v", got, err)
	}
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	must(t, p.DeleteProject(t.Context(), p.who, d.Project))
	wantError(t, "again", p.DeleteProject(t.Context(), p.who, d.Project), slipway.CodeNotFound, "not found")
	if names := p.projects(p.who, slipway.ProjectFilter{}); len(names) != 0 {
		t.Errorf("%q", names)
	}
	if again := p.create("app"); again.Project == d.Project {
		t.Error("a new deployment got the project that is being removed")
	}
}
