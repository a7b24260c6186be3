-- Projects that clients make, and the keys that agents are given.

-- +goose Up
ALTER TABLE tracing_projects ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE tracing_projects ADD COLUMN extra TEXT NOT NULL DEFAULT ''; -- JSON of whoever made it
ALTER TABLE tracing_projects ADD COLUMN ended_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tracing_projects_newest ON tracing_projects (workspace_id, created_at, id) WHERE NOT hidden;
ALTER TABLE tracing_projects ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tracing_projects ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tracing_projects_due ON tracing_projects (due_at) WHERE due_at > 0;
ALTER TABLE api_keys ADD COLUMN sealed BYTEA; -- the token, of an agent's key
