-- What is due first was found by reading all that was due, to sort it by id too.

-- +goose Up
DROP INDEX deployments_due;
DROP INDEX deployments_due_deletions;
DROP INDEX deployments_leased;
CREATE INDEX deployments_due ON deployments (next_at, id) WHERE lease_until = 0 AND next_at IS NOT NULL AND listener_id = '' AND deleted_at = 0;
CREATE INDEX deployments_due_deletions ON deployments (next_at, id) WHERE lease_until = 0 AND next_at IS NOT NULL AND listener_id = '' AND deleted_at > 0;
CREATE INDEX deployments_leased ON deployments (lease_until, id) WHERE lease_until > 0 AND listener_id = '';
