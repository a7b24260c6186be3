-- Whoever holds the lease sees by the generation that something else is wanted.
-- name: Wake :execrows
UPDATE deployments
SET next_at = CASE
    WHEN lease_until = 0 AND (next_at IS NULL OR next_at > CAST(sqlc.arg(at) AS bigint)) THEN CAST(sqlc.arg(at) AS bigint)
    ELSE next_at
END
WHERE id = sqlc.arg(id);

-- What is due and free: nobody holds it and its time has come, or its holder
-- has let it run out. What a listener runs is not for the data plane here. Of
-- both, no more is read than is taken: much may be due at once.
-- name: ListDue :many
SELECT ripe.id FROM (
    SELECT free.id, free.at FROM (
        SELECT d.id, d.next_at AS at FROM deployments d
        WHERE d.lease_until = 0 AND d.next_at IS NOT NULL AND d.next_at <= CAST(sqlc.arg(now) AS bigint) AND d.listener_id = '' AND d.deleted_at = 0
        ORDER BY d.next_at, d.id LIMIT CAST(sqlc.arg(max_rows) AS bigint)
    ) AS free
    UNION ALL
    SELECT held.id, held.at FROM (
        SELECT l.id, l.lease_until AS at FROM deployments l
        WHERE l.lease_until > 0 AND l.lease_until <= CAST(sqlc.arg(now) AS bigint) AND l.listener_id = '' AND l.deleted_at = 0
        ORDER BY l.lease_until, l.id LIMIT CAST(sqlc.arg(max_rows) AS bigint)
    ) AS held
) AS ripe
ORDER BY ripe.at, ripe.id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- The same of what is being deleted.
-- name: ListDueDeletions :many
SELECT ripe.id FROM (
    SELECT free.id, free.at FROM (
        SELECT d.id, d.next_at AS at FROM deployments d
        WHERE d.lease_until = 0 AND d.next_at IS NOT NULL AND d.next_at <= CAST(sqlc.arg(now) AS bigint) AND d.listener_id = '' AND d.deleted_at > 0
        ORDER BY d.next_at, d.id LIMIT CAST(sqlc.arg(max_rows) AS bigint)
    ) AS free
    UNION ALL
    SELECT held.id, held.at FROM (
        SELECT l.id, l.lease_until AS at FROM deployments l
        WHERE l.lease_until > 0 AND l.lease_until <= CAST(sqlc.arg(now) AS bigint) AND l.listener_id = '' AND l.deleted_at > 0
        ORDER BY l.lease_until, l.id LIMIT CAST(sqlc.arg(max_rows) AS bigint)
    ) AS held
) AS ripe
ORDER BY ripe.at, ripe.id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- What had made it due is the new holder's to see.
-- name: TakeLease :one
UPDATE deployments
SET lease_owner = sqlc.arg(owner), lease_term = lease_term + 1, lease_until = sqlc.arg(until), next_at = NULL
WHERE id = sqlc.arg(id) AND lease_until <= CAST(sqlc.arg(now) AS bigint)
RETURNING lease_term;

-- name: RenewLease :execrows
UPDATE deployments SET lease_until = sqlc.arg(until)
WHERE id = sqlc.arg(id) AND lease_owner = sqlc.arg(owner) AND lease_term = sqlc.arg(term) AND lease_until > 0;

-- name: GetLease :one
SELECT lease_owner, lease_term, lease_until FROM deployments WHERE id = $1;

-- name: ReleaseLease :execrows
UPDATE deployments SET
    lease_owner = '', lease_until = 0,
    observed_generation = CASE WHEN generation = CAST(sqlc.arg(seen) AS bigint) THEN generation ELSE observed_generation END,
    next_at = CASE
        WHEN generation <> CAST(sqlc.arg(seen) AS bigint) THEN 0
        ELSE CAST(sqlc.narg(next_at) AS bigint)
    END
WHERE id = sqlc.arg(id) AND lease_owner = sqlc.arg(owner) AND lease_term = sqlc.arg(term) AND lease_until > 0;

-- -1 for never.
-- name: NextDue :one
SELECT CAST(COALESCE(MIN(due.at), -1) AS bigint) AS at FROM (
    SELECT MIN(d.next_at) AS at FROM deployments d
    WHERE d.lease_until = 0 AND d.next_at IS NOT NULL AND d.listener_id = '' AND d.deleted_at = 0
    UNION ALL
    SELECT MIN(l.lease_until) AS at FROM deployments l WHERE l.lease_until > 0 AND l.listener_id = '' AND l.deleted_at = 0
) AS due;

-- name: NextDueDeletion :one
SELECT CAST(COALESCE(MIN(due.at), -1) AS bigint) AS at FROM (
    SELECT MIN(d.next_at) AS at FROM deployments d
    WHERE d.lease_until = 0 AND d.next_at IS NOT NULL AND d.listener_id = '' AND d.deleted_at > 0
    UNION ALL
    SELECT MIN(l.lease_until) AS at FROM deployments l WHERE l.lease_until > 0 AND l.listener_id = '' AND l.deleted_at > 0
) AS due;

-- A holder that has started anew gives back what it held.
-- name: EndLeases :exec
UPDATE deployments SET lease_owner = '', lease_until = 0, next_at = sqlc.arg(now)
WHERE lease_owner = sqlc.arg(owner) AND lease_until > 0;
