package store

import (
	"database/sql"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) DeploymentView(id slipway.DeploymentID) (slipway.DeploymentView, error) {
	row, err := t.q.GetDeploymentView(t.ctx, string(id))
	return one(row, err, deploymentView, "deployment", id)
}

func (t Tx) ListDeployments(f slipway.DeploymentFilter) ([]slipway.DeploymentView, error) {
	const doing = "list deployments of"
	all := db.FilterDeploymentsParams{
		WorkspaceID: string(f.Workspace),
		Status:      null(f.Status),
		Type:        null(f.Type),
		Ids:         null(joinIDs(f.IDs)),
		Reconciled:  nullBool(f.Reconciled),
		MaxRows:     maxRows(f.Limit),
		Skip:        int64(f.Offset),
	}
	switch {
	case f.Name != "":
		rows, err := t.q.FilterNamedDeployment(t.ctx, named(all, f))
		return many(rows, err, viewOfNamed, doing, f.Workspace)
	case f.NameContains != "":
		rows, err := t.q.SearchDeployments(t.ctx, search(all, f))
		return many(rows, err, viewOfSearch, doing, f.Workspace)
	case f.Status != "", f.Type != "", len(f.IDs) > 0, f.Reconciled != nil:
		rows, err := t.q.FilterDeployments(t.ctx, all)
		return many(rows, err, viewOfFilter, doing, f.Workspace)
	}
	rows, err := t.q.PageDeployments(t.ctx, db.PageDeploymentsParams{
		WorkspaceID: all.WorkspaceID, MaxRows: all.MaxRows, Skip: all.Skip,
	})
	return many(rows, err, viewOfPage, doing, f.Workspace)
}

func named(all db.FilterDeploymentsParams, f slipway.DeploymentFilter) db.FilterNamedDeploymentParams {
	return db.FilterNamedDeploymentParams{
		WorkspaceID: all.WorkspaceID, Status: all.Status, Type: all.Type, Ids: all.Ids, Reconciled: all.Reconciled,
		MaxRows: all.MaxRows, Skip: all.Skip, Name: f.Name, Pattern: pattern(f.NameContains),
	}
}

func search(all db.FilterDeploymentsParams, f slipway.DeploymentFilter) db.SearchDeploymentsParams {
	return db.SearchDeploymentsParams{
		WorkspaceID: all.WorkspaceID, Status: all.Status, Type: all.Type, Ids: all.Ids, Reconciled: all.Reconciled,
		MaxRows: all.MaxRows, Skip: all.Skip, Pattern: pattern(f.NameContains).String, FirstName: f.NameContains,
	}
}

// joinIDs is a text in which an id is found if it is one of ids.
func joinIDs[ID ~string](ids []ID) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(string(id))
		b.WriteByte(' ')
	}
	return b.String()
}

// The queries of a view return the same columns.
func viewOfPage(r db.PageDeploymentsRow) (slipway.DeploymentView, error) {
	return deploymentView(db.GetDeploymentViewRow(r))
}

func viewOfFilter(r db.FilterDeploymentsRow) (slipway.DeploymentView, error) {
	return deploymentView(db.GetDeploymentViewRow(r))
}

func viewOfNamed(r db.FilterNamedDeploymentRow) (slipway.DeploymentView, error) {
	return deploymentView(db.GetDeploymentViewRow(r))
}

func viewOfSearch(r db.SearchDeploymentsRow) (slipway.DeploymentView, error) {
	return deploymentView(db.GetDeploymentViewRow(r))
}

func deploymentView(r db.GetDeploymentViewRow) (slipway.DeploymentView, error) {
	d, err := deployment(r.Deployment)
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	v := slipway.DeploymentView{Deployment: d, Serving: int(r.Serving), Variables: strings.Fields(r.VariableNames.String)}
	if r.NewestStatus.Valid {
		v.Newest = &slipway.NewestRevision{ID: d.Latest, Status: slipway.RevisionStatus(r.NewestStatus.String), Message: r.NewestMessage.String}
	}
	v.Refs, err = secretRefs(r.SecretRefs.String)
	return v, err
}

// nullBool is 1, 0 or NULL: the engines do not agree on what else is a boolean.
func nullBool(b *bool) sql.NullInt64 {
	switch {
	case b == nil:
		return sql.NullInt64{}
	case *b:
		return sql.NullInt64{Int64: 1, Valid: true}
	}
	return sql.NullInt64{Valid: true}
}
