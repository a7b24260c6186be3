-- name: InsertRevision :exec
INSERT INTO revisions (
    id, deployment_id, number, status, message, failure, source, config, secret_set_id, artefact, deadline,
    created_at, updated_at, version, returns_from
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: InsertStatusChange :exec
INSERT INTO revision_history (revision_id, version, status, at) VALUES ($1, $2, $3, $4);

-- name: GetRevision :one
SELECT * FROM revisions WHERE id = $1 AND deployment_id = $2;

-- A page is found in revisions_newest alone; then its rows are read.
-- Reconciled is what has ended.
-- name: ListRevisions :many
SELECT r.* FROM (
    SELECT l.number FROM revisions l
    WHERE l.deployment_id = sqlc.arg(deployment_id)
      AND (CAST(sqlc.narg(status) AS text) IS NULL OR l.status = CAST(sqlc.narg(status) AS text))
      AND (CAST(sqlc.narg(reconciled) AS bigint) IS NULL OR CAST(sqlc.narg(reconciled) AS bigint) = CASE
          WHEN l.status IN ('CREATING', 'QUEUED', 'AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING') THEN 0 ELSE 1 END)
    ORDER BY l.number DESC
    LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint)
) AS page
JOIN revisions r ON r.deployment_id = sqlc.arg(deployment_id) AND r.number = page.number
ORDER BY r.number DESC;

-- name: ListOpenRevisions :many
SELECT * FROM revisions
WHERE deployment_id = $1
  AND status IN ('CREATING', 'QUEUED', 'AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING')
ORDER BY number;

-- name: ListOverdueRevisions :many
SELECT * FROM revisions
WHERE deadline > 0 AND status IN ('AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING')
  AND deadline <= sqlc.arg(now)
ORDER BY deadline, id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: NextDeadline :one
SELECT CAST(COALESCE(MIN(deadline), 0) AS bigint) AS deadline FROM revisions
WHERE deadline > 0 AND status IN ('AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING');

-- name: UpdateRevision :execrows
UPDATE revisions SET
    status = sqlc.arg(status), message = sqlc.arg(message), failure = sqlc.arg(failure), source = sqlc.arg(source),
    config = sqlc.arg(config), secret_set_id = sqlc.arg(secret_set_id), artefact = sqlc.arg(artefact),
    deadline = sqlc.arg(deadline), updated_at = sqlc.arg(updated_at), version = version + 1
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: ListHistory :many
SELECT * FROM revision_history WHERE revision_id = $1 ORDER BY version;
