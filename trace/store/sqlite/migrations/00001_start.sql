-- A day of traces. user_version says how many migrations a file has seen.

CREATE TABLE owners ( -- workspaces and projects, by numbers that rows have
    n  INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);
-- What is large comes last, so that what is before it is read without it.
CREATE TABLE runs (
    day        INTEGER NOT NULL,
    id         BLOB NOT NULL,
    workspace  INTEGER NOT NULL,
    kind       INTEGER NOT NULL, -- 0 not posted, 1 root, 2 child
    project    INTEGER NOT NULL, -- 0 while it is not known
    trace      BLOB,
    parent     BLOB,
    place      BLOB, -- the dotted order
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    start      INTEGER, -- microseconds since 1970
    ended      INTEGER,
    status     INTEGER NOT NULL, -- 0 pending, 1 success, 2 error
    patched    INTEGER NOT NULL, -- the fields whose values come from patches
    reference  BLOB,
    tags       TEXT, -- a JSON list
    bytes      INTEGER NOT NULL,
    attached   INTEGER NOT NULL,
    error      BLOB,
    inputs     BLOB,
    outputs    BLOB,
    extra      BLOB,
    events     BLOB,
    serialized BLOB
);
CREATE UNIQUE INDEX runs_id ON runs (id, workspace);
CREATE INDEX runs_started ON runs (project, start, id);
CREATE INDEX runs_roots ON runs (project, start, id) WHERE kind = 1;
CREATE INDEX runs_trace ON runs (trace);
CREATE TABLE attachments (
    day       INTEGER NOT NULL,
    run       BLOB NOT NULL,
    workspace INTEGER NOT NULL,
    name      TEXT NOT NULL,
    type      TEXT NOT NULL,
    content   BLOB NOT NULL
);
CREATE UNIQUE INDEX attachments_key ON attachments (day, run, workspace, name);
CREATE TABLE blobs ( -- those that runs of the day have, or had
    day       INTEGER NOT NULL,
    run       BLOB NOT NULL,
    workspace INTEGER NOT NULL,
    name      TEXT NOT NULL,
    size      INTEGER NOT NULL -- on disk
);
CREATE UNIQUE INDEX blobs_key ON blobs (day, run, workspace, name);
CREATE TABLE totals (
    day     INTEGER NOT NULL,
    project INTEGER NOT NULL,
    runs    INTEGER NOT NULL,
    stubs   INTEGER NOT NULL,
    ahead   INTEGER NOT NULL, -- runs that say that they began on a later day
    roots   INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    errors  INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (day, project)
) WITHOUT ROWID;
CREATE TABLE latencies ( -- how many root runs took how long
    day     INTEGER NOT NULL,
    project INTEGER NOT NULL,
    bucket  INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (day, project, bucket)
) WITHOUT ROWID;
