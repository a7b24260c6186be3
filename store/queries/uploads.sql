-- name: InsertUpload :exec
INSERT INTO uploads (id, deployment_id, object, digest, size, created_at, expires_at, tree)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: GetUpload :one
SELECT * FROM uploads WHERE id = $1;

-- name: GetUploadByObject :one
SELECT * FROM uploads WHERE deployment_id = $1 AND object = $2;

-- name: UpdateUpload :execrows
UPDATE uploads SET digest = sqlc.arg(digest), tree = sqlc.arg(tree), size = sqlc.arg(size), expires_at = sqlc.arg(expires_at)
WHERE id = sqlc.arg(id);

-- name: ListUploads :many
SELECT * FROM uploads WHERE deployment_id = $1 ORDER BY created_at, id;

-- name: DeleteUpload :execrows
DELETE FROM uploads WHERE id = $1;
