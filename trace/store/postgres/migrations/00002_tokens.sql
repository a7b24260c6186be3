-- What models have used. Rows are made for runs that tell it only.

CREATE TABLE tokens (
    day        BIGINT NOT NULL,
    trace      BYTEA NOT NULL, -- zeros while it is not known
    run        BYTEA NOT NULL,
    workspace  BIGINT NOT NULL,
    prompt     BIGINT NOT NULL,
    completion BIGINT NOT NULL,
    PRIMARY KEY (day, trace, run, workspace)
) PARTITION BY LIST (day);
ALTER TABLE totals ADD COLUMN prompt BIGINT NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN completion BIGINT NOT NULL DEFAULT 0;

-- The days that there are get their part, as others do when they are made.
DO $$
DECLARE
    d BIGINT;
    part TEXT;
BEGIN
    FOR d IN SELECT day FROM days LOOP
        part := 'tokens_' || to_char(DATE '1970-01-01' + d::INTEGER, 'YYYYMMDD');
        EXECUTE format('CREATE TABLE %I (LIKE tokens INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE tokens ATTACH PARTITION %I FOR VALUES IN (%s)', part, d);
    END LOOP;
END $$;
