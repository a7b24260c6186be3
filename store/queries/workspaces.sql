-- name: InsertWorkspace :exec
INSERT INTO workspaces (id, name, created_at, home) VALUES ($1, $2, $3, $4);

-- name: GetWorkspace :one
SELECT * FROM workspaces WHERE id = $1;

-- name: ListWorkspaces :many
SELECT * FROM workspaces ORDER BY created_at, id;

-- name: RenameWorkspace :execrows
UPDATE workspaces SET name = $2 WHERE id = $1;

-- What a workspace owns and must not lose with it.
-- name: WorkspaceRemains :one
SELECT
    (SELECT COUNT(*) FROM deployments AS d WHERE d.workspace_id = sqlc.arg(workspace_id) AND d.gone_at = 0) AS deployments,
    (SELECT COUNT(*) FROM deployments AS t WHERE t.workspace_id = sqlc.arg(workspace_id) AND t.gone_at > 0) AS deleted,
    (SELECT COUNT(*) FROM listeners AS l WHERE l.workspace_id = sqlc.arg(workspace_id)) AS listeners,
    (SELECT COUNT(*) FROM tracing_projects AS p WHERE p.workspace_id = sqlc.arg(workspace_id) AND NOT p.hidden) AS projects,
    (SELECT COUNT(*) FROM tracing_projects AS q WHERE q.workspace_id = sqlc.arg(workspace_id) AND q.hidden AND q.deployment_id IS NULL) AS leaving;

-- name: DeleteWorkspace :execrows
DELETE FROM workspaces WHERE id = $1;

-- name: DeleteWorkspaceKeys :exec
DELETE FROM api_keys WHERE workspace_id = $1;

-- name: InsertKey :exec
INSERT INTO api_keys (id, workspace_id, deployment_id, name, hash, scopes, created_at, expires_at, revoked_at, last_used_at, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: GetKeyByHash :one
SELECT * FROM api_keys WHERE hash = $1;

-- name: GetKey :one
SELECT * FROM api_keys WHERE id = $1;

-- The newest one that nobody has revoked.
-- name: GetAgentKey :one
SELECT * FROM api_keys WHERE deployment_id = $1 AND sealed IS NOT NULL AND revoked_at = 0
ORDER BY created_at DESC, id DESC LIMIT 1;

-- name: ListKeys :many
SELECT * FROM api_keys
WHERE CAST(sqlc.narg(workspace_id) AS text) IS NULL OR workspace_id = sqlc.narg(workspace_id)
ORDER BY created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- Keys of administrators of the installation that are good at a time.
-- name: CountAdminKeys :one
SELECT COUNT(*) FROM api_keys
WHERE deployment_id IS NULL
  AND (workspace_id IS NULL OR workspace_id IN (SELECT w.id FROM workspaces AS w WHERE w.home))
  AND ' ' || scopes || ' ' LIKE '% admin %'
  AND revoked_at = 0
  AND (expires_at = 0 OR expires_at > sqlc.arg(now));

-- The first revocation counts.
-- name: RevokeKey :execrows
UPDATE api_keys SET revoked_at = CASE WHEN revoked_at = 0 THEN sqlc.arg(at) ELSE revoked_at END
WHERE id = sqlc.arg(id);

-- name: TouchKey :execrows
UPDATE api_keys SET last_used_at = CASE WHEN last_used_at < sqlc.arg(at) THEN sqlc.arg(at) ELSE last_used_at END
WHERE id = sqlc.arg(id);

-- name: DeleteDeploymentKeys :execrows
DELETE FROM api_keys WHERE deployment_id = $1;
