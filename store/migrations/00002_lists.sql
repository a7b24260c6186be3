-- What lists need: their order and their filters in indexes that hold all of
-- it, so that only the rows of the page itself are read; and the names of a
-- set's variables beside it, so that showing them does not read its values.

-- +goose Up
DROP INDEX deployments_newest;
CREATE INDEX deployments_newest ON deployments (workspace_id, created_at, id, status, deployment_type, name);

CREATE INDEX revisions_newest ON revisions (deployment_id, number, status);

-- Separated by spaces; a name has none.
ALTER TABLE secret_sets ADD COLUMN names TEXT NOT NULL DEFAULT '';
UPDATE secret_sets SET names = COALESCE(
    (SELECT string_agg(v.name, ' ' ORDER BY v.position) FROM secret_values v WHERE v.set_id = secret_sets.id), ''
);
