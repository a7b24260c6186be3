-- name: InsertProject :exec
INSERT INTO tracing_projects (id, workspace_id, name, deployment_id, kept, created_at, hidden, description, extra, ended_at, due_at, attempts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: GetProjectByName :one
SELECT * FROM tracing_projects WHERE workspace_id = $1 AND name = $2 AND NOT hidden;

-- Of deployments that are being deleted, those that may run still.
-- name: CountLeavingProjects :one
SELECT COUNT(*) FROM tracing_projects AS p JOIN deployments AS d ON d.id = p.deployment_id
WHERE p.workspace_id = $1 AND p.name = $2 AND p.hidden AND d.status = 'AWAITING_DELETE';

-- name: GetProject :one
SELECT * FROM tracing_projects WHERE id = $1;

-- Ids is a text that holds the wanted ones, since neither engine takes a list
-- that the other does.
-- name: ListProjects :many
SELECT * FROM tracing_projects
WHERE workspace_id = sqlc.arg(workspace_id) AND NOT hidden
  AND (CAST(sqlc.narg(deployment_id) AS text) IS NULL OR deployment_id = CAST(sqlc.narg(deployment_id) AS text))
  AND (CAST(sqlc.narg(name) AS text) IS NULL OR name = CAST(sqlc.narg(name) AS text))
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(name) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || id || '%')
ORDER BY created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: ListDueProjects :many
SELECT * FROM tracing_projects WHERE due_at > 0 AND due_at <= sqlc.arg(now)
ORDER BY due_at, id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: NextDueProject :one
SELECT CAST(COALESCE(MIN(due_at), 0) AS bigint) AS at FROM tracing_projects WHERE due_at > 0;

-- name: UpdateProject :execrows
UPDATE tracing_projects SET name = sqlc.arg(name), deployment_id = sqlc.arg(deployment_id), kept = sqlc.arg(kept),
    hidden = sqlc.arg(hidden), description = sqlc.arg(description), extra = sqlc.arg(extra), ended_at = sqlc.arg(ended_at),
    due_at = sqlc.arg(due_at), attempts = sqlc.arg(attempts)
WHERE id = sqlc.arg(id);

-- name: KeepProjects :exec
UPDATE tracing_projects SET deployment_id = NULL, kept = TRUE WHERE deployment_id = $1;

-- name: DeleteProject :execrows
DELETE FROM tracing_projects WHERE id = $1;
