-- name: ListDeletedDeployments :many
SELECT * FROM deployments WHERE workspace_id = sqlc.arg(workspace_id) AND deleted_at > 0
ORDER BY deleted_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: ListOverdueDeployments :many
SELECT * FROM deployments WHERE purge_at > 0 AND NOT purge AND purge_at <= CAST(sqlc.arg(now) AS bigint)
ORDER BY purge_at LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- 0 for never.
-- name: NextPurge :one
SELECT CAST(COALESCE(MIN(purge_at), 0) AS bigint) AS at FROM deployments WHERE purge_at > 0 AND NOT purge;

-- A name that somebody else may take back.
-- name: CountReservations :one
SELECT COUNT(*) FROM deployments
WHERE reserved_slug = sqlc.arg(slug) AND reserved_slug <> '' AND workspace_id <> sqlc.arg(workspace_id);

-- name: InsertDeletion :exec
INSERT INTO deletions (deployment_id, workspace_id, name, done_at, receipt) VALUES ($1, $2, $3, $4, $5);

-- name: GetDeletion :one
SELECT receipt FROM deletions WHERE deployment_id = $1;

-- name: ListDeletionsNamed :many
SELECT receipt FROM deletions WHERE workspace_id = sqlc.arg(workspace_id) AND name = sqlc.arg(name)
ORDER BY done_at DESC, deployment_id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: ListDeletions :many
SELECT receipt FROM deletions WHERE workspace_id = sqlc.arg(workspace_id)
ORDER BY done_at DESC, deployment_id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: OldestDeletion :one
SELECT done_at FROM deletions ORDER BY done_at LIMIT 1;

-- name: DeleteDeletions :execrows
DELETE FROM deletions WHERE deployment_id IN (
    SELECT d.deployment_id FROM deletions d
    WHERE d.done_at < CAST(sqlc.arg(before) AS bigint)
    ORDER BY d.done_at LIMIT CAST(sqlc.arg(max_rows) AS bigint)
);
