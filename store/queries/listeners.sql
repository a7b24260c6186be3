-- name: InsertListener :exec
INSERT INTO listeners (id, workspace_id, compute_type, compute_id, config, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetListener :one
SELECT * FROM listeners WHERE id = $1;

-- name: GetListenerByComputeID :one
SELECT * FROM listeners WHERE workspace_id = $1 AND compute_id = $2;

-- name: ListListeners :many
SELECT * FROM listeners WHERE workspace_id = sqlc.arg(workspace_id)
ORDER BY created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: UpdateListener :execrows
UPDATE listeners SET config = sqlc.arg(config), updated_at = sqlc.arg(updated_at) WHERE id = sqlc.arg(id);

-- name: DeleteListener :execrows
DELETE FROM listeners WHERE id = $1;

-- What awaits its final deletion has nothing left on a data plane.
-- name: ListDeploymentsOnListener :many
SELECT * FROM deployments
WHERE listener_id = sqlc.arg(listener_id) AND listener_id <> '' AND status <> 'AWAITING_FINAL_DELETE'
ORDER BY created_at, id LIMIT CAST(sqlc.arg(max_rows) AS bigint);
