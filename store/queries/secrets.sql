-- name: InsertSecretSet :exec
INSERT INTO secret_sets (id, deployment_id, refs, names) VALUES ($1, $2, $3, $4);

-- name: InsertSecretValue :exec
INSERT INTO secret_values (set_id, position, name, sealed) VALUES ($1, $2, $3, $4);

-- name: GetSecretSet :one
SELECT * FROM secret_sets WHERE id = $1;

-- name: ListSecretValues :many
SELECT * FROM secret_values WHERE set_id = $1 ORDER BY position;
