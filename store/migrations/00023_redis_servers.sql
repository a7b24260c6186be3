-- Redis servers that deployments have of their own.

-- +goose Up
CREATE TABLE redis_servers (
    deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    port          BIGINT NOT NULL UNIQUE,
    sealed        BYTEA NOT NULL -- password
);
