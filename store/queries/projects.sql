-- name: InsertProject :exec
INSERT INTO tracing_projects (id, workspace_id, name, deployment_id, kept, created_at, hidden)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetProjectByName :one
SELECT * FROM tracing_projects WHERE workspace_id = $1 AND name = $2 AND NOT hidden;

-- name: GetProject :one
SELECT * FROM tracing_projects WHERE id = $1;

-- name: UpdateProject :execrows
UPDATE tracing_projects SET name = sqlc.arg(name), deployment_id = sqlc.arg(deployment_id), kept = sqlc.arg(kept),
    hidden = sqlc.arg(hidden)
WHERE id = sqlc.arg(id);

-- name: KeepProjects :exec
UPDATE tracing_projects SET deployment_id = NULL, kept = TRUE WHERE deployment_id = $1;

-- name: DeleteProject :execrows
DELETE FROM tracing_projects WHERE id = $1;
