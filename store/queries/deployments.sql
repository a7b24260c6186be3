-- name: InsertDeployment :exec
INSERT INTO deployments (
    id, workspace_id, name, display_name, slug, source, deployment_type, repo_url, listener_id, config, revision_config,
    secret_set_id, project_id, status, latest_revision_id, active_revision_id, health_state, health_reason, health_since,
    delete_project, created_at, updated_at, generation, version, observed_generation, running, protected,
    deleted_at, deleted_by, gone_at, purge_at, purge, reserved_slug, final_snapshot, provided_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
    $28, $29, $30, $31, $32, $33, $34, $35
);

-- name: GetDeployment :one
SELECT * FROM deployments WHERE id = $1;

-- name: GetDeploymentBySlug :one
SELECT * FROM deployments WHERE slug = $1 AND slug <> '';

-- What is shown of a deployment beside its own row is NULL where there is none.
-- name: GetDeploymentView :one
SELECT sqlc.embed(d), r.status AS newest_status, r.message AS newest_message, s.names AS variable_names, s.refs AS secret_refs,
    (SELECT COUNT(*) FROM instances i WHERE i.deployment_id = d.id AND i.revision_id = d.active_revision_id AND i.state = 'serving') AS serving
FROM deployments d
LEFT JOIN revisions r ON r.id = d.latest_revision_id
LEFT JOIN secret_sets s ON s.id = d.secret_set_id
WHERE d.id = $1;

-- A page is found in deployments_newest alone; then its rows are read. The index
-- is walked back from the end of the workspace, and only what is found is asked
-- whether it is still in it: to ask what is skipped would take most of the time.
-- name: PageDeployments :many
SELECT sqlc.embed(d), r.status AS newest_status, r.message AS newest_message, s.names AS variable_names, s.refs AS secret_refs,
    (SELECT COUNT(*) FROM instances i WHERE i.deployment_id = d.id AND i.revision_id = d.active_revision_id AND i.state = 'serving') AS serving
FROM (
    SELECT l.id, l.workspace_id FROM deployments l
    WHERE l.workspace_id <= sqlc.arg(workspace_id) AND l.gone_at = 0
    ORDER BY l.workspace_id DESC, l.created_at DESC, l.id DESC
    LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint)
) AS page
JOIN deployments d ON d.id = page.id AND page.workspace_id = sqlc.arg(workspace_id)
LEFT JOIN revisions r ON r.id = d.latest_revision_id
LEFT JOIN secret_sets s ON s.id = d.secret_set_id
ORDER BY d.created_at DESC, d.id DESC;

-- Ids is a text that holds the wanted ones, since neither engine takes a list
-- that the other does. Reconciled looks at the rows themselves, and is kept from
-- making the other filters do so.
-- name: FilterDeployments :many
SELECT sqlc.embed(d), r.status AS newest_status, r.message AS newest_message, s.names AS variable_names, s.refs AS secret_refs,
    (SELECT COUNT(*) FROM instances i WHERE i.deployment_id = d.id AND i.revision_id = d.active_revision_id AND i.state = 'serving') AS serving
FROM (
    SELECT l.id FROM deployments l
    WHERE l.workspace_id = sqlc.arg(workspace_id) AND l.gone_at = 0
      AND (CAST(sqlc.narg(status) AS text) IS NULL OR l.status = CAST(sqlc.narg(status) AS text))
      AND (CAST(sqlc.narg(type) AS text) IS NULL OR l.deployment_type = CAST(sqlc.narg(type) AS text))
      AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || l.id || '%')
      AND (CAST(sqlc.narg(reconciled) AS bigint) IS NULL OR EXISTS (
          SELECT 1 FROM deployments o
          WHERE o.id = l.id AND CASE WHEN o.generation = o.observed_generation THEN 1 ELSE 0 END = CAST(sqlc.narg(reconciled) AS bigint)
      ))
    ORDER BY l.created_at DESC, l.id DESC
    LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint)
) AS page
JOIN deployments d ON d.id = page.id
LEFT JOIN revisions r ON r.id = d.latest_revision_id
LEFT JOIN secret_sets s ON s.id = d.secret_set_id
ORDER BY d.created_at DESC, d.id DESC;

-- At most one row, but filtered like any list.
-- name: FilterNamedDeployment :many
SELECT sqlc.embed(d), r.status AS newest_status, r.message AS newest_message, s.names AS variable_names, s.refs AS secret_refs,
    (SELECT COUNT(*) FROM instances i WHERE i.deployment_id = d.id AND i.revision_id = d.active_revision_id AND i.state = 'serving') AS serving
