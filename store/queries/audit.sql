-- name: InsertAuditEvent :exec
INSERT INTO audit_events (id, at, workspace_id, key_id, subject, action, target) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ListAuditEvents :many
SELECT * FROM audit_events ORDER BY at DESC, id DESC LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);
