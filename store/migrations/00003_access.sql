-- +goose Up

-- The first workspace, whose administrators administer the installation. It is
-- written down: the oldest could be another one after a deletion.
ALTER TABLE workspaces ADD COLUMN home BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE workspaces SET home = TRUE WHERE id = (SELECT id FROM workspaces ORDER BY created_at, id LIMIT 1);
CREATE UNIQUE INDEX workspaces_home ON workspaces (home) WHERE home;

-- An event outlives what it is about, so it refers to nothing.
CREATE TABLE audit_events (
    id           TEXT NOT NULL PRIMARY KEY,
    at           BIGINT NOT NULL,
    workspace_id TEXT NOT NULL, -- '' if it is about no single one
    key_id       TEXT NOT NULL, -- '' for a subject
    subject      TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL
);
CREATE INDEX audit_events_newest ON audit_events (at, id);
