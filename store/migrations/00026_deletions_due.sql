-- What is being deleted is taken by itself, and is not in the way of the rest.

-- +goose Up
DROP INDEX deployments_due;
CREATE INDEX deployments_due ON deployments (next_at) WHERE lease_until = 0 AND next_at IS NOT NULL AND listener_id = '' AND deleted_at = 0;
CREATE INDEX deployments_due_deletions ON deployments (next_at) WHERE lease_until = 0 AND next_at IS NOT NULL AND listener_id = '' AND deleted_at > 0;
