-- The queries of both engines. $1 is the day in all but those of owners: PostgreSQL
-- needs it to find the partition, where SQLite has a file for each. The columns of a run
-- are in one order everywhere, which row.go knows.

-- name: owners
SELECT n, id FROM owners;

-- name: add_owner
INSERT INTO owners (id) VALUES ($1) ON CONFLICT (id) DO NOTHING;

-- name: insert
INSERT INTO runs (
    day, id, workspace, kind, project, trace, parent, place, name, type, start, ended, status, patched, reference, tags, bytes, attached, error,
    inputs, outputs, extra, events, serialized
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT DO NOTHING;

-- name: update
UPDATE runs SET
    kind = $4, project = $5, trace = $6, parent = $7, place = $8, name = $9, type = $10, start = $11, ended = $12, status = $13,
    patched = $14, reference = $15, tags = $16, bytes = $17, attached = $18, error = $19,
    inputs = coalesce($20, inputs), outputs = coalesce($21, outputs), extra = coalesce($22, extra),
    events = coalesce($23, events), serialized = coalesce($24, serialized)
WHERE day = $1 AND id = $2 AND workspace = $3;

-- name: amend
-- As update, for a run whose place in the indexes stays.
UPDATE runs SET
    parent = $4, place = $5, name = $6, type = $7, ended = $8, status = $9, patched = $10, reference = $11, tags = $12,
    bytes = $13, attached = $14, error = $15,
    inputs = coalesce($16, inputs), outputs = coalesce($17, outputs), extra = coalesce($18, extra),
    events = coalesce($19, events), serialized = coalesce($20, serialized)
WHERE day = $1 AND id = $2 AND workspace = $3;

-- name: held
-- The heavy values are given by their sizes.
SELECT {light},
    coalesce(length(inputs), 0), coalesce(length(outputs), 0), coalesce(length(extra), 0), coalesce(length(events), 0), coalesce(length(serialized), 0)
FROM runs WHERE day = $1 AND id = $2 AND workspace = $3;

-- name: one
SELECT {light}, {heavy} FROM runs WHERE day = $1 AND id = $2 AND workspace = $3 AND kind > 0;

-- name: trace
SELECT {light}, {heavy} FROM runs WHERE day = $1 AND trace = $2 AND workspace = $3 AND kind > 0;

-- name: list
-- {kind} is that of the index; {before} and {direction} go with each other.
SELECT {light}, {heavy} FROM runs
WHERE day = $1 AND project = $2 AND {kind} AND (start, id) {before} ($3, $4) AND start >= $5 AND start < $6
    AND ($7 = '' OR name = $7) AND ($8 = '' OR type = $8) AND ($9 < 0 OR status = $9)
ORDER BY start {direction}, id {direction} LIMIT $10;

-- name: attach
INSERT INTO attachments (day, run, workspace, name, type, content) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (day, run, workspace, name) DO UPDATE SET type = excluded.type, content = excluded.content;

-- name: attach_new
INSERT INTO attachments (day, run, workspace, name, type, content) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (day, run, workspace, name) DO NOTHING;

-- name: attachments
SELECT name, type, content FROM attachments WHERE day = $1 AND run = $2 AND workspace = $3;

-- name: add_blob
INSERT INTO blobs (day, run, workspace, name, size) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: blobs
SELECT name, size FROM blobs WHERE day = $1;

-- name: blobs_of
SELECT name FROM blobs WHERE day = $1 AND run = $2 AND workspace = $3;

-- name: tell_tokens
INSERT INTO tokens (day, trace, run, workspace, prompt, completion) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (day, trace, run, workspace) DO UPDATE SET prompt = excluded.prompt, completion = excluded.completion;

-- name: tokens
SELECT prompt, completion FROM tokens WHERE day = $1 AND trace = $2 AND run = $3 AND workspace = $4;

-- name: tokens_of_trace
SELECT CAST(coalesce(sum(prompt), 0) AS bigint), CAST(coalesce(sum(completion), 0) AS bigint)
FROM tokens JOIN runs ON runs.day = $1 AND runs.id = tokens.run AND runs.workspace = $3 AND runs.project = $4
WHERE tokens.day = $1 AND tokens.trace = $2 AND tokens.workspace = $3;

-- name: add_totals
INSERT INTO totals (day, project, runs, stubs, ahead, roots, pending, errors, bytes, first, last, prompt, completion)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (day, project) DO UPDATE SET
    runs = totals.runs + excluded.runs, stubs = totals.stubs + excluded.stubs, ahead = totals.ahead + excluded.ahead, roots = totals.roots + excluded.roots,
    pending = totals.pending + excluded.pending, errors = totals.errors + excluded.errors, bytes = totals.bytes + excluded.bytes,
    prompt = totals.prompt + excluded.prompt, completion = totals.completion + excluded.completion,
    first = CASE WHEN excluded.first < totals.first THEN excluded.first ELSE totals.first END,
    last = CASE WHEN excluded.last > totals.last THEN excluded.last ELSE totals.last END;

-- name: add_latency
INSERT INTO latencies (day, project, bucket, n) VALUES ($1, $2, $3, $4)
ON CONFLICT (day, project, bucket) DO UPDATE SET n = latencies.n + excluded.n;

-- name: totals
SELECT runs, stubs, ahead, roots, pending, errors, bytes, first, last, prompt, completion FROM totals WHERE day = $1 AND project = $2;

-- name: latencies
SELECT bucket, n FROM latencies WHERE day = $1 AND project = $2;

-- name: some
SELECT id, workspace FROM runs WHERE day = $1 AND project = $2 LIMIT $3;

-- name: delete
DELETE FROM runs WHERE day = $1 AND id = $2 AND workspace = $3;

-- name: delete_attachments
DELETE FROM attachments WHERE day = $1 AND run = $2 AND workspace = $3;

-- name: delete_blobs
DELETE FROM blobs WHERE day = $1 AND run = $2 AND workspace = $3;

-- name: delete_tokens
DELETE FROM tokens WHERE day = $1 AND trace = $2 AND run = $3 AND workspace = $4;

-- name: delete_totals
DELETE FROM totals WHERE day = $1 AND project = $2;

-- name: delete_latencies
DELETE FROM latencies WHERE day = $1 AND project = $2;
