-- name: MoveEventHead :one
INSERT INTO event_heads (deployment_id, sequence) VALUES (sqlc.arg(deployment_id), sqlc.arg(added))
ON CONFLICT (deployment_id) DO UPDATE SET sequence = event_heads.sequence + excluded.sequence
RETURNING sequence;

-- 0 before the first event.
-- name: GetEventHead :one
SELECT CAST(COALESCE(MAX(sequence), 0) AS bigint) AS sequence FROM event_heads WHERE deployment_id = $1;

-- name: InsertEvent :exec
INSERT INTO deployment_events (deployment_id, sequence, kind, body, at) VALUES ($1, $2, $3, $4, $5);

-- name: ListEvents :many
SELECT * FROM deployment_events
WHERE deployment_id = sqlc.arg(deployment_id) AND sequence > sqlc.arg(after)
ORDER BY sequence LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: DeleteOldEvents :exec
DELETE FROM deployment_events WHERE deployment_id = sqlc.arg(deployment_id) AND sequence <= sqlc.arg(last);
