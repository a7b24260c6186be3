-- What is measured of deployments, at falling resolution.

-- +goose Up

CREATE TABLE measurements (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    step          BIGINT NOT NULL, -- seconds of a slot
    at            BIGINT NOT NULL, -- of the page's first slot
    slots         BYTEA NOT NULL,
    PRIMARY KEY (deployment_id, step, at)
);
CREATE INDEX measurements_age ON measurements (step, at);
