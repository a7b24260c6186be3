-- Both engines run this file: SQLite and PostgreSQL. Times are microseconds
-- since 1970, 0 where a time is not set. Text that is not set is ''. A column
-- is NULL only where a foreign key or an index needs it. There is no way back:
-- an older server refuses what a newer one wrote.

-- +goose Up
CREATE TABLE workspaces (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE deployments (
    id                  TEXT NOT NULL PRIMARY KEY,
    workspace_id        TEXT NOT NULL REFERENCES workspaces (id),
    name                TEXT NOT NULL,
    display_name        TEXT NOT NULL,
    slug                TEXT NOT NULL, -- '' where it was given up
    source              TEXT NOT NULL,
    deployment_type     TEXT NOT NULL,
    repo_url            TEXT NOT NULL,
    listener_id         TEXT NOT NULL,
    config              TEXT NOT NULL, -- JSON, the rest of the source's configuration
    revision_config     TEXT NOT NULL, -- JSON
    secret_set_id       TEXT NOT NULL,
    project_id          TEXT NOT NULL,
    status              TEXT NOT NULL,
    latest_revision_id  TEXT NOT NULL,
    active_revision_id  TEXT NOT NULL,
    health_state        TEXT NOT NULL,
    health_reason       TEXT NOT NULL,
    health_since        BIGINT NOT NULL,
    delete_project      BOOLEAN NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    generation          BIGINT NOT NULL,
    version             BIGINT NOT NULL,
    -- From here on the lease's: an update of the deployment leaves them alone.
    observed_generation BIGINT NOT NULL,
    next_at             BIGINT,                      -- due then; NULL for never
    lease_owner         TEXT NOT NULL DEFAULT '',
    lease_term          BIGINT NOT NULL DEFAULT 0,
    lease_until         BIGINT NOT NULL DEFAULT 0    -- 0 while nobody holds it
);
CREATE UNIQUE INDEX deployments_slug ON deployments (slug) WHERE slug <> '';
CREATE UNIQUE INDEX deployments_live_name ON deployments (workspace_id, name)
    WHERE status NOT IN ('AWAITING_DELETE', 'AWAITING_FINAL_DELETE');
CREATE INDEX deployments_newest ON deployments (workspace_id, created_at, id);
CREATE INDEX deployments_status ON deployments (status, created_at, id);
CREATE INDEX deployments_due ON deployments (next_at) WHERE lease_until = 0 AND next_at IS NOT NULL;
CREATE INDEX deployments_leased ON deployments (lease_until) WHERE lease_until > 0;

CREATE TABLE api_keys (
    id            TEXT NOT NULL PRIMARY KEY,
    workspace_id  TEXT REFERENCES workspaces (id),                     -- NULL: of the organisation
    deployment_id TEXT REFERENCES deployments (id) ON DELETE CASCADE,  -- NULL: of no agent
    name          TEXT NOT NULL,
    hash          TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL, -- separated by spaces
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL,
    last_used_at  BIGINT NOT NULL
);
CREATE INDEX api_keys_workspace ON api_keys (workspace_id);
CREATE INDEX api_keys_deployment ON api_keys (deployment_id);

CREATE TABLE revisions (
    id            TEXT NOT NULL PRIMARY KEY,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    status        TEXT NOT NULL,
    message       TEXT NOT NULL,
    failure       TEXT NOT NULL, -- JSON, '' for none
    source        TEXT NOT NULL,
    config        TEXT NOT NULL, -- JSON
    secret_set_id TEXT NOT NULL,
    artefact      TEXT NOT NULL, -- JSON, '' before it is built
    deadline      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    UNIQUE (deployment_id, number)
);
CREATE INDEX revisions_open ON revisions (deployment_id, number)
    WHERE status IN ('CREATING', 'QUEUED', 'AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING');
CREATE INDEX revisions_deadline ON revisions (deadline)
    WHERE deadline > 0 AND status IN ('AWAITING_BUILD', 'BUILDING', 'AWAITING_DEPLOY', 'DEPLOYING');

CREATE TABLE revision_history (
    revision_id TEXT NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    version     BIGINT NOT NULL, -- the revision's, when it came to this status
    status      TEXT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (revision_id, version)
);

CREATE TABLE instances (
    id            TEXT NOT NULL PRIMARY KEY,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    revision_id   TEXT NOT NULL,
    listener      TEXT NOT NULL DEFAULT '', -- whose ports they are
    state         TEXT NOT NULL,
    attempt       BIGINT NOT NULL,
    port          BIGINT NOT NULL, -- 0 for none
    crashes       BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    retry_at      BIGINT NOT NULL,
    last_exit     TEXT NOT NULL, -- JSON, '' for none
    created_at    BIGINT NOT NULL
);
CREATE INDEX instances_deployment ON instances (deployment_id, created_at, id);
CREATE UNIQUE INDEX instances_port ON instances (listener, port) WHERE port > 0;

CREATE TABLE inventory (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    ref           TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    removed_at    BIGINT NOT NULL,
    verified_at   BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    last_error    TEXT NOT NULL,
    PRIMARY KEY (deployment_id, kind, ref)
);
CREATE INDEX inventory_owners ON inventory (kind, ref) WHERE removed_at = 0;

CREATE TABLE uploads (
    id            TEXT NOT NULL PRIMARY KEY,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    object        TEXT NOT NULL,
    digest        TEXT NOT NULL,
    size          BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    UNIQUE (deployment_id, object)
);

-- The last position given to a line of a deployment. It is a row of its own so
-- that logging does not touch the deployment's.
CREATE TABLE log_heads (
    deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL
);

CREATE TABLE log_lines (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    position      BIGINT NOT NULL,
    revision_id   TEXT NOT NULL,
    origin        TEXT NOT NULL,
    end_offset    BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    level         TEXT NOT NULL,
    message       TEXT NOT NULL,
    PRIMARY KEY (deployment_id, kind, position),
    UNIQUE (deployment_id, origin, end_offset)
);
CREATE INDEX log_lines_revision ON log_lines (deployment_id, revision_id, kind, position);

CREATE TABLE tracing_projects (
    id            TEXT NOT NULL PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    name          TEXT NOT NULL,
    deployment_id TEXT REFERENCES deployments (id) ON DELETE SET NULL, -- NULL: it stands alone
    kept          BOOLEAN NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);
CREATE INDEX tracing_projects_deployment ON tracing_projects (deployment_id);

CREATE TABLE secret_sets (
    id            TEXT NOT NULL PRIMARY KEY,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    refs          TEXT NOT NULL -- JSON, secrets that a cluster keeps
);
CREATE INDEX secret_sets_deployment ON secret_sets (deployment_id);

CREATE TABLE secret_values (
    set_id   TEXT NOT NULL REFERENCES secret_sets (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name     TEXT NOT NULL,
    sealed   BYTEA NOT NULL,
    PRIMARY KEY (set_id, position)
);
