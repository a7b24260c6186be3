-- What models have used. Rows are made for runs that tell it only.

CREATE TABLE tokens (
    day        INTEGER NOT NULL,
    trace      BLOB NOT NULL, -- zeros while it is not known
    run        BLOB NOT NULL,
    workspace  INTEGER NOT NULL,
    prompt     INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    PRIMARY KEY (day, trace, run, workspace)
) WITHOUT ROWID;
ALTER TABLE totals ADD COLUMN prompt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN completion INTEGER NOT NULL DEFAULT 0;
