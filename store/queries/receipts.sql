-- Of two transactions with one key the second waits here for the first, and
-- then finds its row.
-- name: ClaimReceipt :one
INSERT INTO receipts (workspace_id, request_key, hash, resource, created_at)
VALUES ($1, $2, $3, '', $4)
ON CONFLICT (workspace_id, request_key) DO UPDATE SET hash = receipts.hash
RETURNING *;

-- name: CompleteReceipt :execrows
UPDATE receipts SET resource = sqlc.arg(resource)
WHERE workspace_id = sqlc.arg(workspace_id) AND request_key = sqlc.arg(request_key);

-- name: OldestReceipt :one
SELECT created_at FROM receipts ORDER BY created_at LIMIT 1;

-- name: DeleteReceipts :execrows
DELETE FROM receipts WHERE (workspace_id, request_key) IN (
    SELECT r.workspace_id, r.request_key FROM receipts r
    WHERE r.created_at < CAST(sqlc.arg(before) AS bigint)
    ORDER BY r.created_at LIMIT CAST(sqlc.arg(max_rows) AS bigint)
);
