-- name: InsertDeployment :exec
INSERT INTO deployments (
    id, workspace_id, name, display_name, slug, source, deployment_type, repo_url, listener_id, config, revision_config,
    secret_set_id, project_id, status, latest_revision_id, active_revision_id, health_state, health_reason, health_since,
    delete_project, created_at, updated_at, generation, version, observed_generation
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25
);

-- name: InsertLogHead :exec
INSERT INTO log_heads (deployment_id, position) VALUES ($1, 0);

-- name: GetDeployment :one
SELECT * FROM deployments WHERE id = $1;

-- name: GetLiveDeployment :one
SELECT * FROM deployments
WHERE workspace_id = $1 AND name = $2 AND status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE');

-- name: GetDeploymentBySlug :one
SELECT * FROM deployments WHERE slug = $1 AND slug <> '';

-- Ids is a text that holds the wanted ones, since neither engine takes a list
-- that the other does.
-- name: ListDeployments :many
SELECT * FROM deployments
WHERE workspace_id = sqlc.arg(workspace_id)
  AND (CAST(sqlc.narg(status) AS text) IS NULL OR status = CAST(sqlc.narg(status) AS text))
  AND (CAST(sqlc.narg(type) AS text) IS NULL OR deployment_type = CAST(sqlc.narg(type) AS text))
  AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || id || '%')
ORDER BY created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- At most one row, but filtered like any list.
-- name: ListNamedDeployments :many
SELECT * FROM deployments
WHERE workspace_id = sqlc.arg(workspace_id) AND name = sqlc.arg(name)
  AND status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE')
  AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(name) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
  AND (CAST(sqlc.narg(status) AS text) IS NULL OR status = CAST(sqlc.narg(status) AS text))
  AND (CAST(sqlc.narg(type) AS text) IS NULL OR deployment_type = CAST(sqlc.narg(type) AS text))
  AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || id || '%')
ORDER BY created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: SearchDeployments :many
SELECT * FROM deployments
WHERE workspace_id = sqlc.arg(workspace_id)
  AND status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE')
  AND lower(name) LIKE lower(CAST(sqlc.arg(pattern) AS text)) ESCAPE '!'
  AND (CAST(sqlc.narg(status) AS text) IS NULL OR status = CAST(sqlc.narg(status) AS text))
  AND (CAST(sqlc.narg(type) AS text) IS NULL OR deployment_type = CAST(sqlc.narg(type) AS text))
  AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || id || '%')
ORDER BY CASE WHEN name = CAST(sqlc.arg(first_name) AS text) THEN 0 ELSE 1 END, created_at DESC, id DESC
LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint);

-- name: ListDeploymentsInStatus :many
SELECT * FROM deployments WHERE status = sqlc.arg(status)
ORDER BY created_at, id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: ListDeploymentsAfter :many
SELECT * FROM deployments WHERE id > sqlc.arg(id) AND listener_id = ''
ORDER BY id LIMIT CAST(sqlc.arg(max_rows) AS bigint);

-- name: UpdateDeployment :execrows
UPDATE deployments SET
    name = sqlc.arg(name), display_name = sqlc.arg(display_name), slug = sqlc.arg(slug), source = sqlc.arg(source),
    deployment_type = sqlc.arg(deployment_type), repo_url = sqlc.arg(repo_url), listener_id = sqlc.arg(listener_id),
    config = sqlc.arg(config), revision_config = sqlc.arg(revision_config), secret_set_id = sqlc.arg(secret_set_id),
    project_id = sqlc.arg(project_id), status = sqlc.arg(status), latest_revision_id = sqlc.arg(latest_revision_id),
    active_revision_id = sqlc.arg(active_revision_id), health_state = sqlc.arg(health_state),
    health_reason = sqlc.arg(health_reason), health_since = sqlc.arg(health_since),
    delete_project = sqlc.arg(delete_project), updated_at = sqlc.arg(updated_at), generation = sqlc.arg(generation),
    version = version + 1
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: DeleteDeployment :execrows
DELETE FROM deployments WHERE id = $1;
