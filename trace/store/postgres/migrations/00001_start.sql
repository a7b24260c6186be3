-- Traces, in a schema of their own, by days. The tables without rows of their own
-- are what a day's tables are made like.

CREATE TABLE days (day BIGINT PRIMARY KEY);
CREATE TABLE owners ( -- workspaces and projects, by numbers that rows have
    n  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);
CREATE TABLE runs (
    day        BIGINT NOT NULL,
    id         BYTEA NOT NULL,
    workspace  BIGINT NOT NULL,
    kind       BIGINT NOT NULL, -- 0 not posted, 1 root, 2 child
    project    BIGINT NOT NULL, -- 0 while it is not known
    trace      BYTEA,
    parent     BYTEA,
    place      BYTEA, -- the dotted order
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    start      BIGINT, -- microseconds since 1970
    ended      BIGINT,
    status     BIGINT NOT NULL, -- 0 pending, 1 success, 2 error
    patched    BIGINT NOT NULL, -- the fields whose values come from patches
    reference  BYTEA,
    tags       TEXT, -- a JSON list
    bytes      BIGINT NOT NULL,
    attached   BIGINT NOT NULL,
    error      BYTEA,
    inputs     BYTEA,
    outputs    BYTEA,
    extra      BYTEA,
    events     BYTEA,
    serialized BYTEA,
    PRIMARY KEY (day, id, workspace)
) PARTITION BY LIST (day);
CREATE INDEX runs_started ON runs (project, start, id);
CREATE INDEX runs_roots ON runs (project, start, id) WHERE kind = 1;
CREATE INDEX runs_trace ON runs (trace);
CREATE TABLE attachments (
    day       BIGINT NOT NULL,
    run       BYTEA NOT NULL,
    workspace BIGINT NOT NULL,
    name      TEXT NOT NULL,
    type      TEXT NOT NULL,
    content   BYTEA NOT NULL,
    PRIMARY KEY (day, run, workspace, name)
) PARTITION BY LIST (day);
CREATE TABLE blobs ( -- those that runs of the day have, or had
    day       BIGINT NOT NULL,
    run       BYTEA NOT NULL,
    workspace BIGINT NOT NULL,
    name      TEXT NOT NULL,
    size      BIGINT NOT NULL, -- on disk
    PRIMARY KEY (day, run, workspace, name)
) PARTITION BY LIST (day);
CREATE TABLE totals (
    day     BIGINT NOT NULL,
    project BIGINT NOT NULL,
    runs    BIGINT NOT NULL,
    stubs   BIGINT NOT NULL,
    ahead   BIGINT NOT NULL, -- runs that say that they began on a later day
    roots   BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    errors  BIGINT NOT NULL,
    bytes   BIGINT NOT NULL,
    first   BIGINT NOT NULL,
    last    BIGINT NOT NULL,
    PRIMARY KEY (day, project)
) PARTITION BY LIST (day);
CREATE TABLE latencies ( -- how many root runs took how long
    day     BIGINT NOT NULL,
    project BIGINT NOT NULL,
    bucket  BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (day, project, bucket)
) PARTITION BY LIST (day);
