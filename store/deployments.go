package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertDeployment(d slipway.Deployment) error {
	return did(t.q.InsertDeployment(t.ctx, deploymentRow(d)), "insert deployment", d.ID)
}

func (t Tx) Deployment(id slipway.DeploymentID) (slipway.Deployment, error) {
	row, err := t.q.GetDeployment(t.ctx, string(id))
	return one(row, err, deployment, "deployment", id)
}

func (t Tx) DeploymentBySlug(slug string) (slipway.Deployment, error) {
	row, err := t.q.GetDeploymentBySlug(t.ctx, slug)
	return one(row, err, deployment, "deployment by slug", slug)
}

func (t Tx) CountDeployments(w slipway.WorkspaceID, kind string) (int, error) {
	n, err := t.q.CountDeployments(t.ctx, db.CountDeploymentsParams{WorkspaceID: string(w), DeploymentType: kind})
	return int(n), did(err, "count deployments of", w)
}

func (t Tx) DeploymentsInStatus(s slipway.DeploymentStatus, limit int) ([]slipway.Deployment, error) {
	rows, err := t.q.ListDeploymentsInStatus(t.ctx, db.ListDeploymentsInStatusParams{Status: string(s), MaxRows: maxRows(limit)})
	return many(rows, err, deployment, "list deployments in", s)
}

func (t Tx) DeploymentsAfter(id slipway.DeploymentID, limit int) ([]slipway.Deployment, error) {
	rows, err := t.q.ListDeploymentsAfter(t.ctx, db.ListDeploymentsAfterParams{ID: string(id), MaxRows: maxRows(limit)})
	return many(rows, err, deployment, "list deployments after", id)
}

func (t Tx) UpdateDeployment(d *slipway.Deployment) error {
	rows, err := t.q.UpdateDeployment(t.ctx, deploymentChange(deploymentRow(*d)))
	if err != nil {
		return did(err, "update deployment", d.ID)
	}
	if rows == 0 {
		_, err := t.q.GetDeployment(t.ctx, string(d.ID))
		return stale(err, "update deployment", d.ID)
	}
	d.Version++
	return nil
}

// stale says why a compared write hit nothing, given how reading its row went.
func stale(err error, what string, key any) error {
	if err == nil {
		err = slipway.ErrStale
	}
	return did(err, what, key)
}

func (t Tx) DeleteDeployment(id slipway.DeploymentID) error {
	if err := t.q.KeepProjects(t.ctx, null(id)); err != nil {
		return did(err, "keep projects of deployment", id)
	}
	rows, err := t.q.DeleteDeployment(t.ctx, string(id))
	return hit(rows, err, "delete deployment", id)
}
