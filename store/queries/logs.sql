-- The first line makes the row. No row where the deployment is gone.
-- name: ReserveLogPositions :one
INSERT INTO log_heads (deployment_id, position)
SELECT d.id, CAST(sqlc.arg(count) AS bigint) FROM deployments d WHERE d.id = sqlc.arg(deployment_id)
ON CONFLICT (deployment_id) DO UPDATE SET position = log_heads.position + excluded.position
RETURNING position;

-- name: InsertLogLine :exec
INSERT INTO log_lines (deployment_id, kind, position, revision_id, origin, end_offset, at, level, message)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (deployment_id, origin, end_offset) DO NOTHING;

-- name: LogEnd :one
SELECT CAST(COALESCE(MAX(end_offset), 0) AS bigint) AS end_offset FROM log_lines
WHERE deployment_id = $1 AND origin = $2;

-- name: ListDeploymentLog :many
SELECT * FROM log_lines
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind)
  AND position > CAST(sqlc.arg(after) AS bigint)
  AND at >= CAST(sqlc.arg(since) AS bigint) AND at < CAST(sqlc.arg(until) AS bigint)
  AND (CAST(sqlc.narg(level) AS text) IS NULL OR level = CAST(sqlc.narg(level) AS text))
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(run) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(run) AS text)) ESCAPE '!')
ORDER BY position LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: ListDeploymentLogBack :many
SELECT * FROM log_lines
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind)
  AND position < CAST(sqlc.arg(after) AS bigint)
  AND at >= CAST(sqlc.arg(since) AS bigint) AND at < CAST(sqlc.arg(until) AS bigint)
  AND (CAST(sqlc.narg(level) AS text) IS NULL OR level = CAST(sqlc.narg(level) AS text))
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(run) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(run) AS text)) ESCAPE '!')
ORDER BY position DESC LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: ListRevisionLog :many
SELECT * FROM log_lines
WHERE deployment_id = sqlc.arg(deployment_id) AND revision_id = sqlc.arg(revision_id) AND kind = sqlc.arg(kind)
  AND position > CAST(sqlc.arg(after) AS bigint)
  AND at >= CAST(sqlc.arg(since) AS bigint) AND at < CAST(sqlc.arg(until) AS bigint)
  AND (CAST(sqlc.narg(level) AS text) IS NULL OR level = CAST(sqlc.narg(level) AS text))
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(run) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(run) AS text)) ESCAPE '!')
ORDER BY position LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: ListRevisionLogBack :many
SELECT * FROM log_lines
WHERE deployment_id = sqlc.arg(deployment_id) AND revision_id = sqlc.arg(revision_id) AND kind = sqlc.arg(kind)
  AND position < CAST(sqlc.arg(after) AS bigint)
  AND at >= CAST(sqlc.arg(since) AS bigint) AND at < CAST(sqlc.arg(until) AS bigint)
  AND (CAST(sqlc.narg(level) AS text) IS NULL OR level = CAST(sqlc.narg(level) AS text))
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(run) AS text) IS NULL OR lower(message) LIKE lower(CAST(sqlc.narg(run) AS text)) ESCAPE '!')
ORDER BY position DESC LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: DeleteLogLines :execrows
DELETE FROM log_lines WHERE (deployment_id, kind, position) IN (
    SELECT l.deployment_id, l.kind, l.position FROM log_lines AS l
    WHERE l.deployment_id = sqlc.arg(deployment_id) LIMIT CAST(sqlc.arg(max_rows) AS bigint)
);

-- name: CountLogLines :one
SELECT COUNT(*) FROM (
    SELECT l.position FROM log_lines AS l WHERE l.deployment_id = sqlc.arg(deployment_id) LIMIT CAST(sqlc.arg(max_rows) AS bigint)
) AS counted;
