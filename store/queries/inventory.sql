-- name: AddItem :exec
INSERT INTO inventory (deployment_id, kind, ref, created_at, removed_at, verified_at, attempts, last_error, released_at, shared, retry_at, place)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (deployment_id, kind, ref) DO UPDATE SET
    created_at = excluded.created_at, removed_at = excluded.removed_at, verified_at = excluded.verified_at,
    attempts = excluded.attempts, last_error = excluded.last_error, released_at = excluded.released_at,
    shared = excluded.shared, retry_at = excluded.retry_at
WHERE inventory.removed_at <> 0 OR inventory.released_at <> 0;

-- name: ListItems :many
SELECT * FROM inventory WHERE deployment_id = $1 ORDER BY created_at, kind, ref;

-- name: PlaceItem :execrows
UPDATE inventory SET place = sqlc.arg(place)
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind) AND ref = sqlc.arg(ref);

-- name: ReleaseItem :execrows
UPDATE inventory SET released_at = sqlc.arg(at)
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind) AND ref = sqlc.arg(ref);

-- name: MarkItemRemoved :execrows
UPDATE inventory SET
    removed_at = CASE WHEN removed_at = 0 THEN sqlc.arg(at) ELSE removed_at END,
    shared = sqlc.arg(shared), verified_at = 0, last_error = ''
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind) AND ref = sqlc.arg(ref);

-- name: MarkItemVerified :execrows
UPDATE inventory SET verified_at = CASE WHEN removed_at = 0 OR verified_at <> 0 THEN verified_at ELSE sqlc.arg(at) END
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind) AND ref = sqlc.arg(ref);

-- It may exist again, or still.
-- name: MarkItemStuck :execrows
UPDATE inventory SET
    attempts = attempts + 1, last_error = sqlc.arg(last_error), retry_at = sqlc.arg(retry_at),
    removed_at = 0, verified_at = 0, shared = FALSE
WHERE deployment_id = sqlc.arg(deployment_id) AND kind = sqlc.arg(kind) AND ref = sqlc.arg(ref);

-- name: CountItemOwners :one
SELECT COUNT(*) FROM inventory WHERE kind = $1 AND ref = $2 AND removed_at = 0;
