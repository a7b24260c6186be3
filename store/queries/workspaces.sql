-- name: InsertWorkspace :exec
INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3);

-- name: GetWorkspace :one
SELECT * FROM workspaces WHERE id = $1;

-- name: ListWorkspaces :many
SELECT * FROM workspaces ORDER BY created_at, id;

-- name: InsertKey :exec
INSERT INTO api_keys (id, workspace_id, deployment_id, name, hash, scopes, created_at, expires_at, revoked_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: GetKeyByHash :one
SELECT * FROM api_keys WHERE hash = $1;

-- The first revocation counts.
-- name: RevokeKey :execrows
UPDATE api_keys SET revoked_at = CASE WHEN revoked_at = 0 THEN sqlc.arg(at) ELSE revoked_at END
WHERE id = sqlc.arg(id);

-- name: TouchKey :execrows
UPDATE api_keys SET last_used_at = CASE WHEN last_used_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE last_used_at END
WHERE id = sqlc.arg(id);

-- name: DeleteDeploymentKeys :exec
DELETE FROM api_keys WHERE deployment_id = $1;
