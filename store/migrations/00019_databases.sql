-- What deployments have of databases.

-- +goose Up
ALTER TABLE deployments ADD COLUMN provided_at BIGINT NOT NULL DEFAULT 0; -- its database was made; 0 for none

CREATE TABLE logins (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    revision      BIGINT NOT NULL, -- number of the first revision that was made with it
    sealed        BYTEA NOT NULL,  -- password
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (deployment_id, number)
);

-- Numbers of databases on the Redis that deployments share.
CREATE TABLE redis_numbers (
    deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL UNIQUE
);
