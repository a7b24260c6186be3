package store

import (
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertProject(p slipway.TracingProject) error {
	return did(t.q.InsertProject(t.ctx, db.InsertProjectParams(projectRow(p))), "insert project", p.ID)
}

func (t Tx) ProjectByName(w slipway.WorkspaceID, name string) (slipway.TracingProject, error) {
	row, err := t.q.GetProjectByName(t.ctx, db.GetProjectByNameParams{WorkspaceID: string(w), Name: name})
	return one(row, err, sure(project), "project", name)
}

func (t Tx) ProjectLeaves(w slipway.WorkspaceID, name string) (bool, error) {
	n, err := t.q.CountLeavingProjects(t.ctx, db.CountLeavingProjectsParams{WorkspaceID: string(w), Name: name})
	return one(n, err, sure(func(n int64) bool { return n > 0 }), "leaving project", name)
}

func (t Tx) Project(id slipway.ProjectID) (slipway.TracingProject, error) {
	row, err := t.q.GetProject(t.ctx, string(id))
	return one(row, err, sure(project), "project", id)
}

func (t Tx) ListProjects(f slipway.ProjectFilter) ([]slipway.TracingProject, error) {
	rows, err := t.q.ListProjects(t.ctx, db.ListProjectsParams{
		WorkspaceID: string(f.Workspace), DeploymentID: null(f.Deployment), Name: null(f.Name), Pattern: pattern(f.NameContains),
		Ids: null(joinIDs(f.IDs)), MaxRows: maxRows(f.Limit), Skip: int64(f.Offset),
	})
	return many(rows, err, sure(project), "list projects of", f.Workspace)
}

func (t Tx) ProjectsDue(now time.Time, limit int) ([]slipway.TracingProject, error) {
	rows, err := t.q.ListDueProjects(t.ctx, db.ListDueProjectsParams{Now: micros(now), MaxRows: maxRows(limit)})
	return many(rows, err, sure(project), "list projects due at", now)
}

func (t Tx) NextProjectDue() (time.Time, error) {
	at, err := t.q.NextDueProject(t.ctx)
	return one(at, err, sure(moment), "next", "project due")
}

func (t Tx) UpdateProject(p slipway.TracingProject) error {
	r := projectRow(p)
	rows, err := t.q.UpdateProject(t.ctx, db.UpdateProjectParams{
		ID: r.ID, Name: r.Name, DeploymentID: r.DeploymentID, Kept: r.Kept, Hidden: r.Hidden,
		Description: r.Description, Extra: r.Extra, EndedAt: r.EndedAt, DueAt: r.DueAt, Attempts: r.Attempts,
	})
	return hit(rows, err, "update project", p.ID)
}

func (t Tx) DeleteProject(id slipway.ProjectID) error {
	rows, err := t.q.DeleteProject(t.ctx, string(id))
	return hit(rows, err, "delete project", id)
}

func projectRow(p slipway.TracingProject) db.TracingProject {
	return db.TracingProject{
		ID:           string(p.ID),
		WorkspaceID:  string(p.Workspace),
		Name:         p.Name,
		DeploymentID: null(p.Deployment),
		Kept:         p.Kept,
		Hidden:       p.Hidden,
		CreatedAt:    micros(p.CreatedAt),
		Description:  p.Description,
		Extra:        p.Extra,
		EndedAt:      micros(p.EndedAt),
		DueAt:        micros(p.DueAt),
		Attempts:     int64(p.Attempts),
	}
}

func project(r db.TracingProject) slipway.TracingProject {
	return slipway.TracingProject{
		ID:          slipway.ProjectID(r.ID),
		Workspace:   slipway.WorkspaceID(r.WorkspaceID),
		Name:        r.Name,
		Deployment:  slipway.DeploymentID(r.DeploymentID.String),
		Kept:        r.Kept,
		Hidden:      r.Hidden,
		CreatedAt:   moment(r.CreatedAt),
		Description: r.Description,
		Extra:       r.Extra,
		EndedAt:     moment(r.EndedAt),
		DueAt:       moment(r.DueAt),
		Attempts:    int(r.Attempts),
	}
}