FROM (
    SELECT l.id FROM deployments l
    WHERE l.workspace_id = sqlc.arg(workspace_id) AND l.name = sqlc.arg(name)
      AND l.status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE', 'KEPT')
      AND (CAST(sqlc.narg(pattern) AS text) IS NULL OR lower(l.name) LIKE lower(CAST(sqlc.narg(pattern) AS text)) ESCAPE '!')
      AND (CAST(sqlc.narg(status) AS text) IS NULL OR l.status = CAST(sqlc.narg(status) AS text))
      AND (CAST(sqlc.narg(type) AS text) IS NULL OR l.deployment_type = CAST(sqlc.narg(type) AS text))
      AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || l.id || '%')
      AND (CAST(sqlc.narg(reconciled) AS bigint) IS NULL OR EXISTS (
          SELECT 1 FROM deployments o
          WHERE o.id = l.id AND CASE WHEN o.generation = o.observed_generation THEN 1 ELSE 0 END = CAST(sqlc.narg(reconciled) AS bigint)
      ))
    ORDER BY l.created_at DESC, l.id DESC
    LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint)
) AS page
JOIN deployments d ON d.id = page.id
LEFT JOIN revisions r ON r.id = d.latest_revision_id
LEFT JOIN secret_sets s ON s.id = d.secret_set_id
ORDER BY d.created_at DESC, d.id DESC;

-- name: SearchDeployments :many
SELECT sqlc.embed(d), r.status AS newest_status, r.message AS newest_message, s.names AS variable_names, s.refs AS secret_refs,
    (SELECT COUNT(*) FROM instances i WHERE i.deployment_id = d.id AND i.revision_id = d.active_revision_id AND i.state = 'serving') AS serving
FROM (
    SELECT l.id FROM deployments l
    WHERE l.workspace_id = sqlc.arg(workspace_id) AND l.gone_at = 0
      AND l.status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE', 'KEPT')
      AND lower(l.name) LIKE lower(CAST(sqlc.arg(pattern) AS text)) ESCAPE '!'
      AND (CAST(sqlc.narg(status) AS text) IS NULL OR l.status = CAST(sqlc.narg(status) AS text))
      AND (CAST(sqlc.narg(type) AS text) IS NULL OR l.deployment_type = CAST(sqlc.narg(type) AS text))
      AND (CAST(sqlc.narg(ids) AS text) IS NULL OR CAST(sqlc.narg(ids) AS text) LIKE '%' || l.id || '%')
      AND (CAST(sqlc.narg(reconciled) AS bigint) IS NULL OR EXISTS (
          SELECT 1 FROM deployments o
          WHERE o.id = l.id AND CASE WHEN o.generation = o.observed_generation THEN 1 ELSE 0 END = CAST(sqlc.narg(reconciled) AS bigint)
      ))
    ORDER BY CASE WHEN l.name = CAST(sqlc.arg(first_name) AS text) THEN 0 ELSE 1 END, l.created_at DESC, l.id DESC
    LIMIT CAST(sqlc.arg(max_rows) AS bigint) OFFSET CAST(sqlc.arg(skip) AS bigint)
) AS page
JOIN deployments d ON d.id = page.id
LEFT JOIN revisions r ON r.id = d.latest_revision_id
LEFT JOIN secret_sets s ON s.id = d.secret_set_id
ORDER BY CASE WHEN d.name = CAST(sqlc.arg(first_name) AS text) THEN 0 ELSE 1 END, d.created_at DESC, d.id DESC;

-- name: CountDeployments :one
SELECT COUNT(*) FROM deployments
WHERE workspace_id = $1 AND deployment_type = $2 AND status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE', 'KEPT');

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
    running = sqlc.arg(running), protected = sqlc.arg(protected), deleted_at = sqlc.arg(deleted_at), deleted_by = sqlc.arg(deleted_by),
    gone_at = sqlc.arg(gone_at), purge_at = sqlc.arg(purge_at), purge = sqlc.arg(purge), reserved_slug = sqlc.arg(reserved_slug),
    final_snapshot = sqlc.arg(final_snapshot), provided_at = sqlc.arg(provided_at), version = version + 1
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: DeleteDeployment :execrows
DELETE FROM deployments WHERE id = $1;

-- All that hangs on a deployment, and its own row.
-- name: CountRowsOfDeployment :one
SELECT CAST(
    (SELECT COUNT(*) FROM deployments AS d WHERE d.id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM api_keys AS k WHERE k.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM revisions AS r WHERE r.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM instances AS i WHERE i.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM inventory AS v WHERE v.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM uploads AS u WHERE u.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM logins AS n WHERE n.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM redis_numbers AS m WHERE m.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM redis_servers AS p WHERE p.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM log_heads AS h WHERE h.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM log_lines AS l WHERE l.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM tracing_projects AS p WHERE p.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM secret_sets AS s WHERE s.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM event_heads AS e WHERE e.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM deployment_events AS f WHERE f.deployment_id = sqlc.arg(deployment_id))
    + (SELECT COUNT(*) FROM measurements AS m WHERE m.deployment_id = sqlc.arg(deployment_id))
AS bigint) AS n;
