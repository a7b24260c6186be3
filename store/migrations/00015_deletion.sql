-- A deletion can be undone for a while, and its receipt outlives it.

-- +goose Up
ALTER TABLE deployments ADD COLUMN protected BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deployments ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN gone_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN purge_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN purge BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deployments ADD COLUMN reserved_slug TEXT NOT NULL DEFAULT ''; -- for a restore
UPDATE deployments SET deleted_at = updated_at, purge_at = updated_at, purge = TRUE
WHERE status IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE');

DROP INDEX deployments_live_name;
CREATE UNIQUE INDEX deployments_live_name ON deployments (workspace_id, name)
    WHERE status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE', 'KEPT');
-- Lists show what is not gone, and find it without a look at the rest.
DROP INDEX deployments_newest;
CREATE INDEX deployments_newest ON deployments (workspace_id, created_at, id, status, deployment_type, name) WHERE gone_at = 0;
CREATE INDEX deployments_deleted ON deployments (workspace_id, deleted_at, id) WHERE deleted_at > 0;
CREATE INDEX deployments_purge ON deployments (purge_at) WHERE purge_at > 0 AND NOT purge;
CREATE INDEX deployments_reserved ON deployments (reserved_slug) WHERE reserved_slug <> '';

ALTER TABLE inventory ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE inventory ADD COLUMN retry_at BIGINT NOT NULL DEFAULT 0;
INSERT INTO inventory (deployment_id, kind, ref, created_at, removed_at, verified_at, attempts, last_error)
SELECT id, 'logs', id, created_at, 0, 0, 0, '' FROM deployments;
INSERT INTO inventory (deployment_id, kind, ref, created_at, removed_at, verified_at, attempts, last_error)
SELECT id, 'records', id, created_at, 0, 0, 0, '' FROM deployments;

-- A hidden project is to be removed, and its name is free.
CREATE TABLE projects (
    id            TEXT NOT NULL PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    name          TEXT NOT NULL,
    deployment_id TEXT REFERENCES deployments (id) ON DELETE SET NULL, -- NULL: it stands alone
    kept          BOOLEAN NOT NULL,
    created_at    BIGINT NOT NULL,
    hidden        BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO projects (id, workspace_id, name, deployment_id, kept, created_at)
SELECT id, workspace_id, name, deployment_id, kept, created_at FROM tracing_projects;
DROP TABLE tracing_projects;
ALTER TABLE projects RENAME TO tracing_projects;
CREATE INDEX tracing_projects_deployment ON tracing_projects (deployment_id);
CREATE UNIQUE INDEX tracing_projects_name ON tracing_projects (workspace_id, name) WHERE NOT hidden;

-- What became of a deployment that is gone. It refers to nothing.
CREATE TABLE deletions (
    deployment_id TEXT NOT NULL PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    done_at       BIGINT NOT NULL,
    receipt       TEXT NOT NULL -- JSON
);
