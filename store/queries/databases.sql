-- name: InsertLogin :exec
INSERT INTO logins (deployment_id, number, revision, sealed, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: ListLogins :many
SELECT * FROM logins WHERE deployment_id = $1 ORDER BY number;

-- name: DeleteLogin :execrows
DELETE FROM logins WHERE deployment_id = $1 AND number = $2;

-- name: InsertRedisNumber :exec
INSERT INTO redis_numbers (deployment_id, number) VALUES ($1, $2);

-- name: GetRedisNumber :one
SELECT number FROM redis_numbers WHERE deployment_id = $1;

-- name: ListRedisNumbers :many
SELECT number FROM redis_numbers ORDER BY number;

-- name: InsertRedisServer :exec
INSERT INTO redis_servers (deployment_id, port, sealed) VALUES ($1, $2, $3);

-- name: GetRedisServer :one
SELECT * FROM redis_servers WHERE deployment_id = $1;

-- name: MoveRedisServer :execrows
UPDATE redis_servers SET port = $2 WHERE deployment_id = $1;
