-- name: GetMeasurements :one
SELECT slots FROM measurements WHERE deployment_id = $1 AND step = $2 AND at = $3;

-- No row where the deployment is gone.
-- name: PutMeasurements :exec
INSERT INTO measurements (deployment_id, step, at, slots)
SELECT d.id, CAST(sqlc.arg(step) AS bigint), CAST(sqlc.arg(at) AS bigint), sqlc.arg(slots)
FROM deployments d WHERE d.id = sqlc.arg(deployment_id)
ON CONFLICT (deployment_id, step, at) DO UPDATE SET slots = excluded.slots;

-- name: ListMeasurements :many
SELECT at, slots FROM measurements
WHERE deployment_id = sqlc.arg(deployment_id) AND step = sqlc.arg(step) AND at >= sqlc.arg(since) AND at < sqlc.arg(until)
ORDER BY at;

-- name: DeleteMeasurements :exec
DELETE FROM measurements WHERE step = sqlc.arg(step) AND at < sqlc.arg(before);

-- name: Census :many
SELECT workspace_id, status, COUNT(*) AS deployments,
    CAST(SUM(CASE WHEN lease_until > CAST(sqlc.arg(now) AS bigint) THEN 1 ELSE 0 END) AS bigint) AS leased
FROM deployments GROUP BY workspace_id, status ORDER BY workspace_id, status;
