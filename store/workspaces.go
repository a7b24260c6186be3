package store

import (
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertWorkspace(w slipway.Workspace) error {
	err := t.q.InsertWorkspace(t.ctx, db.InsertWorkspaceParams{ID: string(w.ID), Name: w.Name, CreatedAt: micros(w.CreatedAt), Home: w.Home})
	return did(err, "insert workspace", w.ID)
}

func (t Tx) Workspace(id slipway.WorkspaceID) (slipway.Workspace, error) {
	row, err := t.q.GetWorkspace(t.ctx, string(id))
	return one(row, err, sure(workspace), "workspace", id)
}

func (t Tx) ListWorkspaces() ([]slipway.Workspace, error) {
	rows, err := t.q.ListWorkspaces(t.ctx)
	return many(rows, err, sure(workspace), "list", "workspaces")
}

func (t Tx) RenameWorkspace(id slipway.WorkspaceID, name string) error {
	rows, err := t.q.RenameWorkspace(t.ctx, db.RenameWorkspaceParams{ID: string(id), Name: name})
	return hit(rows, err, "rename workspace", id)
}

func (t Tx) WorkspaceRemains(id slipway.WorkspaceID) (slipway.Remains, error) {
	row, err := t.q.WorkspaceRemains(t.ctx, string(id))
	return one(row, err, sure(remains), "what is left in workspace", id)
}

func remains(r db.WorkspaceRemainsRow) slipway.Remains {
	return slipway.Remains{Deployments: int(r.Deployments), Deleted: int(r.Deleted), Listeners: int(r.Listeners), Projects: int(r.Projects), Leaving: int(r.Leaving)}
}

func (t Tx) DeleteWorkspace(id slipway.WorkspaceID) error {
	if err := t.q.DeleteWorkspaceKeys(t.ctx, null(id)); err != nil {
		return did(err, "delete keys of workspace", id)
	}
	rows, err := t.q.DeleteWorkspace(t.ctx, string(id))
	return hit(rows, err, "delete workspace", id)
}

func workspace(r db.Workspace) slipway.Workspace {
	return slipway.Workspace{ID: slipway.WorkspaceID(r.ID), Name: r.Name, Home: r.Home, CreatedAt: moment(r.CreatedAt)}
}

func (t Tx) InsertKey(k slipway.Key) error {
	err := t.q.InsertKey(t.ctx, db.InsertKeyParams(keyRow(k)))
	return did(err, "insert key", k.ID)
}

func (t Tx) KeyByHash(hash string) (slipway.Key, error) {
	row, err := t.q.GetKeyByHash(t.ctx, hash)
	return one(row, err, sure(key), "key by hash", hash)
}

func (t Tx) Key(id slipway.KeyID) (slipway.Key, error) {
	row, err := t.q.GetKey(t.ctx, string(id))
	return one(row, err, sure(key), "key", id)
}

func (t Tx) AgentKey(d slipway.DeploymentID) (slipway.Key, error) {
	row, err := t.q.GetAgentKey(t.ctx, null(d))
	return one(row, err, sure(key), "key of the agent of", d)
}

func (t Tx) ListKeys(f slipway.KeyFilter) ([]slipway.Key, error) {
	rows, err := t.q.ListKeys(t.ctx, db.ListKeysParams{WorkspaceID: null(f.Workspace), MaxRows: maxRows(f.Limit), Skip: int64(f.Offset)})
	return many(rows, err, sure(key), "list", "keys")
}

func (t Tx) CountAdminKeys(now time.Time) (int, error) {
	n, err := t.q.CountAdminKeys(t.ctx, micros(now))
	return int(n), did(err, "count", "admin keys")
}

func (t Tx) RevokeKey(id slipway.KeyID, at time.Time) error {
	rows, err := t.q.RevokeKey(t.ctx, db.RevokeKeyParams{ID: string(id), At: micros(at)})
	return hit(rows, err, "revoke key", id)
}

func (t Tx) TouchKey(id slipway.KeyID, at time.Time) error {
	rows, err := t.q.TouchKey(t.ctx, db.TouchKeyParams{ID: string(id), At: micros(at)})
	return hit(rows, err, "touch key", id)
}

func (t Tx) DeleteDeploymentKeys(id slipway.DeploymentID) (int, error) {
	rows, err := t.q.DeleteDeploymentKeys(t.ctx, null(id))
	return int(rows), did(err, "delete keys of deployment", id)
}

func keyRow(k slipway.Key) db.APIKey {
	scopes := make([]string, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = string(s)
	}
	return db.APIKey{
		ID:           string(k.ID),
		WorkspaceID:  null(k.Workspace),
		DeploymentID: null(k.Deployment),
		Name:         k.Name,
		Hash:         k.Hash,
		Scopes:       strings.Join(scopes, " "),
		CreatedAt:    micros(k.CreatedAt),
		ExpiresAt:    micros(k.ExpiresAt),
		RevokedAt:    micros(k.RevokedAt),
		LastUsedAt:   micros(k.LastUsedAt),
		Sealed:       k.Sealed,
	}
}

func key(r db.APIKey) slipway.Key {
	var scopes []slipway.Scope
	for _, s := range strings.Fields(r.Scopes) {
		scopes = append(scopes, slipway.Scope(s))
	}
	return slipway.Key{
		ID:         slipway.KeyID(r.ID),
		Workspace:  slipway.WorkspaceID(r.WorkspaceID.String),
		Deployment: slipway.DeploymentID(r.DeploymentID.String),
		Name:       r.Name,
		Hash:       r.Hash,
		Scopes:     scopes,
		CreatedAt:  moment(r.CreatedAt),
		ExpiresAt:  moment(r.ExpiresAt),
		RevokedAt:  moment(r.RevokedAt),
		LastUsedAt: moment(r.LastUsedAt),
		Sealed:     r.Sealed,
	}
}
