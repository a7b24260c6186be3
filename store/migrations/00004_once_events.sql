-- +goose Up

-- What requests made that came with an Idempotency-Key.
CREATE TABLE receipts (
    workspace_id TEXT NOT NULL, -- '' for a request to the organisation
    request_key  TEXT NOT NULL,
    hash         TEXT NOT NULL,
    resource     TEXT NOT NULL, -- '' only within the transaction that claims it
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, request_key)
);
CREATE INDEX receipts_created ON receipts (created_at);

-- The last sequence given to an event of a deployment. Its row is what writers
-- of events wait for, so that sequences are committed in their order.
CREATE TABLE event_heads (
    deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    sequence      BIGINT NOT NULL
);

CREATE TABLE deployment_events (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    sequence      BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    body          TEXT NOT NULL, -- JSON, the state of a deployment or a revision
    at            BIGINT NOT NULL,
    PRIMARY KEY (deployment_id, sequence)
);
