-- +goose Up
CREATE TABLE listeners (
    id           TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    compute_type TEXT NOT NULL,
    compute_id   TEXT NOT NULL,
    config       TEXT NOT NULL, -- JSON
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (workspace_id, compute_id)
);
CREATE INDEX listeners_newest ON listeners (workspace_id, created_at, id);
CREATE INDEX deployments_listener ON deployments (listener_id) WHERE listener_id <> '';
