-- name: InsertInstance :exec
INSERT INTO instances (
    id, deployment_id, revision_id, state, attempt, port, crashes, started_at, retry_at, last_exit, created_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: GetInstance :one
SELECT * FROM instances WHERE id = $1;

-- name: ListInstances :many
SELECT * FROM instances WHERE deployment_id = $1 ORDER BY created_at, id;

-- name: UpdateInstance :execrows
UPDATE instances SET
    revision_id = sqlc.arg(revision_id), state = sqlc.arg(state), attempt = sqlc.arg(attempt), port = sqlc.arg(port),
    crashes = sqlc.arg(crashes), started_at = sqlc.arg(started_at), retry_at = sqlc.arg(retry_at),
    last_exit = sqlc.arg(last_exit)
WHERE id = sqlc.arg(id);

-- name: DeleteInstance :execrows
DELETE FROM instances WHERE id = $1;

-- The lowest free port is the first itself, or the one after a port that is
-- held; 0 if there is none.
-- name: FreePort :one
SELECT CAST(COALESCE(MIN(candidate), 0) AS bigint) AS port
FROM (
    SELECT CAST(sqlc.arg(first_port) AS bigint) AS candidate
    UNION ALL
    SELECT h.port + 1 FROM instances h
    WHERE h.listener = '' AND h.port > 0
      AND h.port >= CAST(sqlc.arg(first_port) AS bigint) AND h.port < CAST(sqlc.arg(last_port) AS bigint)
    UNION ALL
    SELECT s.port + 1 FROM redis_servers s
    WHERE s.port >= CAST(sqlc.arg(first_port) AS bigint) AND s.port < CAST(sqlc.arg(last_port) AS bigint)
) AS candidates
WHERE NOT EXISTS (SELECT 1 FROM instances i WHERE i.listener = '' AND i.port > 0 AND i.port = candidate)
  AND NOT EXISTS (SELECT 1 FROM redis_servers r WHERE r.port = candidate);
